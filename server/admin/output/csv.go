package output

import (
	"bufio"
	"io"
	"strings"
)

// csvWriter writes tables; texts are left out, alerts go to the error output.
// Lines end in CR LF; within a cell all stays as it is, which encoding/csv does
// not do.
type csvWriter struct {
	w       *bufio.Writer
	out     io.Writer
	errors  io.Writer
	columns []string // not written yet
}

func newCSV(out, errors io.Writer) *csvWriter {
	return &csvWriter{w: bufio.NewWriter(out), out: out, errors: errors}
}

func (c *csvWriter) Several() {}

func (c *csvWriter) Plain(text string) error {
	_ = c.w.Flush() // an error comes again in Close
	_, err := io.WriteString(c.out, printable(text)+"\n")
	return err
}

func (c *csvWriter) Text(string) error { return nil }

func (c *csvWriter) Alert(text string) error {
	_, err := io.WriteString(c.errors, printable(text)+"\n")
	return err
}

// Table waits with its header for a row: a table without rows shows nothing.
func (c *csvWriter) Table(columns ...string) error {
	c.columns = columns
	return nil
}

func (c *csvWriter) Row(cells ...any) error {
	if c.columns != nil {
		if err := c.line(c.columns); err != nil {
			return err
		}
		c.columns = nil
	}
	record := make([]string, len(cells))
	for i, v := range cells {
		record[i] = cellText(v)
	}
	return c.line(record)
}

func (c *csvWriter) line(cells []string) error {
	for i, s := range cells {
		if i > 0 {
			_ = c.w.WriteByte(',') // an error stays in the writer
		}
		if strings.ContainsAny(s, ",\"\r\n") {
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		_, _ = c.w.WriteString(s)
	}
	_, err := c.w.WriteString("\r\n")
	return err
}

func (c *csvWriter) Close() error { return c.w.Flush() }
