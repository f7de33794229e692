package tuning

import (
	"fmt"
	"strings"
)

// Sysctl is a file for /etc/sysctl.d that makes a host suffice for a plan. It
// has the settings that are low, or with full all. None is below what is
// there. What is unknown stands in it as a comment, unless full.
func Sysctl(h *Host, p Plan, full bool) string {
	var b strings.Builder
	wrap(&b, "# ", fmt.Sprintf("Kernel settings for a broker with %d connections.", p.Connections))
	wrap(&b, "# ", "Made by: vernemq tuning profile. Put it into /etc/sysctl.d and load it with: sysctl --system")
	n := 0
	for _, i := range Judge(h, p).Items {
		if i.value == "" || i.Verdict == OK && !full {
			continue
		}
		n++
		b.WriteString("\n")
		wrap(&b, "# ", fmt.Sprintf("Found: %s. %s", i.Found, i.Reason))
		b.WriteString(setting(i, full) + "\n")
	}
	if n == 0 {
		b.WriteString("\n# Nothing is low: no setting has to change.\n")
	}
	return b.String()
}

func setting(i Item, full bool) string {
	s := i.Name + " = " + i.value
	switch {
	case i.Found == "not loaded":
		return "-" + s // sysctl.d(5): no error when it does not exist
	case i.Verdict == NotKnown && !full:
		return "# " + s
	}
	return s
}
