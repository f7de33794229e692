package capacity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vernemq/bench"
)

// shot is a run of messages.
type shot struct {
	shape     string
	pubs, sub int
	rate      float64
	size      int
	qos       byte
}

const (
	smallSize = 64
	largeSize = 8 << 10
	lowRate   = 2000 // base latency
	// A run in which the generator itself came later than this shows the
	// machine's other work: messages bunch, which makes them cheap. It is tried
	// again, and so is one that fails.
	disturbed = 10.0 // ms
	tries     = 4    // of a run at most
	retries   = 12   // of all runs together
	enough    = 6    // undisturbed runs of a QoS for a fit without the others
)

// shots are the runs. Rates are far enough apart to tell what a message costs
// from what waking up costs.
func shots(quick bool) (all []shot) {
	flows := []shot{
		{"pairs", 500, 500, lowRate, smallSize, 0}, {"pairs", 500, 500, 8000, smallSize, 0}, {"pairs", 500, 500, 24000, smallSize, 0},
		{"fanin", 500, 5, 4000, smallSize, 0}, {"fanin", 500, 5, 16000, smallSize, 0},
		{"fanout", 1, 500, 10, smallSize, 0}, {"fanout", 1, 500, 60, smallSize, 0}, {"fanout", 1, 500, 150, smallSize, 0},
		{"fanout", 1, 10, 400, smallSize, 0}, {"fanout", 1, 10, 3000, smallSize, 0},
	}
	sizes := []shot{{"pairs", 200, 200, 4000, largeSize, 0}, {"pairs", 200, 200, 8000, largeSize, 0}}
	if quick {
		flows = []shot{flows[0], {"pairs", 500, 500, 16000, smallSize, 0}, flows[4], flows[6], flows[9]}
		sizes = sizes[1:]
	}
	for qos := range byte(3) {
		for _, s := range flows {
			s.qos = qos
			all = append(all, s)
		}
	}
	return append(all, sizes...)
}

// messages measures processor time and latency of messages.
func (c *calibrator) messages(ctx context.Context) error {
	all, left := shots(c.Options.Quick), retries
	for i, s := range all {
		c.Progress(fmt.Sprintf("messages, run %d of %d: %s, QoS %d, %.0f/s, %d bytes", i+1, len(all), s.shape, s.qos, s.rate, s.size))
		p, err := c.shoot(ctx, s)
		for try := 1; try < tries && (err != nil || held(p)) && left > 0 && ctx.Err() == nil; try++ {
			left--
			if again, e := c.shoot(ctx, s); err != nil || e == nil && again.Lag < p.Lag {
				p, err = again, e
			}
		}
		if err != nil {
			return fmt.Errorf("%s, QoS %d, %.0f/s: %w", s.shape, s.qos, s.rate, err)
		}
		c.Points = append(c.Points, p)
	}
	c.costs()
	c.latency()
	return nil
}

func (c *calibrator) shoot(ctx context.Context, s shot) (p Point, err error) {
	l := c.load(s.shape)
	l.Publishers, l.Subscribers, l.Rate, l.Size, l.QoS = s.pubs, s.sub, s.rate, s.size, s.qos
	l.Warm, l.Duration = 300*time.Millisecond, 1200*time.Millisecond
	if c.Options.Quick {
		l.Warm, l.Duration = 200*time.Millisecond, 700*time.Millisecond
	}
	if err := l.Check(1); err != nil {
		return p, err
	}
	run := bench.Execute(ctx, l, bench.Options{})
	if len(run.Failures) > 0 {
		return p, errors.New(strings.Join(run.Failures, "; "))
	}
	m := run.Flow
	if m.Seconds <= 0 || m.Delivered == 0 {
		return p, errors.New("no messages came")
	}
	return Point{Shape: s.shape, QoS: s.qos, Size: s.size, In: float64(m.Sent) / m.Seconds, Out: float64(m.Delivered) / m.Seconds,
		CPU: m.CPU * float64(m.Delivered) / m.Seconds, P50: m.Latency.P50, P99: m.Latency.P99, Lag: run.Generator.Lag}, nil
}

// held tells that other work of the machine held the generator up.
func held(p Point) bool { return p.Lag > disturbed }

// costs fits the points of each QoS. QoS 0 has the large payloads.
func (c *calibrator) costs() {
	payload := -1.0
	for qos := range c.QoS {
		var ps []Point
		for _, p := range c.Points {
			if int(p.QoS) == qos {
				ps = append(ps, p)
			}
		}
		if calm := slices.DeleteFunc(slices.Clone(ps), held); len(calm) >= enough {
			ps = calm
		}
		k, perKiB := fitSpread(ps, payload)
		c.QoS[qos] = k
		if qos == 0 {
			c.Payload, payload = perKiB, perKiB.Value
		}
	}
	for i := range c.Points {
		p := &c.Points[i]
		p.Predicted = c.QoS[p.QoS].cpu(payload, p.In, p.Out, p.kib())
	}
}

// base tells that the point shows the latency of a broker with little to do.
func (p *Point) base() bool { return p.Shape == "pairs" && p.Size == smallSize && p.In < lowRate*1.5 }

// latency takes the base from the pairs at the low rate and fits the growth
// over u/(1-u). Runs that other work held up count only when all were.
func (c *calibrator) latency() {
	var low50, low99, x, p50, p99 []float64
	all := slices.DeleteFunc(slices.Clone(c.Points), held)
	if !slices.ContainsFunc(all, func(p Point) bool { return p.base() }) {
		all = c.Points
	}
	for _, p := range all {
		if p.Shape != "pairs" || p.Size != smallSize {
			continue
		}
		if p.base() {
			low50, low99 = append(low50, p.P50), append(low99, p.P99)
		}
		u := min(p.CPU/1e6, 0.95)
		x, p50, p99 = append(x, u/(1-u)), append(p50, p.P50), append(p99, p.P99)
	}
	// The least: other work on the machine can only add to it.
	base := func(xs []float64) Constant {
		_, spread := mean(xs)
		return Constant{slices.Min(xs), milliUnit, len(xs), spread}
	}
	growth := func(ys []float64) Constant {
		slope, _, spread := Line(x, ys)
		return Constant{max(slope, 0), milliUnit, len(x), spread}
	}
	c.Latency = Latencies{base(low50), base(low99), growth(p50), growth(p99)}
}
