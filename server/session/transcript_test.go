package session

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the transcripts anew from what the sessions do")

// TestTranscripts runs the transcripts in testdata. A line that begins with
// "> " is a command to the world of world_test.go; the lines behind it are all
// that it led to. With -update the answers are written anew: read the
// difference before you believe it.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := firstDifference(got, string(want)); d != "" {
				t.Error(d)
			}
		})
	}
}

// replay runs the commands of a transcript and gives the transcript that comes
// of it. "> new" begins with a fresh world.
func replay(t *testing.T, text string) string {
	var out bytes.Buffer
	w := newWorld()
	for n, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
		case line == "> new":
			w.check(t, n)
			w = newWorld()
			fmt.Fprintln(&out, line)
		case strings.HasPrefix(line, "> "):
			fmt.Fprintln(&out, line)
			if err := w.run(strings.Fields(line[2:])); err != nil {
				t.Fatalf("line %d: %s: %v", n+1, line, err)
			}
			for _, said := range w.said {
				fmt.Fprintln(&out, said)
			}
			w.said = nil
		}
	}
	w.check(t, strings.Count(text, "\n"))
	return out.String()
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(end)", "(end)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return fmt.Sprintf("line %d:\n got  %s\n want %s", i+1, a, b)
		}
	}
	return ""
}
