package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"vernemq/server/config"
	"vernemq/server/logging"
)

// TestLoggers shows where the log goes: files with their whole path, and no
// file for the console.
func TestLoggers(t *testing.T) {
	t.Chdir(t.TempDir())
	logs, err := logging.Open(config.Log{Console: "both", Level: "info", File: config.LogFile{Path: "console.log"}}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"console": "", "consolefile": filepath.Join(here, "console.log")}
	for _, l := range (adminLog{logs: logs}).Loggers() {
		if l.File != want[l.Name] {
			t.Errorf("%s: file %q, want %q", l.Name, l.File, want[l.Name])
		}
	}
}
