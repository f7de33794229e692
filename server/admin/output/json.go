package output

import (
	"bufio"
	"encoding/json"
	"io"
	"strconv"
	"unicode/utf8"
)

// jsonWriter writes one element as an object, several as an array of objects.
type jsonWriter struct {
	w       *bufio.Writer
	buf     []byte
	columns [][]byte // as keys, with the colon
	several bool
	count   int  // elements begun
	plain   bool // something else was written
	table   bool // the last one is a table, still open
	rows    int
}

// NewJSON writes JSON.
func NewJSON(w io.Writer) Format { return &jsonWriter{w: bufio.NewWriter(w)} }

func (j *jsonWriter) Several() { j.several = true }

// Plain is for who reads a terminal; lines of a trace are all that comes here.
func (j *jsonWriter) Plain(text string) error {
	j.plain = true
	j.raw(printable(text) + "\n")
	return j.w.Flush()
}

func (j *jsonWriter) raw(s string) { _, _ = j.w.WriteString(s) } // the writer keeps its error

// begin starts an element.
func (j *jsonWriter) begin() {
	j.endTable()
	switch {
	case j.several && j.count == 0:
		j.raw("[")
	case j.several:
		j.raw(",")
	}
	j.count++
}

func (j *jsonWriter) Text(text string) error {
	j.begin()
	j.text(text)
	return j.w.Flush()
}

func (j *jsonWriter) text(text string) {
	j.buf = AppendString(append(j.buf[:0], `{"text":`...), text)
	j.raw(string(append(j.buf, `,"type":"text"}`...)))
}

func (j *jsonWriter) Alert(text string) error {
	j.begin()
	j.raw(`{"alert":[`)
	j.text(text)
	j.raw(`],"type":"alert"}`)
	return j.w.Flush()
}

func (j *jsonWriter) Table(columns ...string) error {
	j.begin()
	j.table, j.rows, j.columns = true, 0, nil
	for _, c := range columns {
		j.columns = append(j.columns, append(AppendString(nil, c), ':'))
	}
	j.raw(`{"table":[`)
	return nil
}

func (j *jsonWriter) Row(cells ...any) error {
	b := j.buf[:0]
	if j.rows > 0 {
		b = append(b, ',')
	}
	j.rows++
	b = append(b, '{')
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCell(append(b, j.columns[i]...), c)
	}
	j.buf = append(b, '}')
	_, err := j.w.Write(j.buf)
	return err
}

func (j *jsonWriter) endTable() {
	if j.table {
		j.raw(`],"type":"table"}`)
		j.table = false
	}
}

func (j *jsonWriter) Close() error {
	j.endTable()
	switch {
	case j.several && j.count > 0:
		j.raw("]\n")
	case j.count == 0 && !j.plain:
		j.raw("[]\n")
	}
	return j.w.Flush()
}

func appendCell(b []byte, v any) []byte {
	switch x := v.(type) {
	case nil, undefined:
		return append(b, "null"...)
	case string:
		return AppendString(b, x)
	case bool:
		return strconv.AppendBool(b, x)
	case int64:
		return strconv.AppendInt(b, x, 10)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return AppendString(b, cellText(v))
	}
	return append(b, text...)
}

// AppendString writes a JSON string. Control characters are escaped, UTF-8
// stays as it is, and bytes that are none become U+FFFD.
func AppendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r < ' ' || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
