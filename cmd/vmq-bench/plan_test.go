package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vernemq/bench/capacity"
)

func runPlan(t *testing.T, args string) (string, error) {
	t.Helper()
	var out strings.Builder
	a := app()
	a.Writer = &out
	err := a.RunContext(t.Context(), append([]string{"vmq-bench", "plan"}, strings.Fields(args)...))
	return out.String(), err
}

// TestPlanCommand: the first line names the source of the constants, which are
// those of the file, of the working directory, or built in.
func TestPlanCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	const load = "--connections 1000 --rate 100 --qos 1"
	first := func(args string) string {
		out, err := runPlan(t, args)
		if err != nil {
			t.Fatal(err)
		}
		return strings.SplitN(out, "\n", 2)[0]
	}
	if got := first(load); !strings.HasPrefix(got, "constants: built in, not of this machine") {
		t.Error(got)
	}
	for _, f := range []string{"other.json", capacity.DefaultFile} {
		if err := capacity.Builtin(false).Write(f); err != nil {
			t.Fatal(err)
		}
	}
	if got := first(load); !strings.HasPrefix(got, "constants: "+capacity.DefaultFile+": measured") {
		t.Error(got)
	}
	if got := first("--calibration other.json --explain " + load); !strings.HasPrefix(got, "constants: other.json: measured") {
		t.Error(got)
	}
	if got := first("--tls " + load); !strings.Contains(got, "built in, not of this machine") || !strings.Contains(got, "over TLS 1.3") {
		t.Error(got)
	}
	if err := capacity.Builtin(true).Write(capacity.DefaultTLSFile); err != nil {
		t.Fatal(err)
	}
	if got := first("--tls " + load); !strings.HasPrefix(got, "constants: "+capacity.DefaultTLSFile+": measured") {
		t.Error(got)
	}
	if out, err := runPlan(t, "--json "+load); err != nil || !strings.HasPrefix(out, "{") {
		t.Error(out, err)
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("broken.json", []byte(`{"format":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, tls := range map[string]bool{"tcp.json": false, "tls.json": true} {
		if err := capacity.Builtin(tls).Write(file); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"":                            `Required flag "connections"`,
		"--connections 0":             "connections 0: 1 to 100000000",
		"--connections 9 --rate 0":    "rate 0: more than 0",
		"--connections 9 --rate -5":   "rate -5: more than 0",
		"--connections 9 --qos 3":     "QoS 3: 0, 1 or 2",
		"--connections 9 --fanout -1": "fanout -1: 0 to the connections (9)",
		"--connections 9 --tls --calibration tcp.json": "cannot plan for TLS with constants of plain TCP (tcp.json: measured",
		"--connections 9 --calibration tls.json":       "cannot plan for plain TCP with constants of TLS (tls.json: measured",
		"--connections 9 --link 0":                     "link of 0 bit/s",
		"--connections 9 and more":                     `unknown argument "and"`,
		"--connections 9 --calibration none.json":      "cannot read the calibration: open none.json",
		"--connections 9 --calibration broken.json":    "broken.json: field base is missing",
		"--connections 9 --payload 268435456":          "payload 268435456: 0 to 268435455 bytes",
	} {
		if _, err := runPlan(t, args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(".", capacity.DefaultFile)); err == nil {
		t.Error("a plan left a file")
	}
}
