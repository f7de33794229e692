package tuning

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteTable writes a report for a terminal: a line for each item, and below
// the table reason and remedy of those that are not well, or with all the
// reasons of all.
func (r Report) WriteTable(w io.Writer, all bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "SETTING\tFOUND\tWANTED\tVERDICT\n")
	counts := map[Verdict]int{}
	for _, i := range r.Items {
		counts[i.Verdict]++
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", i.Name, i.Found, i.Wanted, i.Verdict)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot write the table: %w", err)
	}
	var b strings.Builder
	for _, i := range r.Items {
		if i.Verdict == OK && !all {
			continue
		}
		fmt.Fprintf(&b, "\n%s: %s\n", i.Name, i.Verdict)
		wrap(&b, "  ", i.Reason)
		if i.Remedy != "" {
			fmt.Fprintf(&b, "  -> %s\n", i.Remedy) // not broken: it is to be copied
		}
	}
	fmt.Fprintf(&b, "\n%d connections: %d ok, %d low, %d unknown\n", r.Connections, counts[OK], counts[Low], counts[NotKnown])
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("cannot write the table: %w", err)
	}
	return nil
}

// WriteJSON writes a report for programs.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

// width is that of a terminal.
const width = 80

// wrap writes text in lines that begin with prefix.
func wrap(b *strings.Builder, prefix, text string) {
	line := prefix
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width && line != prefix {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = prefix
		}
		if line != prefix {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
}
