package config

import (
	"os"
	"path/filepath"
	"testing"
)

// A node is found by its configuration, good or bad.
func TestLocate(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dirs := DirsOf(base)
	for _, c := range []struct {
		name, text string
		overrides  []string
		want       Place
		wrong      bool
	}{
		{"defaults", "listener.tcp.default = 127.0.0.1:1883\n", nil, Place{dirs.Data, "VerneMQ@127.0.0.1"}, false},
		{"set", "listener.tcp.default = 127.0.0.1:1883\nplatform_data_dir = d\nnodename = n@h\n", nil, Place{filepath.Join(base, "d"), "n@h"}, false},
		{"wrong", "platform_data_dir = /d\nnonsense\nretry_interval = x\nnodename = n@h\n", nil, Place{"/d", "n@h"}, true},
		{"wrong name", "platform_data_dir = /d\nnodename = n\n", nil, Place{"/d", "VerneMQ@127.0.0.1"}, true},
		{"wrong flag", "platform_data_dir = /d\n", []string{"x", "platform_data_dir=/e"}, Place{"/e", "VerneMQ@127.0.0.1"}, true},
		{"no file", "", nil, Place{"", "VerneMQ@127.0.0.1"}, true},
	} {
		file := filepath.Join(base, c.name)
		if c.text != "" {
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Locate(file, c.overrides, dirs)
		if got != c.want || (err != nil) != c.wrong {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}
