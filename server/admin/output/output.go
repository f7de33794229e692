// Package output is what a command of vmq-admin answers with, and the forms in
// which a person or a program gets it: tables, JSON, CSV. Answers stream: nobody
// keeps all rows of a table.
package output

import "io"

// Output takes the answer of a command, element by element. An error is that
// of who receives it; the command then ends.
type Output interface {
	// Plain is text that no format changes: usages, lines of a trace.
	Plain(text string) error
	// Text is one line or several.
	Text(text string) error
	// Alert is a text that says what was not done and why.
	Alert(text string) error
	// Table begins a table, whose rows follow.
	Table(columns ...string) error
	// Row gives a cell for each column: a string, an integer, a bool, nil for a
	// field that the row does not have, or Undefined. The slice is not kept.
	Row(cells ...any) error
	// Several tells that more than one element comes. It is called before the
	// first one.
	Several()
}

// Format is a form of output that is written somewhere.
type Format interface {
	Output
	// Close ends the output.
	Close() error
}

type undefined struct{}

// Undefined is the cell of a field that is not set.
var Undefined any = undefined{}

// The formats.
const (
	Human = "human"
	JSON  = "json"
	CSV   = "csv"
)

// New makes the writer of a format. A name that is none gives tables in an
// older style, and a word about it on the error output.
func New(format string, out, errors io.Writer, bold bool) Format {
	switch format {
	case Human, "":
		return &human{w: out, bold: bold}
	case JSON:
		return NewJSON(out)
	case CSV:
		return newCSV(out, errors)
	}
	return &human{w: out, older: true, bad: format, errors: errors}
}

// AllRows writes a whole table.
func AllRows(o Output, columns []string, rows [][]any) error {
	if err := o.Table(columns...); err != nil {
		return err
	}
	for _, r := range rows {
		if err := o.Row(r...); err != nil {
			return err
		}
	}
	return nil
}
