package tuning

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of testdata")

// hosts are those of testdata that make sense, with what is wanted of each.
var hosts = []struct {
	name string
	plan Plan
	low  bool
}{
	{"small-vm", Plan{Connections: 10_000, Sockets: 1}, true},
	{"bare-metal", Plan{Connections: 1_000_000, Sockets: 63}, false},
	{"no-conntrack", Plan{Connections: 1_000_000, Sockets: 63}, true},
	{"container-v1", Plan{Connections: 100_000, Sockets: 7}, true},
	{"container-v2", Plan{Connections: 200_000, Sockets: 14, Send: 32768, Receive: 16384}, true},
}

// TestGolden holds table, JSON and profile of each host to a file.
func TestGolden(t *testing.T) {
	for _, c := range hosts {
		t.Run(c.name, func(t *testing.T) {
			h, err := readHost(t, c.name)
			if err != nil {
				t.Fatal(err)
			}
			r := Judge(h, c.plan)
			if (r.Verdict == Low) != c.low {
				t.Errorf("verdict %s: %+v", r.Verdict, r.low())
			}
			var table, all, json bytes.Buffer
			for _, err := range []error{r.WriteTable(&table, false), r.WriteTable(&all, true), r.WriteJSON(&json)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			unit, err := Unit{Executable: "/usr/bin/vernemq", Base: "/", Data: "/var/lib/vernemq", Logs: "/var/log/vernemq"}.Write(h, c.plan)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, c.name+".table", table.String())
			golden(t, c.name+".all", all.String())
			golden(t, c.name+".json", json.String())
			golden(t, c.name+".sysctl", Sysctl(h, c.plan, false))
			golden(t, c.name+".full.sysctl", Sysctl(h, c.plan, true))
			golden(t, c.name+".service", unit)
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/golden/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%s differs (%v); -update writes it. Got:\n%s", path, err, got)
	}
}
