package output

import (
	"encoding/csv"
	"io"
)

// csvWriter writes tables; texts are left out, alerts go to the error output.
type csvWriter struct {
	w       *csv.Writer
	out     io.Writer
	errors  io.Writer
	columns []string // not written yet
}

func newCSV(out, errors io.Writer) *csvWriter {
	w := csv.NewWriter(out)
	w.UseCRLF = true
	return &csvWriter{w: w, out: out, errors: errors}
}

func (c *csvWriter) Several() {}

func (c *csvWriter) Plain(text string) error {
	c.w.Flush()
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
		if err := c.w.Write(c.columns); err != nil {
			return err
		}
		c.columns = nil
	}
	record := make([]string, len(cells))
	for i, v := range cells {
		record[i] = cellText(v)
	}
	return c.w.Write(record)
}

func (c *csvWriter) Close() error {
	c.w.Flush()
	return c.w.Error()
}
