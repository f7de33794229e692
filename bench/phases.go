package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// carryOut goes through the phases of the scenario.
func (r *runner) carryOut(ctx context.Context) error {
	switch r.load.Kind {
	case Hold, Auth:
		return r.hold(ctx)
	case TakeOver:
		return r.takeOver(ctx)
	case Flow:
		return r.flow(ctx)
	case Offline:
		return r.offline(ctx)
	case Retained:
		return r.retained(ctx)
	case SlowGroup:
		return r.slowGroup(ctx)
	case Secured:
		return r.secured(ctx)
	}
	return fmt.Errorf("unknown kind of scenario %q", r.load.Kind)
}

// startDelay is the time from a command to the moment that it names, in which
// it must reach all engines.
func (r *runner) startDelay() time.Duration {
	if len(r.agents) == 0 {
		return 0
	}
	return 200 * time.Millisecond
}

func (r *runner) startAt() int64 { return now() + int64(r.startDelay()) }

// measure begins to measure: what was counted before does not count. Latencies
// of messages stay: those of a warm-up are not recorded.
func (r *runner) measure() error {
	if err := r.look(); err != nil {
		return err
	}
	u, err := r.sampler.read()
	own, _ := process(0).cpu() // 0 is this process
	r.mark = mark{time.Now(), r.total, r.refusals, u, own}
	r.sampler.max = u.memory
	r.connect.Reset()
	r.lag.Reset()
	r.shakes.Reset()
	r.answers.Reset()
	return err
}

// connectAll connects a group of n clients and says how that went.
func (r *runner) connectAll(ctx context.Context, g group, n int, clean bool) (*Connect, error) {
	r.phase = "connect"
	if err := r.measure(); err != nil {
		return nil, err
	}
	r.latency.Reset()
	was := r.mark.total
	start := r.startAt()
	if _, err := r.all(command{Op: opConnect, Group: g, Start: start, Rate: r.load.ConnectRate, Clean: clean}); err != nil {
		return nil, err
	}
	c := &Connect{Clients: n}
	// A rate below one a second must not look like a stall.
	idle := func() bool {
		return r.load.ConnectRate > 0 && r.total.Connected-was.Connected >= int64(float64(now()-start)/1e9*r.load.ConnectRate)
	}
	err := r.until(ctx, "connecting", func() bool {
		t := &r.total
		c.Connected, c.Failed, c.Turned = t.Connected-was.Connected, t.Failed-was.Failed, t.Turned-was.Turned
		return c.Failed > 0 && c.Connected == 0 || c.Connected+c.Failed+c.Turned >= int64(n) && r.settledDown(g, was)
	}, idle)
	end := now()
	if err == nil && c.Failed == 0 {
		end = r.moment(r.settled, start)
	}
	c.Seconds = max(float64(end-start)/1e9, 1e-9)
	c.PerSecond = float64(c.Connected) / c.Seconds
	r.timings(c, was)
	u, uerr := r.sampler.read()
	c.CPU = float64((u.cpu - r.mark.usage.cpu).Microseconds()) / float64(max(c.Connected+c.Turned+c.Failed, 1))
	switch {
	case err != nil:
		return c, err
	case c.Failed > 0 && c.Connected == 0:
		return c, fmt.Errorf("no client could connect (first: %s)", r.cause)
	case c.Failed > 0:
		r.failf("%d of %d clients could not connect (first: %s)", c.Failed, n, r.cause)
	}
	return c, uerr
}

// moment is when something was over that a look has found over. Clocks of other
// hosts do not count.
func (r *runner) moment(at, start int64) int64 {
	if at > start && len(r.agents) == 0 {
		return at
	}
	return now()
}

// timings are what the steps of connecting took, and why clients were refused.
func (r *runner) timings(c *Connect, was counters) {
	c.Latency = latencyOf(&r.connect)
	if r.answers.Count() > 0 {
		c.Connack = new(latencyOf(&r.answers))
	}
	if r.shakes.Count() > 0 {
		c.TLS = new(latencyOf(&r.shakes))
	}
	c.Resumed = r.total.Resumed - was.Resumed
	for reason, n := range r.refusals {
		if n -= r.mark.refusals[reason]; n > 0 {
			if c.Refused == nil {
				c.Refused = map[string]int64{}
			}
			c.Refused[reason] = n
		}
	}
	if n := r.total.Admitted - was.Admitted; n > 0 {
		r.failf("the broker let %d clients in that gave a wrong password", n)
	}
}

// settledDown tells that subscribers have their subscriptions.
func (r *runner) settledDown(g group, was counters) bool {
	t := &r.total
	if g != subscribers || r.load.Kind == Retained || r.run.Connect != nil {
		return true
	}
	return t.Subscribed-was.Subscribed+t.Failed-was.Failed >= int64(r.load.Subscribers)
}

// rest waits while idle clients stay connected.
func (r *runner) rest(ctx context.Context, d time.Duration) error {
	end := time.Now().Add(d)
	return r.until(ctx, r.phase, func() bool { return time.Now().After(end) }, always)
}

// hold connects idle clients and lets them rest.
func (r *runner) hold(ctx context.Context) error {
	before := r.last.usage.memory
	c, err := r.connectAll(ctx, idle, r.load.Clients, false)
	r.run.Connect = c
	if err != nil {
		return err
	}
	r.phase = "hold"
	if err := r.measure(); err != nil {
		return err
	}
	if err := r.rest(ctx, r.load.Duration); err != nil {
		return err
	}
	err = r.used()
	c.memory(r.run.Broker, before)
	r.lostConnections()
	return err
}

// memory is what each connection has added to the broker's memory.
func (c *Connect) memory(u *Usage, before int64) {
	if u != nil && c.Connected > 0 {
		c.Memory = (u.MemoryTo - before) / c.Connected
	}
}

// takeOver connects all clients again while they are connected.
func (r *runner) takeOver(ctx context.Context) error {
	c, err := r.connectAll(ctx, idle, r.load.Clients, false)
	r.run.Connect = c
	if err != nil {
		return err
	}
	if n := r.total.TakenOver; n > 0 { // nobody has come again yet
		r.failf("the broker ended %d connections before their clients came again", n)
	}
	a, err := r.connectAll(ctx, again, r.load.Clients, false)
	r.run.Again = a
	if err != nil {
		return err
	}
	r.phase = "take-over"
	err = r.until(ctx, "taking over", func() bool { return r.total.TakenOver >= a.Connected }, never)
	if err != nil {
		r.failf("the broker left %d of %d old connections open", a.Connected-r.total.TakenOver, a.Connected)
		return err
	}
	err = r.rest(ctx, r.load.Duration)
	r.lostConnections()
	return errors.Join(err, r.used())
}

// lostConnections fails the run when the broker has ended connections.
func (r *runner) lostConnections() {
	if n := r.total.Lost; n > 0 {
		r.failf("the broker ended %d connections (first: %s)", n, r.cause)
	}
}

// used keeps what broker and generator used since measuring began.
func (r *runner) used() error {
	m := &r.mark
	if m.at.IsZero() {
		return nil
	}
	d := max(time.Since(m.at).Seconds(), 1e-9)
	r.ownUse(d)
	u, err := r.sampler.read()
	if err != nil || r.load.PID == 0 {
		return err
	}
	r.run.Broker = &Usage{
		CPUPercent: 100 * (u.cpu - m.usage.cpu).Seconds() / d, MemoryFrom: m.usage.memory, MemoryTo: u.memory, MemoryMax: r.sampler.max,
		Switches: float64(u.switches-m.usage.switches) / d, Calls: float64(u.calls-m.usage.calls) / d,
	}
	return nil
}

// ownUse keeps what the load cost its own side.
func (r *runner) ownUse(seconds float64) {
	t, m, g := &r.total, &r.mark, &r.run.Generator
	own, _ := process(0).cpu()
	n := t.Sent + t.Delivered + t.Slow - m.total.Sent - m.total.Delivered - m.total.Slow
	if n > 0 && len(r.agents) == 0 {
		g.CPU = float64((own - m.own).Nanoseconds()) / 1000 / float64(n)
	}
	g.Lag = float64(r.lag.Quantile(0.99)) / 1e6
	idle := float64(t.Idle-m.total.Idle) / 1e9 / max(float64(r.workers), 1)
	g.Busy = min(max(100*(1-idle/seconds), 0), 100)
}
