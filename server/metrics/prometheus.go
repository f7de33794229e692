package metrics

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	vm "github.com/VictoriaMetrics/metrics"
)

// WritePrometheus writes everything in Prometheus' text format: the node's
// metrics with a namespace before their names and the label node first, then
// those of the process and of Go's runtime under their own names.
func (r *Registry) WritePrometheus(w io.Writer, namespace, node string) error {
	e := exposition{namespace: namespace, node: `node="` + escapeLabel(node) + `"`}
	e.b = make([]byte, 0, 128<<10)
	for _, m := range r.Read() {
		e.metric(&m)
	}
	var process bytes.Buffer
	vm.WriteProcessMetrics(&process)
	e.process(process.Bytes())
	_, err := w.Write(e.b)
	return err
}

func init() { vm.ExposeMetadata(true) } // of the process and of Go; it has no other use here

type exposition struct {
	b               []byte
	namespace, node string
}

func (e *exposition) metric(m *Metric) {
	if len(m.Series) == 0 {
		return
	}
	name := e.namespace + m.Name
	e.add("# HELP ", name, " ", m.Help, "\n# TYPE ", name, " ", string(m.Type), "\n")
	for i := range m.Series {
		s := &m.Series[i]
		if m.Type == HistogramType {
			e.histogram(name, s)
			continue
		}
		e.sample(name, "", s.Labels, s.Value)
	}
}

func (e *exposition) histogram(name string, s *Series) {
	total := uint64(0)
	for i, n := range s.Counts {
		total += n
		le := `le="+Inf"`
		if i < len(s.Bounds) {
			le = `le="` + strconv.FormatUint(s.Bounds[i], 10) + `"`
		}
		e.sample(name+"_bucket", le, s.Labels, total)
	}
	e.sample(name+"_sum", "", s.Labels, s.Sum)
	e.sample(name+"_count", "", s.Labels, total)
}

// sample writes one line. extra comes directly after the node.
func (e *exposition) sample(name, extra string, labels []Label, v uint64) {
	e.add(name, "{", e.node)
	if extra != "" {
		e.add(",", extra)
	}
	for _, l := range labels {
		e.add(",", l.Key, `="`, escapeLabel(l.Value), `"`)
	}
	e.b = strconv.AppendUint(append(e.b, "} "...), v, 10)
	e.b = append(e.b, '\n')
}

func (e *exposition) add(parts ...string) {
	for _, p := range parts {
		e.b = append(e.b, p...)
	}
}

// process adds the lines that the library has written, with the node as their
// first label.
func (e *exposition) process(lines []byte) {
	for line := range bytes.Lines(lines) {
		if bytes.HasPrefix(line, []byte("# HELP")) { // without a text
			continue
		}
		i := bytes.IndexAny(line, "{ ")
		if i < 0 || line[0] == '#' {
			e.b = append(e.b, line...)
			continue
		}
		e.b = append(append(e.b, line[:i]...), '{')
		e.b = append(e.b, e.node...)
		if line[i] == '{' {
			e.b = append(append(e.b, ','), line[i+1:]...)
		} else {
			e.b = append(append(e.b, '}'), line[i:]...)
		}
	}
}

// escapeLabel escapes a label's value as Prometheus demands.
var escapeLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace
