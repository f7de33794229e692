package acl

import (
	"bytes"
	"errors"
	"fmt"

	"vernemq/server/plugin/reload"
)

const (
	maxFilter = 65535               // bytes of a filter in MQTT
	maxLine   = maxFilter + 1<<10   // with the words before it, and blanks
	blanks    = " \t"               // around words
	both      = Publish | Subscribe // what a line without read or write gives
)

// Parse makes a table of the text of an ACL file. A bad line is an error that
// names the file and the line.
func Parse(name string, text []byte) (*Table, error) {
	if len(text) > reload.MaxSize {
		return nil, fmt.Errorf("%s: file is larger than %d bytes", name, reload.MaxSize)
	}
	b := newBuilder()
	p := parser{builder: b, owner: everybody}
	for line := range reload.Lines(text) {
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line.Number, err)
		}
	}
	return b.table(), nil
}

// parser reads statements into a builder.
type parser struct {
	*builder
	owner uint32 // the tree that topic lines go to
}

var errWord = errors.New("topic, user, pattern or # was expected at the start of the line")

func (p *parser) line(line reload.Line) error {
	if err := line.Check(maxLine); err != nil {
		return err
	}
	text := bytes.TrimRight(line.Text, blanks)
	if len(text) == 0 || text[0] == '#' {
		return nil
	}
	word, rest := cutWord(text)
	switch string(word) {
	case "topic":
		return p.rule(p.owner, rest)
	case "pattern":
		return p.rule(patterns, rest)
	case "user":
		return p.user(rest)
	}
	return errWord
}

// cutWord takes the first word off a text, and the blanks behind it.
func cutWord(text []byte) (word, rest []byte) {
	i := bytes.IndexAny(text, blanks)
	if i < 0 {
		return text, nil
	}
	return text[:i], bytes.TrimLeft(text[i:], blanks)
}

// user opens the section of a user; a second one adds to the first.
func (p *parser) user(name []byte) error {
	switch {
	case len(name) == 0:
		return errors.New("a user name is missing")
	case len(name) > maxFilter:
		return fmt.Errorf("user name is longer than %d bytes", maxFilter)
	}
	p.owner = p.child(users, name)
	return nil
}

// rule reads [read|write] FILTER.
func (p *parser) rule(root uint32, text []byte) error {
	access := both
	word, rest := cutWord(text)
	switch string(word) {
	case "":
		return errors.New("a topic filter is missing")
	case "read":
		access, text = Subscribe, rest
	case "write":
		access, text = Publish, rest
	case "deny", "readwrite":
		// For VerneMQ they are part of the filter. Whoever comes from another broker
		// must not be left to believe that something is denied.
		return fmt.Errorf("the word %s is not known here: nothing is permitted but what a line permits", word)
	}
	if len(text) == 0 {
		return fmt.Errorf("a topic filter is missing after %s", word)
	}
	if err := validFilter(text); err != nil {
		return err
	}
	p.add(root, text, access)
	return nil
}

func validFilter(filter []byte) error {
	if len(filter) > maxFilter {
		return fmt.Errorf("topic filter is longer than %d bytes", maxFilter)
	}
	if !wellFormed(filter) {
		return errors.New("wildcard in a wrong place of the topic filter: + and # are whole levels, # is the last one")
	}
	return nil
}

// wellFormed tells whether a filter has its wildcards where they may be. What
// has none is well formed.
func wellFormed(filter []byte) bool {
	for i, c := range filter {
		switch c {
		case '#':
			if i != len(filter)-1 || i > 0 && filter[i-1] != '/' {
				return false
			}
		case '+':
			if i > 0 && filter[i-1] != '/' || i < len(filter)-1 && filter[i+1] != '/' {
				return false
			}
		}
	}
	return true
}
