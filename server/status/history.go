package status

import (
	"slices"
	"time"

	"vernemq/server/metrics"
)

const (
	interval = 5 * time.Second // between two points
	kept     = 360             // points: half an hour
	recently = 12              // points that count as now for issues and latencies: a minute
)

// tracked are the metrics of which the past is kept.
var tracked = []string{"mqtt_connect_received", "mqtt_publish_received", "mqtt_publish_sent", "queue_message_drop", "bytes_received", "bytes_sent",
	"accept_errors", "panics_contained", "sessions_online", "queue_messages_waiting", "vm_memory_total", "system_utilization"}

// point is the state of the node at a moment.
type point struct {
	at       time.Time
	values   map[string]uint64     // of tracked
	limits   map[string]uint64     // limits_hit
	busy     []uint64              // loop_busy_microseconds, by loop
	delivery *metrics.Distribution // publish_to_deliver_microseconds
}

func newPoint(now time.Time, read []metrics.Metric) point {
	p := point{at: now, values: map[string]uint64{}, limits: map[string]uint64{}}
	for i := range read {
		m := &read[i]
		switch {
		case m.Name == "limits_hit":
			for _, s := range m.Series {
				p.limits[s.Labels[0].Value] = s.Value
			}
		case m.Name == "loop_busy_microseconds":
			for _, s := range m.Series {
				p.busy = append(p.busy, s.Value)
			}
		case m.Name == "publish_to_deliver_microseconds":
			p.delivery = m.Total()
		case slices.Contains(tracked, m.Name):
			p.values[m.Name] = m.Sum()
		}
	}
	return p
}

// history are the latest points, oldest first.
type history []point

func (h *history) add(p point) {
	if len(*h) == kept {
		*h = slices.Delete(*h, 0, 1)
	}
	*h = append(*h, p)
}

// back is the point k before the latest one, or the oldest.
func (h history) back(k int) point { return h[max(len(h)-1-k, 0)] }

// rate is the growth of a counter per second between two points. A counter that
// was reset has none.
func rate(from, to point, name string) float64 {
	d := to.at.Sub(from.at).Seconds()
	a, b := from.values[name], to.values[name]
	if d <= 0 || b < a {
		return 0
	}
	return float64(b-a) / d
}

// rates gives the growth of a counter between each point and the one before.
func (h history) rates(name string) []float64 {
	out := []float64{}
	for i := 1; i < len(h); i++ {
		out = append(out, rounded(rate(h[i-1], h[i], name)))
	}
	return out
}

// levels gives the values of a gauge, but for the first, so that they are as
// many as rates.
func (h history) levels(name string) []float64 {
	out := []float64{}
	for i := 1; i < len(h); i++ {
		out = append(out, float64(h[i].values[name]))
	}
	return out
}

// rounded keeps one decimal.
func rounded(v float64) float64 { return float64(int64(v*10+0.5)) / 10 }

// latency gives quantiles of the deliveries between two points, in
// microseconds; all 0 when nothing was delivered.
func latency(from, to point) (p50, p99 uint64) {
	if from.delivery == nil || to.delivery == nil {
		return 0, 0
	}
	d := &metrics.Distribution{Bounds: to.delivery.Bounds, Counts: slices.Clone(to.delivery.Counts)}
	for i := range d.Counts {
		d.Counts[i] -= min(from.delivery.Counts[i], d.Counts[i])
	}
	return d.Quantile(0.5), d.Quantile(0.99)
}

// busy is the part of the time that a loop was busy between two points, in
// percent.
func busy(from, to point, loop int) float64 {
	d := to.at.Sub(from.at).Microseconds()
	if loop >= len(from.busy) || loop >= len(to.busy) || d <= 0 || to.busy[loop] < from.busy[loop] {
		return 0
	}
	return rounded(min(100*float64(to.busy[loop]-from.busy[loop])/float64(d), 100))
}
