package metrics

import "strconv"

// Flat yields the metric added up over its labels, as single values: a
// histogram has one for each bucket, with those below it, and its count and
// sum. $SYS and Graphite show that.
func (m *Metric) Flat(yield func(name string, value uint64)) {
	if m.Type != HistogramType {
		yield(m.Name, m.Sum())
		return
	}
	d, total := m.Total(), uint64(0)
	for i, n := range d.Counts {
		total += n
		bound := "inf"
		if i < len(d.Bounds) {
			bound = strconv.FormatUint(d.Bounds[i], 10)
		}
		yield(m.Name+"_bucket_"+bound, total)
	}
	yield(m.Name+"_count", total)
	yield(m.Name+"_sum", d.Sum)
}
