// Package ql is the query language of vmq-admin:
//
//	SELECT f1,f2|* FROM table [WHERE expr] [ORDER BY f] [LIMIT n] [ROWTIMEOUT ms]
//
// Keywords are upper case. An expr joins comparisons with AND, OR and
// parentheses; the operators are = != < =< > >= MATCH; a literal is an integer, a
// float, true, false, a "string" or the name of a field. Pure.
package ql

import (
	"cmp"
	"strconv"
	"strings"
)

// Kind is the type of a value or of a field.
type Kind uint8

// The kinds. Null is a field that a row does not have, Undefined one that is
// not set.
const (
	Null Kind = iota
	Undefined
	String
	Int
	Bool
)

// Value is the value of a field in a row.
type Value struct {
	Kind Kind
	S    string // of a String
	N    int64  // of an Int; 1 for true
}

// Text makes a String.
func Text(s string) Value { return Value{Kind: String, S: s} }

// Number makes an Int.
func Number(n int64) Value { return Value{Kind: Int, N: n} }

// Flag makes a Bool.
func Flag(b bool) Value {
	if b {
		return Value{Kind: Bool, N: 1}
	}
	return Value{Kind: Bool}
}

// Cell gives the value as a table shows it: nil, undefined, string, int64 or
// bool.
func (v Value) Cell(undefined any) any {
	switch v.Kind {
	case Undefined:
		return undefined
	case String:
		return v.S
	case Int:
		return v.N
	case Bool:
		return v.N != 0
	}
	return nil
}

func (v Value) missing() bool { return v.Kind <= Undefined }

// Compare orders values: those that are missing come first, then numbers, then
// truth values, then text.
func Compare(a, b Value) int {
	rank := func(v Value) int {
		switch v.Kind {
		case Int:
			return 1
		case Bool:
			return 2
		case String:
			return 3
		}
		return 0
	}
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	if a.Kind == String {
		return strings.Compare(a.S, b.S)
	}
	if a.missing() {
		return 0
	}
	return cmp.Compare(a.N, b.N)
}

// Parse makes a value of a text, by the type of the field that it is compared
// with. ok is false when the field can never have it.
func (k Kind) Parse(text string) (v Value, ok bool) {
	switch k {
	case Int:
		n, err := strconv.ParseInt(text, 10, 64)
		return Number(n), err == nil
	case Bool:
		return Flag(text == "true"), text == "true" || text == "false"
	}
	return Text(text), true
}
