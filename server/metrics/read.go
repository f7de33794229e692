package metrics

import (
	"slices"
	"strconv"
	"strings"
)

// Read gives every metric with its values, in the order of the catalogue.
func (r *Registry) Read() []Metric {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read()
}

func (r *Registry) read() []Metric {
	sum := totals(r.sets)
	out := make([]Metric, len(r.families))
	for i := range out {
		m := &out[i]
		m.Family = r.families[i]
		m.Series = make([]Series, 0, len(r.fixed[i])+1)
		for _, f := range r.fixed[i] {
			s := Series{Labels: f.labels}
			if f.at >= 0 {
				s.Value = sum[f.at]
			}
			m.Series = append(m.Series, s)
		}
	}
	emit := func(name string, v uint64, labels ...Label) { r.emit(out, name, v, labels) }
	r.ownValues(&sum, emit)
	for _, c := range r.counters {
		emit(c.name, c.counter.Get(), c.labels...)
	}
	for _, s := range r.sources {
		s(emit)
	}
	r.readHistograms(out)
	r.sinceReset(out)
	return out
}

// emit puts a value to the series that it belongs to. Values of the same
// series are added up.
func (r *Registry) emit(out []Metric, name string, v uint64, labels []Label) {
	i, ok := r.index[name]
	if !ok {
		return // checked when the source was added, or by the tests
	}
	m := &out[i]
	for k := range m.Series {
		if sameLabels(m.Series[k].Labels, labels) {
			m.Series[k].Value += v
			return
		}
	}
	m.Series = append(m.Series, Series{Labels: labels, Value: v})
}

func sameLabels(a, b []Label) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// ownValues are those that follow from the counters of the loops.
func (r *Registry) ownValues(sum *[slots]uint64, emit Emit) {
	gone := sum[QueueMessageOut] + sum[QueueMessageDrop] + sum[QueueMessageUnhandled] + sum[QueueMessageExpired]
	emit("queue_messages_waiting", sum[QueueMessageIn]-gone)
	emit("sessions_offline", sum[Sessions]-min(sum[SessionsOnline], sum[Sessions]))
	for _, l := range limitCounters {
		emit("limits_hit", sum[l.at], Label{"limit", l.limit})
	}
	for i, s := range r.sets {
		busy := uint64(0)
		if p := s.shared.Load(); p != nil {
			busy = p[LoopBusy]
		}
		emit("loop_busy_microseconds", busy, Label{"loop", strconv.Itoa(i)})
	}
}

func (r *Registry) readHistograms(out []Metric) {
	for i := range out {
		m := &out[i]
		if m.Type != HistogramType {
			continue
		}
		for _, h := range r.observed[m.Name] {
			d := (*Distribution)(nil)
			if h.read != nil {
				d = h.read()
			} else {
				d = collect(h.from)
			}
			m.Series = append(m.Series, Series{Labels: h.labels, Distribution: d})
		}
		if len(m.Series) == 0 {
			m.Series = []Series{{Distribution: emptyOf(m.Family)}}
		}
	}
}

// emptyOf is the distribution of a histogram whose part does not run: those of
// VerneMQ have six buckets.
func emptyOf(f *Family) *Distribution {
	d := &Distribution{Bounds: powers}
	if !f.Own {
		d.Bounds = []uint64{10, 100, 1000, 10000, 100000, 1000000}
	}
	d.Counts = make([]uint64, len(d.Bounds)+1)
	return d
}

// Reset lets the counters of VerneMQ start at 0 again, but for those of the
// system. Nothing that counts is touched.
func (r *Registry) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.zero)
	zero := map[string]uint64{}
	for _, m := range r.read() {
		if resets(m.Family) {
			for _, s := range m.Series {
				zero[seriesKey(m.Name, s.Labels)] = s.Value
			}
		}
	}
	r.zero = zero
}

func resets(f *Family) bool {
	return f.Type == CounterType && !strings.HasPrefix(f.Name, "system_") && !slices.Contains(optionalParts, f.Part)
}

func (r *Registry) sinceReset(out []Metric) {
	if len(r.zero) == 0 {
		return
	}
	for i := range out {
		if !resets(out[i].Family) {
			continue
		}
		for k := range out[i].Series {
			s := &out[i].Series[k]
			s.Value -= min(s.Value, r.zero[seriesKey(out[i].Name, s.Labels)])
		}
	}
}

func seriesKey(name string, labels []Label) string {
	for _, l := range labels {
		name += "\x00" + l.Key + "\x00" + l.Value
	}
	return name
}

// Sum is the value over all series, as $SYS and vmq-admin show it.
func (m *Metric) Sum() (n uint64) {
	for _, s := range m.Series {
		n += s.Value
	}
	return n
}

// Total is the distribution over all series of a histogram.
func (m *Metric) Total() *Distribution {
	var sum *Distribution
	for _, s := range m.Series {
		if sum == nil {
			sum = &Distribution{Bounds: s.Bounds, Counts: make([]uint64, len(s.Counts))}
		}
		for i := range min(len(s.Counts), len(sum.Counts)) {
			sum.Counts[i] += s.Counts[i]
		}
		sum.Sum += s.Distribution.Sum
	}
	return sum
}
