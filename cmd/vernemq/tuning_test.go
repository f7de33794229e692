package main

import (
	"bytes"
	"strings"
	"testing"

	"vernemq/server/config"
	"vernemq/tuning"
)

// TestPlanOf: connections of listeners with TLS are over TLS, and of another
// number as large a part.
func TestPlanOf(t *testing.T) {
	cfg := &config.Config{Loops: 3, Listeners: []config.Listener{
		{Network: "tcp4", MaxConnections: 3000}, {Network: "tcp4", MaxConnections: 1000, TLS: &config.TLS{}}, {Name: "open", Network: "unix"},
	}}
	p, unlimited := planOf(cfg)
	if p != (tuning.Plan{Connections: 4000, Secured: 1000, Sockets: 7}) || len(unlimited) != 1 || unlimited[0].Name != "open" {
		t.Errorf("%+v, %v", p, unlimited)
	}
	for n, want := range map[int64]int64{4000: 1000, 10: 3, 1: 0, tuning.MaxConnections: tuning.MaxConnections / 4} {
		if q := withConnections(p, n); q.Connections != n || q.Secured != want || q.Check() != nil {
			t.Errorf("%d: %+v", n, q)
		}
	}
	if q := withConnections(tuning.Plan{}, 10); q.Secured != 0 {
		t.Errorf("%+v", q)
	}
}

// TestPidOfNobody: systemctl shows 0 for a service that does not run. That is
// not this process.
func TestPidOfNobody(t *testing.T) {
	a := app()
	a.Writer = new(bytes.Buffer)
	if err := a.Run([]string{"vernemq", "tuning", "check", "--connections", "1", "--pid", "0"}); err == nil || !strings.Contains(err.Error(), "proc/0") {
		t.Error(err)
	}
}

// TestHelp: the help that errors point to is there.
func TestHelp(t *testing.T) {
	for _, word := range []string{"--help", "-h", "help"} {
		var b bytes.Buffer
		a := app()
		a.Writer = &b
		if err := a.Run([]string{"vernemq", word}); err != nil || !strings.Contains(b.String(), "run in the foreground") {
			t.Errorf("%s: %v, %s", word, err, &b)
		}
	}
}
