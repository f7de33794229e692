package ql

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Query is a parsed query.
type Query struct {
	Fields     []string // in their order; none for *
	From       string
	Where      *Expr
	OrderBy    string
	Limit      int // -1: not given
	RowTimeout int // milliseconds; -1: not given
}

// maxDepth bounds how deep parentheses may nest.
const maxDepth = 100

// Parse reads a query.
func Parse(text string) (*Query, error) {
	p := &parser{text: text}
	q := &Query{Limit: -1, RowTimeout: -1}
	err := p.query(q)
	if err == nil {
		p.next()
		if p.err == nil && p.kind != end {
			p.err = p.unexpected("the end")
		}
		err = p.err
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the query: %w", err)
	}
	return q, nil
}

func (p *parser) query(q *Query) error {
	if err := p.keyword("SELECT"); err != nil {
		return err
	}
	if err := p.fields(q); err != nil {
		return err
	}
	if err := p.keyword("FROM"); err != nil {
		return err
	}
	var err error
	if q.From, err = p.name(); err != nil {
		return err
	}
	if p.accept("WHERE") {
		if q.Where, err = p.or(0); err != nil {
			return err
		}
	}
	if p.accept("ORDER") {
		if err := p.keyword("BY"); err != nil {
			return err
		}
		if q.OrderBy, err = p.name(); err != nil {
			return err
		}
	}
	if p.accept("LIMIT") {
		if q.Limit, err = p.number(); err != nil {
			return err
		}
	}
	if p.accept("ROWTIMEOUT") {
		q.RowTimeout, err = p.number()
	}
	return err
}

func (p *parser) fields(q *Query) error {
	if p.accept("*") {
		return nil
	}
	for {
		f, err := p.name()
		if err != nil {
			return err
		}
		q.Fields = append(q.Fields, f)
		if !p.accept(",") {
			return nil
		}
	}
}

// or reads conditions joined by OR, which binds less than AND.
func (p *parser) or(depth int) (*Expr, error) { return p.joined("OR", depth, p.and) }

func (p *parser) and(depth int) (*Expr, error) { return p.joined("AND", depth, p.condition) }

func (p *parser) joined(word string, depth int, part func(int) (*Expr, error)) (*Expr, error) {
	first, err := part(depth)
	if err != nil || !p.accept(word) {
		return first, err
	}
	e := &Expr{Join: word, Parts: []*Expr{first}}
	for {
		x, err := part(depth)
		if err != nil {
			return nil, err
		}
		if e.Parts = append(e.Parts, x); !p.accept(word) {
			return e, nil
		}
	}
}

var errDepth = errors.New("parentheses nest too deep")

func (p *parser) condition(depth int) (*Expr, error) {
	if !p.accept("(") {
		return p.comparison()
	}
	if depth == maxDepth {
		return nil, errDepth
	}
	e, err := p.or(depth + 1)
	if err == nil {
		err = p.keyword(")")
	}
	return e, err
}

func (p *parser) comparison() (*Expr, error) {
	field, err := p.name()
	if err != nil {
		return nil, err
	}
	e := &Expr{Field: field}
	for _, op := range []Op{Equal, NotEqual, LessEqual, Less, GreaterEqual, Greater, Match} {
		if p.accept(string(op)) {
			e.Op = op
			break
		}
	}
	if e.Op == "" {
		p.next()
		return nil, p.unexpected("an operator")
	}
	p.next()
	switch {
	case p.kind == quoted || p.kind == numeric || p.kind == word && (p.token == "true" || p.token == "false"):
		e.Value = p.token
	case p.kind == word && e.Op != Match && isName(p.token):
		e.Other = p.token
	default:
		return nil, p.unexpected("a value")
	}
	return e, nil
}

func (p *parser) keyword(want string) error {
	if !p.accept(want) {
		p.next()
		return p.unexpected(want)
	}
	return nil
}

func (p *parser) name() (string, error) {
	p.next()
	if p.kind != word || !isName(p.token) {
		return "", p.unexpected("the name of a field or table")
	}
	return p.token, nil
}

func (p *parser) number() (int, error) {
	p.next()
	n, err := strconv.Atoi(p.token)
	if p.kind != numeric || err != nil || n < 0 {
		return 0, p.unexpected("a number")
	}
	return n, nil
}

// isName tells a name from a keyword.
func isName(w string) bool {
	return w[0] >= 'a' && w[0] <= 'z' && strings.Trim(w, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
