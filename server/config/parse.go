package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Setting is one assignment: a line of a file, or an override.
type Setting struct {
	Key   string
	Value string
	File  string
	Line  int // 0 for an override
	// Environment tells that part of the value comes from an environment
	// variable.
	Environment bool
}

// where names the place of a setting for messages.
func (s Setting) where() string {
	if s.Line == 0 {
		return s.File
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

const (
	maxFile     = 16 << 20 // bytes
	maxLine     = 64 << 10 // bytes
	maxIncludes = 16       // files that include each other
)

// Errors are all that is wrong with a configuration.
type Errors []error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// parser collects the settings of a file and of those that it includes.
type parser struct {
	settings []Setting
	errs     Errors
	open     []string // files being read, to find circles
}

// file reads one file.
func (p *parser) file(path string) {
	if slices.Contains(p.open, path) {
		p.errs = append(p.errs, fmt.Errorf("%s: file includes itself: %s", path, strings.Join(append(p.open, path), " → ")))
		return
	}
	if len(p.open) == maxIncludes {
		p.errs = append(p.errs, fmt.Errorf("%s: more than %d files include each other", path, maxIncludes))
		return
	}
	text, err := readFile(path)
	if err != nil {
		p.errs = append(p.errs, err)
		return
	}
	p.open = append(p.open, path)
	p.text(path, text)
	p.open = p.open[:len(p.open)-1]
}

func readFile(path string) (string, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: file does not exist", path)
	}
	if err == nil && st.Size() > maxFile {
		return "", fmt.Errorf("%s: file is larger than %d bytes", path, maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the configuration: %w", err)
	}
	return string(b), nil
}

// text reads the lines of a file.
func (p *parser) text(path, text string) {
	if !utf8.ValidString(text) {
		line := 1 + strings.Count(validPart(text), "\n")
		p.errs = append(p.errs, fmt.Errorf("%s:%d: file is not UTF-8", path, line))
		return
	}
	text = strings.TrimPrefix(text, "\ufeff")
	s := scanner{path: path, lines: strings.Split(text, "\n")}
	for s.at < len(s.lines) {
		line := strings.TrimSuffix(s.lines[s.at], "\r")
		s.at++
		if err := p.line(&s, line); err != nil {
			p.errs = append(p.errs, err)
		}
	}
}

// validPart is a text up to its first byte that is not UTF-8.
func validPart(text string) string {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD") {
			return text[:i]
		}
	}
	return text
}

// scanner walks through the lines of a file.
type scanner struct {
	path  string
	lines []string
	at    int // next line
}

const blanks = " \t"

// syntax is a syntax error in the line before s.at.
func (s *scanner) syntax(line, rest, why string) error {
	return s.syntaxAt(s.at, len(line)-len(rest)+1, why)
}

func (s *scanner) syntaxAt(line, column int, why string) error {
	//lint:ignore ST1005 the wording that operators know
	return fmt.Errorf("Syntax error in %s after line %d column %d, parsing incomplete: %s", s.path, line, column, why)
}

// line reads one line, and the following ones of a value that goes on.
func (p *parser) line(s *scanner, line string) error {
	if len(line) > maxLine {
		return s.syntaxAt(s.at, 1, fmt.Sprintf("line is longer than %d bytes", maxLine))
	}
	rest := strings.TrimLeft(line, blanks)
	if rest == "" || rest[0] == '#' {
		return nil
	}
	first := s.at
	if after, ok := strings.CutPrefix(rest, "include"); ok && after != "" && strings.ContainsRune(blanks, rune(after[0])) && !strings.HasPrefix(strings.TrimLeft(after, blanks), "=") {
		return p.include(s, line, strings.TrimLeft(after, blanks))
	}
	key, rest := cutKey(rest)
	if key == "" {
		return s.syntax(line, rest, "a key was expected: words of A-Z a-z 0-9 _ - with dots between them")
	}
	rest = strings.TrimLeft(rest, blanks)
	after, ok := strings.CutPrefix(rest, "=")
	if !ok {
		return s.syntax(line, rest, "= was expected after the key "+key)
	}
	value := ""
	if after = strings.TrimLeft(after, blanks); key != mayBeEmpty || after != "" && after[0] != '#' {
		var err error
		if value, err = s.value(line, after); err != nil {
			return err
		}
	}
	p.settings = append(p.settings, Setting{Key: key, Value: value, File: s.path, Line: first})
	return nil
}

// mayBeEmpty is the only key that may stand without a value: it is how metric
// names without a namespace are asked for.
const mayBeEmpty = "prometheus_namespace"

// cutKey takes the key off a line; it is empty when there is none.
func cutKey(s string) (key, rest string) {
	i, word := 0, false
	for i < len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
			word = true
		case c == '\\' && i+1 < len(s) && s[i+1] == '.':
			word = true
			i++
		case c == '.' && word:
			word = false
		default:
			if !word {
				return "", s[i:]
			}
			return s[:i], s[i:]
		}
		i++
	}
	if !word {
		return "", s[i:]
	}
	return s[:i], s[i:]
}

// value reads a value: bare up to a comment, 'quoted', or a block between
// three quotes that may go over several lines.
func (s *scanner) value(line, rest string) (string, error) {
	if block, ok := strings.CutPrefix(rest, "'''"); ok {
		return s.block(block)
	}
	if quoted, ok := strings.CutPrefix(rest, "'"); ok {
		value, after, ok := strings.Cut(quoted, "'")
		if !ok {
			return "", s.syntax(line, rest, "closing ' is missing")
		}
		if after = strings.TrimLeft(after, blanks); after != "" && after[0] != '#' {
			return "", s.syntax(line, after, "nothing but a comment may follow a quoted value")
		}
		return value, nil
	}
	value, _, _ := strings.Cut(rest, "#")
	if value = strings.TrimRight(value, blanks); value == "" {
		return "", s.syntax(line, rest, "value is missing")
	}
	return value, nil
}

// block reads up to the closing three quotes.
func (s *scanner) block(first string) (string, error) {
	begin := s.at
	var b strings.Builder
	for text := first; ; {
		if part, after, ok := strings.Cut(text, "'''"); ok {
			b.WriteString(part)
			if after = strings.TrimSpace(after); after != "" && after[0] != '#' {
				return "", s.syntaxAt(s.at, 1, "nothing but a comment may follow '''")
			}
			return strings.Trim(b.String(), "\r\n"), nil
		}
		b.WriteString(text + "\n")
		if s.at == len(s.lines) {
			return "", s.syntaxAt(begin, 1, "closing ''' is missing")
		}
		text = strings.TrimSuffix(s.lines[s.at], "\r")
		s.at++
	}
}

// include reads the files that a pattern names, in the order of their names. A
// pattern may match nothing; a plain name must exist.
func (p *parser) include(s *scanner, line, rest string) error {
	pattern, _, _ := strings.Cut(rest, "#")
	pattern = strings.TrimRight(pattern, blanks)
	if bad := strings.IndexFunc(pattern, notInPath); bad >= 0 || pattern == "" {
		return s.syntax(line, rest[max(bad, 0):], "include needs a path of A-Z a-z 0-9 - _ . * /")
	}
	full, many := pattern, strings.Contains(pattern, "*")
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(s.path), pattern)
		full = filepath.Join(literal.Replace(filepath.Dir(s.path)), full)
	}
	files, err := filepath.Glob(full)
	if err != nil {
		return s.syntax(line, rest, err.Error())
	}
	if len(files) == 0 && !many {
		return fmt.Errorf("%s:%d: cannot include %s: file does not exist", s.path, s.at, pattern)
	}
	slices.Sort(files)
	for _, f := range files {
		p.file(f)
	}
	return nil
}

// literal lets a directory stand for itself in a pattern.
var literal = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`)

func notInPath(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.*/", r)
}
