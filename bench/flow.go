package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// connectBoth connects subscribers, who subscribe at once, and then publishers.
func (r *runner) connectBoth(ctx context.Context) error {
	s, err := r.connectAll(ctx, subscribers, r.load.Subscribers, false)
	r.run.Connect = s
	if err != nil {
		return err
	}
	p, err := r.connectAll(ctx, publishers, r.load.Publishers, false)
	if p != nil {
		s.add(p)
	}
	if err == nil && s.Failed > 0 {
		return errors.New("not all clients are connected: no messages were sent")
	}
	return err
}

// add joins the connects of two groups.
func (c *Connect) add(o *Connect) {
	n := float64(max(c.Connected+o.Connected, 1))
	c.CPU = (c.CPU*float64(c.Connected) + o.CPU*float64(o.Connected)) / n
	c.Clients, c.Connected, c.Failed, c.Seconds = c.Clients+o.Clients, c.Connected+o.Connected, c.Failed+o.Failed, c.Seconds+o.Seconds
	c.PerSecond = float64(c.Connected) / c.Seconds
	c.Latency = *c.Latency.join(&o.Latency)
	c.Connack, c.TLS = c.Connack.join(o.Connack), c.TLS.join(o.TLS)
	c.Resumed += o.Resumed
	for reason, n := range o.Refused {
		if c.Refused == nil {
			c.Refused = map[string]int64{}
		}
		c.Refused[reason] += n
	}
}

// join is two distributions in one; either may be missing.
func (l *Latency) join(o *Latency) *Latency {
	if l == nil || o == nil {
		return cmp.Or(l, o)
	}
	h := *l.Histogram
	h.Merge(o.Histogram)
	return new(latencyOf(&h))
}

// flow sends messages for the time of the load.
func (r *runner) flow(ctx context.Context) error {
	if err := r.connectBoth(ctx); err != nil {
		return err
	}
	if r.load.Step {
		return r.steps(ctx)
	}
	m, err := r.messages(ctx, r.load.Rate)
	r.run.Flow = m
	if m == nil {
		return err
	}
	r.judge(m)
	r.lostConnections()
	return err
}

// messages sends for the warm-up and the duration, and waits for what is under
// way. After an error the messages hold what came until then.
func (r *runner) messages(ctx context.Context, rate float64) (*Messages, error) {
	r.phase = "warm-up"
	r.latency.Reset()
	start := r.startAt()
	before := r.total
	c := command{Op: opPublish, Start: start, Rate: rate, From: start + int64(r.load.Warm), End: start + int64(r.load.Warm+r.load.Duration)}
	if _, err := r.all(c); err != nil {
		return nil, err
	}
	end := time.Unix(0, c.From)
	idle := func() bool { return r.quiet(before) }
	past := func() bool { return time.Now().After(end) }
	err := r.until(ctx, "warming up", past, idle)
	if err == nil {
		r.phase = "measure"
		err = r.measure()
	}
	if err == nil {
		end = time.Unix(0, c.End)
		err = r.until(ctx, "sending", past, idle)
	}
	m := r.tally(rate)
	m.Latency = latencyOf(&r.latency)
	if r.dead {
		r.notef("what was lost is not known")
		return m, errors.Join(err, r.used())
	}
	return m, errors.Join(err, r.used(), r.wind(ctx, m, before))
}

// quiet tells that nothing is due from the broker.
func (r *runner) quiet(before counters) bool {
	t := &r.total
	return t.Due == t.Sent && t.Delivered-before.Delivered >= (t.Sent-before.Sent)*int64(r.load.fan())
}

// tally is what went on since measuring began.
func (r *runner) tally(rate float64) *Messages {
	m := &Messages{Offered: rate}
	if r.mark.at.IsZero() {
		return m
	}
	t, was := &r.total, &r.mark.total
	m.Seconds = max(time.Since(r.mark.at).Seconds(), 1e-9)
	m.Sent, m.Delivered, m.Slow = t.Sent-was.Sent, t.Delivered-was.Delivered, t.Slow-was.Slow
	m.SentRate, m.Rate = float64(m.Sent)/m.Seconds, float64(m.Delivered)/m.Seconds
	if u, err := r.sampler.read(); err == nil && m.Delivered > 0 && r.load.PID > 0 {
		n, was := float64(m.Delivered+m.Slow), &r.mark.usage
		m.CPU = float64((u.cpu - was.cpu).Nanoseconds()) / 1000 / n
		m.Switches, m.Calls = float64(u.switches-was.switches)/n, float64(u.calls-was.calls)/n
		m.Written = float64(u.written-was.written) / n
	}
	return m
}

// wind stops sending, waits for what is under way and counts what never came.
// Its counts are of the whole phase, the warm-up too.
func (r *runner) wind(ctx context.Context, m *Messages, before counters) error {
	if err := r.sendRest(ctx); err != nil {
		return err
	}
	r.phase = "drain"
	stopped, err := r.all(command{Op: opStop})
	if err != nil {
		return err
	}
	for i := range stopped {
		m.Unsent += int64(stopped[i].Unsent)
	}
	if !r.gone() && ctx.Err() == nil {
		err = r.drain(ctx, func() bool {
			t := &r.total
			acked := r.load.QoS == 0 || t.Acked-before.Acked >= t.Sent-before.Sent
			return acked && t.Delivered-before.Delivered >= (t.Sent-before.Sent)*int64(r.load.fan())
		})
	}
	m.Latency = latencyOf(&r.latency)
	if t := &r.total; r.load.QoS > 0 {
		m.Unacked = max(t.Sent-before.Sent-(t.Acked-before.Acked), 0)
	}
	missErr := r.settle(m)
	m.Lost, r.missed = m.Lost-r.missed, m.Lost // of earlier steps
	t := &r.total
	m.none = t.Sent == before.Sent
	m.Duplicates, m.Late, m.Foreign, m.Refused = t.Duplicates-before.Duplicates, t.Late-before.Late, t.Foreign-before.Foreign, t.Refused-before.Refused
	return errors.Join(err, missErr)
}

// restLooks is for how many looks, a second, publishers may go on with what was
// due before the end. What a moment held up is sent by then; what grows is not.
// Looks do not pass while the machine holds up the generator itself.
const restLooks = int(time.Second / lookEvery)

// sendRest lets publishers send what they owe.
func (r *runner) sendRest(ctx context.Context) error {
	if r.gone() || ctx.Err() != nil {
		return nil
	}
	looks := 0
	return r.until(ctx, "sending", func() bool { looks++; return r.total.Due <= r.total.Sent || looks > restLooks }, always)
}

// drain waits until all is there. That something never comes is no error here:
// it is counted as lost.
func (r *runner) drain(ctx context.Context, there func() bool) error {
	err := r.until(ctx, "draining", func() bool { return there() || r.gone() }, never)
	if errors.Is(err, errStalled) {
		return nil
	}
	return err
}

// settle counts the messages that are missing.
func (r *runner) settle(m *Messages) error {
	sent, err := r.all(command{Op: opPublished})
	if err != nil {
		return err
	}
	published := make([]uint32, r.load.Publishers)
	for i := range sent {
		for p, n := range sent[i].Published {
			published[p] += n
		}
	}
	replies, err := r.all(command{Op: opSettle, Published: published})
	if err != nil {
		return err
	}
	came := make([]uint32, r.load.Publishers)
	for i := range replies {
		m.Lost += int64(replies[i].Missing)
		m.SlowLost += int64(replies[i].SlowMiss)
		for p, n := range replies[i].Distinct {
			came[p] += n
		}
	}
	if r.load.Shape == Shared {
		for p, n := range published {
			m.Lost += max(int64(n)-int64(came[p]), 0)
		}
	}
	return r.look()
}

// judge adds to the failures what is wrong with the messages.
func (r *runner) judge(m *Messages) {
	for _, f := range m.faults(r.load.QoS) {
		r.failf("%s", f)
	}
	if m.Duplicates > 0 && r.load.QoS == 1 {
		r.notef("%d messages came twice, which QoS 1 allows", m.Duplicates)
	}
	if r.load.Rate > 0 && m.Unsent > 0 {
		r.notef("of %.0f messages/s that were due %.0f were sent: the load is above what the broker takes", m.Offered, m.SentRate)
	}
}

// faults are what a broker must not do to messages.
func (m *Messages) faults(qos byte) (fs []string) {
	add := func(n int64, format string) {
		if n > 0 {
			fs = append(fs, fmt.Sprintf(format, n))
		}
	}
	add(m.Lost, "%d messages were lost")
	if qos != 1 {
		add(m.Duplicates, "%d messages came twice")
	}
	add(m.Late, "%d messages came out of order")
	add(m.Foreign, "%d messages came that were not for their receiver")
	add(m.Refused, "%d messages were refused")
	add(m.Unacked, "%d messages were not acknowledged")
	add(m.Unsent, "%d messages were due and could not be sent: the broker took them too slowly")
	if m.none {
		fs = append(fs, "no message was sent")
	}
	return fs
}
