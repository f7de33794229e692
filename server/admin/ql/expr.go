package ql

import (
	"fmt"
	"regexp"
	"strings"
)

// Op is an operator of a comparison.
type Op string

// The operators.
const (
	Equal        Op = "="
	NotEqual     Op = "!="
	Less         Op = "<"
	LessEqual    Op = "=<"
	Greater      Op = ">"
	GreaterEqual Op = ">="
	Match        Op = "MATCH"
)

// Expr is a condition on a row: a comparison, or conditions joined by AND or
// OR.
type Expr struct {
	Join  string // "AND", "OR", or "" for a comparison
	Parts []*Expr

	Field string
	Op    Op
	Value string // text of the literal
	Other string // a field instead of a literal
}

// And joins conditions; none of them is no condition.
func And(parts ...*Expr) *Expr {
	if len(parts) == 0 {
		return nil
	}
	return &Expr{Join: "AND", Parts: parts}
}

// Fields yields the names of all fields of a condition.
func (e *Expr) Fields(yield func(string)) {
	if e == nil {
		return
	}
	for _, p := range e.Parts {
		p.Fields(yield)
	}
	if e.Field != "" {
		yield(e.Field)
	}
	if e.Other != "" {
		yield(e.Other)
	}
}

// Exact gives the text that a field must be equal to wherever the condition
// holds, if that is so.
func (e *Expr) Exact(field string) (text string, ok bool) {
	switch {
	case e == nil || e.Join == "OR":
		return "", false
	case e.Join == "" && e.Field == field && e.Op == Equal && e.Other == "":
		return e.Value, true
	}
	for _, p := range e.Parts {
		if text, ok = p.Exact(field); ok {
			return text, true
		}
	}
	return "", false
}

// Predicate tells whether a row fulfils a condition.
type Predicate[R any] func(row R) bool

// Columns are the fields that rows of type R have.
type Columns[R any] map[string]Column[R]

// Column is one field: its type, and its value in a row.
type Column[R any] struct {
	Kind Kind
	Get  func(row R) Value
}

// UnknownField is the error of a field that a table does not have.
type UnknownField string

func (f UnknownField) Error() string { return fmt.Sprintf("unknown field %q", string(f)) }

// BadPattern is the error of a regular expression.
type BadPattern struct {
	Field, Pattern string
	Cause          error
}

func (p *BadPattern) Error() string {
	return fmt.Sprintf("bad pattern %q for %s: %v", p.Pattern, p.Field, p.Cause)
}

func (p *BadPattern) Unwrap() error { return p.Cause }

// Compile makes a predicate of a condition; without one every row fulfils it.
func (c Columns[R]) Compile(e *Expr) (Predicate[R], error) {
	switch {
	case e == nil:
		return func(R) bool { return true }, nil
	case e.Join == "":
		return c.comparison(e)
	}
	parts := make([]Predicate[R], 0, len(e.Parts))
	for _, x := range e.Parts {
		p, err := c.Compile(x)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	any := e.Join == "OR"
	return func(row R) bool {
		for _, p := range parts {
			if p(row) == any {
				return any
			}
		}
		return !any
	}, nil
}

func (c Columns[R]) comparison(e *Expr) (Predicate[R], error) {
	col, ok := c[e.Field]
	if !ok {
		return nil, UnknownField(e.Field)
	}
	if e.Op == Match {
		re, err := regexp.Compile(e.Value)
		if err != nil {
			return nil, &BadPattern{e.Field, e.Value, err}
		}
		return func(row R) bool {
			v := col.Get(row)
			return v.Kind == String && re.MatchString(v.S)
		}, nil
	}
	if e.Other != "" {
		other, ok := c[e.Other]
		if !ok {
			return nil, UnknownField(e.Other)
		}
		return func(row R) bool { return e.Op.holds(col.Get(row), other.Get(row)) }, nil
	}
	if e.Value == "undefined" && (e.Op == Equal || e.Op == NotEqual) {
		want := e.Op == Equal
		return func(row R) bool {
			v := col.Get(row)
			return (v.missing() || v.Kind == String && v.S == "undefined") == want
		}, nil
	}
	want, ok := col.Kind.Parse(e.Value)
	if !ok {
		never := e.Op == NotEqual
		return func(R) bool { return never }, nil
	}
	return func(row R) bool { return e.Op.holds(col.Get(row), want) }, nil
}

// holds compares two values. What is missing equals nothing and is neither
// less nor greater.
func (op Op) holds(a, b Value) bool {
	if a.Kind != b.Kind || a.missing() {
		return op == NotEqual
	}
	c := Compare(a, b)
	switch op {
	case Equal:
		return c == 0
	case NotEqual:
		return c != 0
	case Less:
		return c < 0
	case LessEqual:
		return c <= 0
	case Greater:
		return c > 0
	}
	return c >= 0
}

// String gives the condition in the language.
func (e *Expr) String() string {
	if e == nil {
		return ""
	}
	if e.Join != "" {
		parts := make([]string, len(e.Parts))
		for i, p := range e.Parts {
			parts[i] = p.String()
		}
		return "(" + strings.Join(parts, " "+e.Join+" ") + ")"
	}
	if e.Other != "" {
		return e.Field + " " + string(e.Op) + " " + e.Other
	}
	return e.Field + " " + string(e.Op) + " " + quote(e.Value)
}
