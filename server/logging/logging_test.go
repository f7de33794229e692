package logging

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	var b bytes.Buffer
	log, closer, err := Open(Options{Console: "console", Level: "info"}, &b)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	log.Debug("not seen")
	log.With("loop", 1).Warn("client stopped", "client", "a b", "cause", "x\ny=1", "empty", "")
	want := `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 \[warning\] client stopped loop=1 client="a b" cause="x\\ny=1" empty=""\n$`
	if !regexp.MustCompile(want).MatchString(b.String()) {
		t.Errorf("%q", b.String())
	}
}

// TestForgery lets a client name hold line breaks: one record stays one line.
func TestForgery(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		log, _, err := Open(Options{Console: "console", ConsoleFormat: format}, &b)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("bad\nmessage", "client", "a\n2026-11-22T09:42:03.134049+00:00 [error] forged\u2028x")
		if strings.Count(b.String(), "\n") != 1 {
			t.Errorf("%s: %q", format, b.String())
		}
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	log, _, err := Open(Options{Console: "console", ConsoleFormat: "json", Level: "debug"}, &b)
	if err != nil {
		t.Fatal(err)
	}
	log.Error("failed", "n", 3, "ok", true, "who", "x")
	var m map[string]any
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	if m["level"] != "error" || m["msg"] != "failed" || m["n"] != 3.0 || m["ok"] != true || m["who"] != "x" || m["time"].(float64) < 1e15 {
		t.Errorf("%v", m)
	}
}

func TestBoth(t *testing.T) {
	var b bytes.Buffer
	path := filepath.Join(t.TempDir(), "new", "console.log")
	log, closer, err := Open(Options{Console: "both", File: path, Level: "warning"}, &b)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("quiet")
	log.Warn("loud")
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "loud") || strings.Contains(string(text), "quiet") || b.String() != string(text) {
		t.Errorf("%v: file %q, console %q", err, text, b.String())
	}
	if _, _, err := Open(Options{Console: "file", File: "/proc/nope/x.log"}, &b); err == nil {
		t.Error("an impossible file gives no error")
	}
	if log, _, err := Open(Options{Console: "off"}, &b); err != nil || log.Enabled(t.Context(), 100) {
		t.Errorf("off: %v", err)
	}
}
