package main

import (
	"bytes"
	"os"
	"path/filepath"
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

// TestUnitSees: the unit does not hide the files that the configuration names.
func TestUnitSees(t *testing.T) {
	for name, value := range map[string]string{"vmq_acl.acl_file": "/root/acl", "vmq_passwd.password_file": "/home/x/passwd", "log.console.file": "/home/x/log",
		"leveldb_message_store.directory": "/home/x/store", "listener.ssl.x.certfile": "/root/cert.pem", "listener.https.x.cafile": "/root/ca.pem"} {
		cfg := filepath.Join(t.TempDir(), "vernemq.conf")
		text := "listener.ssl.x = 127.0.0.1:0\nlistener.https.x = 127.0.0.1:0\nlistener.ssl.certfile = /c\nlistener.https.certfile = /c\n" + name + " = " + value + "\n"
		if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := config.Load(cfg, nil, config.DirsOf("/"))
		if err != nil {
			t.Fatal(err)
		}
		if u := (tuning.Unit{Others: pathsOf(l.Config)}); u.ProtectHome() != "no" {
			t.Errorf("%s = %s is hidden", name, value)
		}
	}
}
