package graphite

import (
	"strconv"
	"strings"

	"vernemq/server/config"
	"vernemq/server/metrics"
)

// Lines are all metrics in Graphite's plain text format: each added up under
// its own path and, if that is wished, for each value of a label under a path
// of that.
func Lines(r *metrics.Registry, s *config.Graphite, unix int64) []byte {
	prefix := ""
	for _, part := range []string{s.APIKey, s.Prefix} {
		if part != "" {
			prefix += clean(part, true) + "."
		}
	}
	end := " " + strconv.FormatInt(unix, 10) + "\n"
	b := make([]byte, 0, 64<<10)
	line := func(path string, v uint64) {
		b = append(append(append(b, prefix...), path...), ' ')
		b = append(strconv.AppendUint(b, v, 10), end...)
	}
	for _, m := range r.Read() {
		m.Flat(func(name string, v uint64) { line(dotted(name), v) })
		if s.IncludeLabels && m.Type != metrics.HistogramType {
			for _, x := range byLabel(&m) {
				line(dotted(m.Name)+"."+clean(x.label.Key+"_"+x.label.Value, false), x.sum)
			}
		}
	}
	return b
}

func dotted(name string) string { return strings.ReplaceAll(name, "_", ".") }

type labelled struct {
	label metrics.Label
	sum   uint64
}

// byLabel adds up the series of a metric for each value of each label.
func byLabel(m *metrics.Metric) (out []labelled) {
	place := map[metrics.Label]int{}
	for _, s := range m.Series {
		for _, l := range s.Labels {
			i, ok := place[l]
			if !ok {
				i = len(out)
				place[l] = i
				out = append(out, labelled{label: l})
			}
			out[i].sum += s.Value
		}
	}
	return out
}

// clean keeps what a path may have.
func clean(s string, dots bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-', r == '.' && dots:
			return r
		}
		return '_'
	}, s)
}
