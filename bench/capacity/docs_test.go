package capacity

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of constants into docs/capacity.md")

// meanings are those of constants whose names do not say enough.
var meanings = map[string]string{
	"base": "broker without connections", "intercept": "of the line through idle connections", "connection": "idle connection in the broker",
	"storm": "connection that has just come", "kernel": "connection in the kernel, one end", "kernel_base": "of the whole machine",
	"connect": "with its TLS handshake", "payload": "each KiB in and each KiB out",
}

// constantsTable is the built-in constants side by side.
func constantsTable() string {
	var b strings.Builder
	plain, secure := Builtin(false), Builtin(true)
	head := func(c *Calibration) string { return c.Made.Format("2 January 2006") }
	fmt.Fprintf(&b, "| constant | TCP, %s | TLS, %s | unit | |\n|---|---|---|---|---|\n", head(plain), head(secure))
	value := func(c *Constant) string {
		if c.Runs == 0 {
			return ""
		}
		digits := "%.3g ± %.2g"
		if c.Value >= 1000 {
			digits = "%.0f ± %.0f"
		}
		return fmt.Sprintf(digits, c.Value, c.Spread)
	}
	others := secure.constants()
	for i, k := range plain.constants() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", k.name, value(k.Constant), value(others[i].Constant), k.unit, meanings[k.name])
	}
	return b.String()
}

// TestDocs: the document shows the constants that come with the program.
func TestDocs(t *testing.T) {
	const file, begin, end = "../../docs/capacity.md", "<!-- constants: go test ./bench/capacity -update -->\n", "<!-- end of constants -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	table, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the constants", file)
	}
	want := constantsTable()
	if *update {
		if err := os.WriteFile(file, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if table != want {
		t.Errorf("%s is behind what was measured; -update writes it:\n%s", file, want)
	}
}
