package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnknownCommand: what is no command is called so.
func TestUnknownCommand(t *testing.T) {
	if err := app().RunContext(t.Context(), []string{"vmq-bench", "pairs"}); err == nil || !strings.Contains(err.Error(), `unknown command "pairs"`) {
		t.Error(err)
	}
}

// TestWritable: a file that cannot be written is known before a run, which
// leaves what is there as it is.
func TestWritable(t *testing.T) {
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, "old"), filepath.Join(dir, "fresh")
	if err := os.WriteFile(old, []byte("result"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"", "-", old, fresh, os.DevNull} {
		if err := writable("json", file); err != nil {
			t.Errorf("%q: %v", file, err)
		}
	}
	if b, err := os.ReadFile(old); err != nil || string(b) != "result" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := os.Stat(fresh); err == nil {
		t.Error("a file is left")
	}
	for _, args := range []string{"run hold --json", "run hold --html", "calibrate --pid 1 --json"} {
		for _, file := range []string{dir, filepath.Join(dir, "none", "file")} {
			w := strings.Fields(args)
			err := app().RunContext(t.Context(), append(append([]string{"vmq-bench"}, w...), file))
			if want := "the file of " + w[len(w)-1]; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
				t.Errorf("%s %s: %v", args, file, err)
			}
		}
	}
}
