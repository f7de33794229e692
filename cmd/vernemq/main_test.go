package main

import (
	"strings"
	"testing"
)

// TestHelp: the messages send people to --help, which lists the commands.
func TestHelp(t *testing.T) {
	for _, option := range []string{"--help", "-h", "help"} {
		var out strings.Builder
		a := app()
		a.Writer = &out
		quiet(a.Commands)
		if err := a.Run([]string{"vernemq", option}); err != nil || !strings.Contains(out.String(), "chkconfig") {
			t.Errorf("%s: %v, %s", option, err, &out)
		}
	}
}
