package metrics

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteTable writes all metrics as a Markdown document, docs/metrics.md: those
// of VerneMQ, those that VerneMQ does not have, and those that stay 0 until
// what they belong to runs.
func (r *Registry) WriteTable(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Metrics\n\nMade from the catalogue in server/metrics by `go test ./server/metrics -run TestDocument -update`.\n" +
		"Every series has the label `node` first. Counters begin at 0 when the node starts; times are in microseconds.\n" +
		"[monitoring.md](monitoring.md) is about reading them.\n")
	section := func(title string, wanted func(*Family) bool) {
		fmt.Fprintf(&b, "\n## %s\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n", title)
		for i := range r.families {
			f := r.families[i]
			if !wanted(f) || strings.HasPrefix(f.Name, "system_utilization_scheduler_") {
				continue
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, strings.Join(r.labelsOf(i), ", "), f.Help)
		}
	}
	section("VerneMQ's", func(f *Family) bool { return !f.Own && f.Part == "" })
	b.WriteString("\nThere is a `system_utilization_scheduler_N` for each processor; each has the value of `system_utilization`,\nbecause Go does not tell processors apart.\n")
	section("Our own", func(f *Family) bool { return f.Own && f.Part == "" })
	b.WriteString("\n`process_*` and `go_*` are those of github.com/VictoriaMetrics/metrics.\n")
	b.WriteString("\n## Not moving yet\n\nThey are there from the start, with 0, and move once what they belong to runs.\n\n| metric | type | belongs to | meaning |\n|---|---|---|---|\n")
	for i := range r.families {
		if f := r.families[i]; f.Part != "" {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, f.Part, f.Help)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// labelsOf are the labels of a family, as far as they are known from the
// start.
func (r *Registry) labelsOf(family int) (keys []string) {
	f := r.families[family]
	for _, s := range r.fixed[family] {
		for _, l := range s.labels {
			if !slices.Contains(keys, l.Key) {
				keys = append(keys, l.Key)
			}
		}
	}
	return append(keys, dynamic[f.Name]...)
}
