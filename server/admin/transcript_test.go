package admin_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vernemq/server/admin/admintest"
	"vernemq/server/admin/output"
)

var update = flag.Bool("update", false, "write the transcripts and documents anew")

func newNode(t testing.TB) *admintest.Node {
	t.Helper()
	n, err := admintest.New("testdata/vernemq.conf")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// words splits a line like a shell would, as far as the transcripts need it.
func words(line string) (out []string) {
	var b strings.Builder
	quoted, any := false, false
	for _, r := range line + " " {
		switch {
		case r == '\'':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if any || b.Len() > 0 {
				out = append(out, b.String())
			}
			b.Reset()
			any = false
		default:
			b.WriteRune(r)
		}
	}
	return out
}

// runLine runs a command line like vmq-admin, and gives what it prints.
func runLine(n *admintest.Node, line string) string {
	patience := 30 * time.Second
	if strings.Contains(line, "trace") {
		patience = 50 * time.Millisecond // nothing else ends it
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out, errors bytes.Buffer
	args := words(line)
	format := output.Human
	if c, err := n.Parse(args); err == nil {
		format = c.Format
	}
	w := output.New(format, &out, &errors, false)
	code, err := n.Run(ctx, args, w)
	if err == nil {
		err = w.Close()
	}
	s := strings.ReplaceAll(out.String(), "\r", "\\r")
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "<no newline at end>\n"
	}
	if errors.Len() > 0 {
		s += "--- stderr\n" + errors.String()
	}
	if err != nil {
		s += fmt.Sprintf("--- error %v\n", err)
	}
	return s + fmt.Sprintf("--- exit %d\n", code)
}

// TestTranscripts runs the commands of testdata/*.txt, each file against a node
// of its own, and compares what they print. The shapes (columns, types, order,
// texts, exit codes) are those of VerneMQ 2.1.2.
func TestTranscripts(t *testing.T) {
	time.Local = time.FixedZone("", 3600)
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			n := newNode(t)
			var got strings.Builder
			for line := range strings.SplitSeq(string(want), "\n") {
				if cmd, ok := strings.CutPrefix(line, "$ vmq-admin "); ok {
					fmt.Fprintf(&got, "%s\n%s\n", line, runLine(n, cmd))
				} else if got.Len() == 0 {
					fmt.Fprintf(&got, "%s\n\n", line)
				}
			}
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got.String() != string(want) {
				t.Errorf("got\n%s", firstDifference(got.String(), string(want)))
			}
		})
	}
}

// firstDifference shows where two texts begin to differ.
func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			from := max(0, i-5)
			return strings.Join(g[from:min(i+3, len(g))], "\n") + "\nwant\n" + strings.Join(w[from:min(i+3, len(w))], "\n")
		}
	}
	return "less than wanted"
}
