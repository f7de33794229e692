package interop

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// script is a file of testdata.
type script struct {
	settings []string // KEY = VALUE
	cases    []testCase
}

// testCase is one conversation.
type testCase struct {
	title  string
	levels []byte
	lines  []line
}

// line is one line of a case.
type line struct {
	file     string
	number   int
	versions string // "" = all
	client   string // "-" for none
	verb     string
	what     string
}

func (l *line) String() string {
	return fmt.Sprintf("%s:%d: %s %s %s", l.file, l.number, l.client, l.verb, l.what)
}

var (
	titleLine = regexp.MustCompile(`^= (.*) ([345bc]+)$`)
	caseLine  = regexp.MustCompile(`^(?:([345]+)\| *)?(-|[a-z]+) ([a-z]+|>[0-9]*|<\*?)(?: +(.*))?$`)
)

// levelOf are the protocol levels by their letters.
var levelOf = map[string]byte{"3": 3, "4": 4, "5": 5, "b": 131, "c": 132}

// readScript reads a file. The error names the line that is wrong.
func readScript(file string) (s *script, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s = new(script)
	for i, text := range strings.Split(string(text), "\n") {
		if text == "" || text[0] == '#' {
			continue
		}
		if err := s.take(file, i+1, text); err != nil {
			return nil, fmt.Errorf("%s:%d: %w: %s", file, i+1, err, text)
		}
	}
	return s, nil
}

func (s *script) take(file string, number int, text string) error {
	if set, ok := strings.CutPrefix(text, "set "); ok {
		s.settings = append(s.settings, set)
		return nil
	}
	if m := titleLine.FindStringSubmatch(text); m != nil {
		c := testCase{title: m[1]}
		for _, letter := range m[2] {
			c.levels = append(c.levels, levelOf[string(letter)])
		}
		s.cases = append(s.cases, c)
		return nil
	}
	m := caseLine.FindStringSubmatch(text)
	switch {
	case m == nil:
		return fmt.Errorf("neither a title with versions nor a line of a case")
	case len(s.cases) == 0:
		return fmt.Errorf("line before the first case")
	case verbs[m[3]] == nil && !strings.HasPrefix(m[3], ">"):
		return fmt.Errorf("unknown verb %q", m[3])
	case (m[2] == "-") != (m[3] == "wait"):
		return fmt.Errorf("wait has the client -, and nothing else has")
	}
	c := &s.cases[len(s.cases)-1]
	c.lines = append(c.lines, line{file, number, m[1], m[2], m[3], m[4]})
	return nil
}
