package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecurityRefuses: what cannot be used is refused before anything
// connects, and the error names the option.
func TestSecurityRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	none, empty, text := filepath.Join(dir, "none"), file("empty", "\nsecond"), file("text", "secret\r\n")
	for args, want := range map[string]string{
		"run hold --cafile " + text:                        "--cafile needs --tls",
		"run hold --insecure":                              "--insecure needs --tls",
		"run tls --tls=false":                              "the tls case needs --tls",
		"run hold --tls --cafile " + none:                  "the file of --cafile: open " + none,
		"run hold --tls --cafile " + text:                  "--cafile " + text + ": there is no certificate",
		"run hold --tls --cert " + text:                    "both --cert and --key",
		"run hold --tls --key " + text:                     "both --cert and --key",
		"run hold --tls --cert " + text + " --key " + text: "--cert " + text + " with --key " + text,
		"run auth":                                                             "needs a --username",
		"run hold --password x":                                                "--password without --username",
		"run auth --username a --wrong 5":                                      "--wrong 5: 0 to the clients (2000), with a --password",
		"run auth --username a --password b --wrong 2001":                      "--wrong 2001: 0 to the clients (2000)",
		"run auth --username a --password-file " + none:                        "the file of --password-file: open " + none,
		"run auth --username a --password-file " + empty:                       "--password-file " + empty + ": its first line is empty",
		"run auth --username a --password b --password-file " + text:           "--password-file: only one of them",
		"run auth --username a --password-file " + text + " --wrong 1 --qos 1": "flag provided but not defined: -qos",
		"calibrate --pid 1 --cafile " + text:                                   "--cafile needs --tls",
		"calibrate --pid 1 --tls --cert " + text:                               "both --cert and --key",
	} {
		a := app()
		a.Writer, a.ErrWriter = &strings.Builder{}, &strings.Builder{}
		err := a.RunContext(t.Context(), append([]string{"vmq-bench"}, strings.Fields(args)...))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// TestHelpIsComplete: every option of every command says what it is for.
func TestHelpIsComplete(t *testing.T) {
	for _, c := range app().Commands {
		for _, s := range append(c.Subcommands, c) {
			for _, f := range s.VisibleFlags() {
				if _, help, _ := strings.Cut(f.String(), "\t"); strings.TrimSpace(help) == "" {
					t.Errorf("%s %s: no help for %s", c.Name, s.Name, f.Names()[0])
				}
			}
			if s.Usage == "" {
				t.Errorf("%s has no help", s.Name)
			}
		}
	}
}
