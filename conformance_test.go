package vernemq

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// statements are the numbers of all statements, section by section.
var statements = map[string]string{
	"MQTT 5.0": "1.5.4 1-3; 1.5.5 1; 1.5.7 1; 2.1.3 1; 2.2.1 2-6; 2.2.2 1; 3.1.0 1-2; 3.1.2 1-30; 3.1.3 1-12; 3.1.4 1-6; " +
		"3.2.0 1-2; 3.2.2 1-22; 3.3.1 1-13; 3.3.2 1-20; 3.3.4 1-10; 3.4.2 1-3; 3.5.2 1-3; 3.6.1 1; 3.6.2 1-3; 3.7.2 1-3; " +
		"3.8.1 1; 3.8.3 1-5; 3.8.4 1-8; 3.9.2 1-2; 3.9.3 1-2; 3.10.1 1; 3.10.3 1-2; 3.10.4 1-6; 3.11.2 1-2; 3.11.3 1-2; " +
		"3.12.4 1; 3.14.0 1; 3.14.1 1; 3.14.2 1-4; 3.14.4 1-3; 3.15.1 1; 3.15.2 1-3; 4.1.0 1-2; 4.2 1; 4.3.1 1; 4.3.2 1-5; " +
		"4.3.3 1-13; 4.4.0 1-2; 4.5.0 1-2; 4.6.0 1-6; 4.7.0 1; 4.7.1 1-2; 4.7.2 1; 4.7.3 1-4; 4.8.2 1-6; 4.9.0 1-3; " +
		"4.12.0 1-7; 4.12.1 1-2; 4.13.1 1; 4.13.2 1; 6.0.0 1-4",
	"MQTT 3.1.1": "1.5.3 1-3; 2.2.2 1-2; 2.3.1 1-7; 3.1.0 1-2; 3.1.2 1-24; 3.1.3 1-11; 3.1.4 1-5; 3.2.0 1; 3.2.2 1-6; 3.3.1 1-12; " +
		"3.3.2 1-3; 3.3.4 1; 3.3.5 1-2; 3.6.1 1; 3.8.1 1; 3.8.3 1-4; 3.8.4 1-6; 3.9.3 1-2; 3.10.1 1; 3.10.3 1-2; 3.10.4 1-6; " +
		"3.12.4 1; 3.14.1 1; 3.14.4 1-3; 4.1.0 1-2; 4.3.1 1; 4.3.2 1-2; 4.3.3 1-2; 4.4.0 1; 4.5.0 1-2; 4.6.0 1-6; 4.7.1 1-3; " +
		"4.7.2 1; 4.7.3 1-4; 4.8.0 1-2; 6.0.0 1-4; 7.0.0 1-2; 7.1.1 1; 7.1.2 1",
}

var counts = map[string]int{"MQTT 5.0": 251, "MQTT 3.1.1": 141}

// notYet are the rows that may lack a test, with what has to be built first.
var notYet = map[string]map[string]string{
	"MQTT 5.0":   {},
	"MQTT 3.1.1": {"bridge": "7.0.0 1"},
}

// packages are where the tests are that the document names.
var packages = map[string]string{
	"codec": "codec", "session": "server/session", "server": "server", "e2e": "server/e2e",
	"reactor": "reactor", "trie": "trie", "queue": "queue",
}

// expand gives the identifiers of a list such as "3.1.2 1-3,5; 4.2 1".
func expand(t *testing.T, list string) (out []string) {
	for _, part := range strings.Split(list, "; ") {
		section, numbers, _ := strings.Cut(part, " ")
		for _, r := range strings.Split(numbers, ",") {
			from, to, ok := strings.Cut(r, "-")
			if !ok {
				to = from
			}
			a, err := strconv.Atoi(from)
			b, err2 := strconv.Atoi(to)
			if err != nil || err2 != nil {
				t.Fatalf("%q in %q", r, list)
			}
			for ; a <= b; a++ {
				out = append(out, fmt.Sprintf("MQTT-%s-%d", section, a))
			}
		}
	}
	return out
}

// parts cuts the document into what stands below its headings.
func parts(t *testing.T) map[string]string {
	text, err := os.ReadFile("docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		heading, rest, _ := strings.Cut(part, "\n")
		out[heading] = rest
	}
	return out
}

// rows gives the cells of a table's rows.
func rows(table string) (out [][]string) {
	for _, line := range strings.Split(table, "\n") {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| identifier") {
			continue
		}
		var cells []string
		for _, c := range strings.Split(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(c))
		}
		out = append(out, cells)
	}
	return out
}

var identifier = regexp.MustCompile(`MQTT-[0-9.]+-[0-9]+`)

// TestConformanceDocument: docs/conformance.md has each statement once and names
// tests that exist.
func TestConformanceDocument(t *testing.T) {
	doc := parts(t)
	clients := doc["Statements that a server cannot see broken"]
	for version, list := range statements {
		want := expand(t, list)
		if len(want) != counts[version] {
			t.Fatalf("%s: the test knows %d statements", version, len(want))
		}
		seen := map[string]int{}
		_, line, _ := strings.Cut(clients, "- "+version+":")
		line, _, _ = strings.Cut(line, "\n")
		for _, id := range identifier.FindAllString(line, -1) {
			seen[id]++
		}
		missing := map[string]string{} // what has no test, and why
		for why, l := range notYet[version] {
			for _, id := range expand(t, l) {
				missing[id] = "not yet: " + why + " issue"
			}
		}
		for _, cells := range rows(doc[version]) {
			id, tests := cells[0], cells[len(cells)-1]
			seen[id]++
			if slices.Contains(cells, "") || len(cells) != map[string]int{"MQTT 5.0": 3, "MQTT 3.1.1": 4}[version] {
				t.Errorf("%s %s: %q", version, id, cells)
			}
			if version == "MQTT 3.1.1" {
				equal(t, id, cells[2], expand(t, statements["MQTT 5.0"]))
			}
			why := missing[id]
			delete(missing, id)
			if why != "" || strings.Contains(tests, "not yet") {
				if tests != why {
					t.Errorf("%s %s: %q, want %q", version, id, tests, why)
				}
				continue
			}
			for _, name := range strings.Split(tests, "; ") {
				if err := exists(t, name, version, id); err != nil {
					t.Errorf("%s %s: %v", version, id, err)
				}
			}
		}
		for id := range missing {
			t.Errorf("%s %s: the list of rows without a test names it", version, id)
		}
		for _, id := range want {
			if seen[id] != 1 {
				t.Errorf("%s %s stands there %d times", version, id, seen[id])
			}
			delete(seen, id)
		}
		for _, id := range slices.Sorted(maps.Keys(seen)) {
			t.Errorf("%s has no statement %s", version, id)
		}
	}
}

// equal checks the column with the identifiers of MQTT 5.
func equal(t *testing.T, id, cell string, all []string) {
	if cell == "–" {
		return
	}
	for _, x := range strings.Split(cell, ", ") {
		if !slices.Contains(all, x) {
			t.Errorf("MQTT 3.1.1 %s equals %q", id, x)
		}
	}
}

// exists tells whether a test is there, and a transcript names the statement.
func exists(t *testing.T, name, version, id string) error {
	where, test, _ := strings.Cut(name, ": ")
	dir := packages[where]
	switch {
	case dir == "":
		return fmt.Errorf("unknown package in %q", name)
	case strings.HasSuffix(test, ".txt") && where == "session":
		return cites(filepath.Join(dir, "testdata", test), version, id)
	case !functions(t, dir)[test]:
		return fmt.Errorf("no test %q", name)
	}
	return nil
}

// cites tells whether a comment of a transcript has the statement in brackets,
// with v3.1.1 before it or not.
func cites(file, version, id string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		for rest, old := line, false; ; {
			before, after, found := strings.Cut(rest, "["+id+"]")
			if !found {
				break
			}
			old = strings.HasSuffix(before, "v3.1.1 ")
			if old == (version == "MQTT 3.1.1") {
				return nil
			}
			rest = after
		}
	}
	return fmt.Errorf("%s does not cite %s", file, id)
}

var known = map[string]map[string]bool{}

// functions gives the test functions of a package.
func functions(t *testing.T, dir string) map[string]bool {
	if f := known[dir]; f != nil {
		return f
	}
	known[dir] = map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				known[dir][fn.Name.Name] = true
			}
		}
	}
	return known[dir]
}
