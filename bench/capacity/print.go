package capacity

import (
	"fmt"
	"io"
	"math"

	"vernemq/tuning"
)

// Print writes a line for each constant, with tabs.
func (c *Calibration) Print(w io.Writer) {
	fmt.Fprintln(w, "CONSTANT\tVALUE\tSPREAD\tUNIT\tRUNS")
	for _, k := range c.constants() {
		if k.Runs == 0 {
			fmt.Fprintf(w, "%s\tnot measured\n", k.name)
			continue
		}
		fmt.Fprintf(w, "%s\t%.4g\t±%.2g\t%s\t%d\n", k.name, k.Value, k.Spread, k.Unit, k.Runs)
	}
	fmt.Fprintf(w, "\nkernel: %s\n", c.KernelSource)
	if c.TLS != "" {
		fmt.Fprintf(w, "TLS: %s\n", c.TLS)
	}
	if n := len(c.Points); n > 0 {
		far, late := 0, 0
		for _, p := range c.Points {
			if math.Abs(p.Predicted/p.CPU-1) > 0.2 {
				far++
			}
			if held(p) {
				late++
			}
		}
		fmt.Fprintf(w, "fit: %d of %d runs of messages are more than 20 %% off; in %d the generator was held up by other work\n", far, n, late)
		if late > n/4 {
			fmt.Fprintln(w, "warning: the machine was busy with other work; calibrate again on a quiet one")
		}
	}
}

// Print writes the answer, with tabs; explain adds how each figure came about.
func (e *Estimate) Print(w io.Writer, explain bool) {
	fmt.Fprintf(w, "constants: %s\n\n", e.Measured)
	fmt.Fprintln(w, "FIGURE\tNEEDED\tUNIT")
	for _, f := range e.Figures {
		if f.hidden && !explain {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, number(f.Value), f.Unit)
	}
	if explain {
		fmt.Fprintln(w, "\nARITHMETIC")
		for _, f := range e.Figures {
			fmt.Fprintf(w, "%s: %s\n", f.Name, f.How)
		}
	}
	fmt.Fprintln(w, "\nON THIS HOST\tNEEDED\tTHERE\tUSED")
	for i, l := range e.Limits {
		mark := ""
		if i == 0 {
			mark = "  limits first"
		}
		fmt.Fprintf(w, "%s\t%s\t%s %s\t%.0f %%%s\n", l.Name, number(l.Need), number(l.Have), l.Unit, 100*l.Used(), mark)
	}
	e.settings(w)
}

// settings writes what is low here, or what has to be looked at elsewhere.
func (e *Estimate) settings(w io.Writer) {
	fmt.Fprintln(w, "\nSETTING\tTHERE\tWANTED\tVERDICT")
	ok := 0
	for _, i := range e.Settings {
		if i.Verdict == tuning.OK {
			ok++
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", i.Name, i.Found, i.Wanted, i.Verdict)
	}
	tls := ""
	if e.Demand.TLS {
		tls = " --tls"
	}
	fmt.Fprintf(w, "%d others suffice; vernemq tuning profile --connections %d%s writes the files\n", ok, e.Demand.Connections, tls)
}

func number(v float64) string {
	switch {
	case v == math.Trunc(v) && math.Abs(v) < 1e15:
		return fmt.Sprintf("%.0f", v)
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
