package acl

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func mustParse(t testing.TB, lines ...string) *Table {
	t.Helper()
	table, err := Parse("vmq.acl", []byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestFiles(t *testing.T) {
	long := strings.Repeat("x", maxFilter)
	for name, tt := range map[string]struct {
		text, wrong string
		rules       int
	}{
		"empty":              {"", "", 0},
		"shipped":            {"topic #\n", "", 1},
		"no final newline":   {"topic a\ntopic b", "", 2},
		"CRLF":               {"# c\r\n\r\ntopic a\r\nuser u\r\ntopic a\r\n", "", 2},
		"BOM":                {"\ufefftopic a", "", 1},
		"BOM and comment":    {"\ufeff# a\ntopic a", "", 1},
		"comments":           {"#\n#topic a\n# topic b\n\n  \n\t\ntopic a", "", 1},
		"twice":              {"topic a\ntopic a\ntopic read a\n", "", 1},
		"user twice":         {"user u\ntopic a\nuser v\ntopic b\nuser u\ntopic c", "", 3},
		"user without rules": {"user u\nuser v", "", 0},
		"blanks":             {"topic \t read \t a/b c \t\nuser \t a b \npattern\twrite\t%u", "", 2},
		"longest":            {"topic read " + long, "", 1},
		"longest levels":     {"topic " + strings.Repeat("/", maxFilter), "", 1},
		"long user":          {"user " + long, "", 0},
		"topic named topic":  {"topic topic\ntopic readings\ntopic write write", "", 3},
		"wildcards":          {"topic #\ntopic +\ntopic +/+/#\ntopic /+/\ntopic /#\ntopic $SYS/#\ntopic %u/+", "", 7},

		"leading blank":    {"topic a\n topic b", "f:2: topic, user, pattern or # was expected", 0},
		"unknown word":     {"topic a\ntoken a", "f:2: topic, user, pattern or # was expected", 0},
		"capitals":         {"Topic a", "f:1: topic, user, pattern", 0},
		"joined":           {"topica", "f:1: topic, user, pattern", 0},
		"no filter":        {"topic", "f:1: a topic filter is missing", 0},
		"no filter, CRLF":  {"topic\r\n", "f:1: a topic filter is missing", 0},
		"read alone":       {"topic read", "f:1: a topic filter is missing after read", 0},
		"write alone":      {"pattern write  \n", "f:1: a topic filter is missing after write", 0},
		"no user":          {"user", "f:1: a user name is missing", 0},
		"no user, blank":   {"user  ", "f:1: a user name is missing", 0},
		"deny":             {"topic deny a", "f:1: the word deny is not known here", 0},
		"readwrite":        {"topic a\nuser u\ntopic readwrite a", "f:3: the word readwrite is not known here", 0},
		"# not last":       {"topic a/#/b", "f:1: wildcard in a wrong place", 0},
		"# in a level":     {"topic a#", "f:1: wildcard in a wrong place", 0},
		"+ in a level":     {"topic a/+b", "f:1: wildcard in a wrong place", 0},
		"+ behind a level": {"pattern %u+/a", "f:1: wildcard in a wrong place", 0},
		"comment behind":   {"topic a/b # mine", "f:1: wildcard in a wrong place", 0},
		"too long":         {"topic read x" + long, "f:1: topic filter is longer than 65535 bytes", 0},
		"long line":        {"topic " + long + strings.Repeat(" ", 2000), "f:1: line is longer", 0},
		"user too long":    {"user x" + long, "f:1: user name is longer", 0},
		"not UTF-8":        {"topic a\ntopic \xff", "f:2: line is not UTF-8", 0},
		"U+0000":           {"topic \x00", "f:1: line holds U+0000", 0},
		"CR only":          {"topic a\rtopic b#", "f:1: wildcard", 0},
	} {
		table, err := Parse("f", []byte(tt.text))
		switch {
		case tt.wrong != "":
			if err == nil || !strings.HasPrefix(err.Error(), tt.wrong) || table != nil {
				t.Errorf("%s: %v, want %s", name, err, tt.wrong)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case table.Len() != tt.rules:
			t.Errorf("%s: %d rules, want %d", name, table.Len(), tt.rules)
		}
	}
}

func replace(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestFileKeepsOldTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vmq.acl")
	f := Open(path)
	may := func(topic string) bool { return f.Check("u", "c", "", []byte(topic), Publish) }
	if _, err := f.Reload(); err == nil || may("a") {
		t.Error("a missing file permits something")
	}
	replace(t, path, "topic a")
	if changed, err := f.Reload(); !changed || err != nil || !may("a") {
		t.Error(changed, err)
	}
	replace(t, path, "topic b\ntopic c#")
	if _, err := f.Reload(); err == nil || !strings.HasPrefix(err.Error(), path+":2: ") || !may("a") || may("b") {
		t.Errorf("the old table is not in force after %v", err)
	}
	replace(t, path, "topic b")
	if changed, err := f.Reload(); !changed || err != nil || may("a") || !may("b") {
		t.Error(changed, err)
	}
}

// TestReloadWhileChecking swaps two tables; a check sees one of them whole.
func TestReloadWhileChecking(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vmq.acl")
	texts := []string{"topic a/+\ntopic x/1", "topic a/#\npattern x/%c", "topic a/b\nbad"}
	f := Open(path)
	replace(t, path, texts[0])
	if _, err := f.Reload(); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for !stop.Load() {
				table := f.Table()
				first, second := table.Check("u", "1", "", []byte("a/b/c"), Publish), table.Check("u", "2", "", []byte("x/2"), Subscribe)
				if first != second || !f.Check("u", "1", "", []byte("a/b"), Publish) || !f.Check("u", "1", "", []byte("x/1"), Publish) {
					t.Error("a check failed during a reload")
					return
				}
			}
		})
	}
	for i := range 150 {
		replace(t, path, texts[i%3])
		if _, err := f.Reload(); (err != nil) != (i%3 == 2) {
			t.Error(err)
		}
	}
	stop.Store(true)
	all.Wait()
}
