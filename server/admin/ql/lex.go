package ql

import (
	"fmt"
	"strings"
)

// tokenKind is what a token is.
type tokenKind uint8

const (
	end tokenKind = iota
	word
	numeric
	quoted
	sign
)

// parser walks through the tokens of a query. next takes one, accept takes it
// only if it is a certain one.
type parser struct {
	text  string
	at    int
	token string // without quotes
	kind  tokenKind
	err   error
}

func (p *parser) accept(want string) bool {
	before := *p
	p.next()
	if p.err == nil && (p.kind == word || p.kind == sign) && p.token == want {
		return true
	}
	*p = before
	return false
}

func (p *parser) unexpected(want string) error {
	switch {
	case p.err != nil:
		return p.err
	case p.kind == end:
		return fmt.Errorf("%s was expected at the end", want)
	}
	return fmt.Errorf("%s was expected before %q", want, p.token)
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

func (p *parser) next() {
	p.token, p.kind, p.err = "", end, nil
	rest := strings.TrimLeft(p.text[p.at:], " \t\r\n")
	p.at = len(p.text) - len(rest)
	if rest == "" {
		return
	}
	switch c := rest[0]; {
	case c == '"':
		p.quotedText(rest)
	case strings.IndexByte("0123456789-", c) >= 0:
		p.take(numeric, rest, 1+span(rest[1:], "0123456789."))
	case strings.IndexByte(letters, c) >= 0:
		p.take(word, rest, span(rest, letters))
	default:
		n := 1
		for _, s := range []string{"!=", "=<", ">="} {
			if strings.HasPrefix(rest, s) {
				n = 2
			}
		}
		p.take(sign, rest, n)
	}
}

func span(s, chars string) int { return len(s) - len(strings.TrimLeft(s, chars)) }

func (p *parser) take(k tokenKind, rest string, n int) {
	p.kind, p.token = k, rest[:n]
	p.at += n
}

// quotedText takes a string. A backslash makes the next byte an ordinary one.
func (p *parser) quotedText(rest string) {
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			p.kind, p.token = quoted, b.String()
			p.at += i + 1
			return
		case c == '\\' && i+1 < len(rest):
			i++
			b.WriteByte(rest[i])
		default:
			b.WriteByte(c)
		}
	}
	p.at = len(p.text)
	p.err = fmt.Errorf("the closing \" is missing")
}

// quote writes a text as a literal.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
