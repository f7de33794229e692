package output

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// human writes tables with borders. It keeps a block of rows to find the
// widths of their columns; if a later block needs more, its columns are wider
// from there on.
type human struct {
	w     io.Writer
	bold  bool
	older bool // VerneMQ's style before 1.11: centred, borders around header and table only

	bad    string // name of a format that there is not
	errors io.Writer

	columns []string
	header  bool // is written
	widths  []int
	rows    [][]string
	size    int // bytes in rows
}

// A block has at most so many rows and bytes.
const (
	blockRows  = 1000
	blockBytes = 1 << 20
)

func (h *human) Several() {}

func (h *human) Plain(text string) error { return h.text(text) }
func (h *human) Alert(text string) error { return h.text(text) }

func (h *human) Text(text string) error { return h.text(text) }

func (h *human) text(text string) error {
	if err := h.endTable(); err != nil {
		return err
	}
	_, err := io.WriteString(h.w, printable(text)+"\n")
	return err
}

func (h *human) Table(columns ...string) error {
	if err := h.endTable(); err != nil {
		return err
	}
	h.columns, h.header = columns, false
	h.widths = make([]int, len(columns))
	for i, c := range columns {
		h.widths[i] = utf8.RuneCountInString(c)
	}
	return nil
}

func (h *human) Row(cells ...any) error {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = printable(cellText(c))
		h.size += len(row[i])
	}
	h.rows = append(h.rows, row)
	if len(h.rows) < blockRows && h.size < blockBytes {
		return nil
	}
	return h.block()
}

// block writes the rows that are kept.
func (h *human) block() error {
	wider := false
	for _, r := range h.rows {
		for i, cell := range r {
			for line := range strings.SplitSeq(cell, "\n") {
				if n := utf8.RuneCountInString(line); n > h.widths[i] {
					h.widths[i], wider = n, true
				}
			}
		}
	}
	var b bytes.Buffer
	switch {
	case !h.header:
		h.border(&b)
		h.line(&b, h.columns, true)
		h.border(&b)
	case wider:
		h.border(&b)
	}
	h.header = true
	for _, r := range h.rows {
		h.row(&b, r)
	}
	h.rows, h.size = h.rows[:0], 0
	_, err := h.w.Write(b.Bytes())
	return err
}

// row writes a row, in as many lines as its cells have.
func (h *human) row(b *bytes.Buffer, cells []string) {
	lines := make([][]string, len(cells))
	height := 1
	for i, c := range cells {
		lines[i] = strings.Split(c, "\n")
		height = max(height, len(lines[i]))
	}
	line := make([]string, len(cells))
	for n := range height {
		for i := range cells {
			line[i] = ""
			if n < len(lines[i]) {
				line[i] = lines[i][n]
			}
		}
		h.line(b, line, false)
	}
	if !h.older {
		h.border(b)
	}
}

func (h *human) line(b *bytes.Buffer, cells []string, header bool) {
	for i, c := range cells {
		b.WriteByte('|')
		left, right := 1, 1
		if free := h.widths[i] - utf8.RuneCountInString(c); h.older {
			left, right = free/2, free-free/2
		} else {
			right += free
		}
		pad(b, ' ', left)
		if header && h.bold {
			c = "\x1b[1m" + c + "\x1b[0m"
		}
		b.WriteString(c)
		pad(b, ' ', right)
	}
	b.WriteString("|\n")
}

func (h *human) border(b *bytes.Buffer) {
	for _, w := range h.widths {
		if !h.older {
			w += 2
		}
		b.WriteByte('+')
		pad(b, '-', w)
	}
	b.WriteString("+\n")
}

func pad(b *bytes.Buffer, c byte, n int) {
	for range n {
		b.WriteByte(c)
	}
}

// endTable writes what is left of a table. One without rows shows nothing.
func (h *human) endTable() error {
	if len(h.rows) > 0 {
		if err := h.block(); err != nil {
			return err
		}
	}
	if h.header && h.older {
		var b bytes.Buffer
		h.border(&b)
		b.WriteByte('\n')
		h.header = false
		_, err := h.w.Write(b.Bytes())
		return err
	}
	h.header = false
	return nil
}

func (h *human) Close() error {
	err := h.endTable()
	if h.bad != "" {
		fmt.Fprintf(h.errors, "\nInvalid format %q! Defaulted to human-readable.\n\n", h.bad)
	}
	return err
}
