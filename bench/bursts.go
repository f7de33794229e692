package bench

import (
	"context"
	"errors"
	"time"
)

// offline lets messages queue for sessions that are away and measures how long
// they take to arrive once their clients come back.
func (r *runner) offline(ctx context.Context) error {
	if err := r.connectBoth(ctx); err != nil {
		return err
	}
	if _, err := r.all(command{Op: opDrop, Group: subscribers}); err != nil {
		return err
	}
	if err := r.burst(ctx, "queue"); err != nil {
		return err
	}
	before := r.total
	a, err := r.connectAll(ctx, subscribers, r.load.Subscribers, false)
	r.run.Again = a
	if err != nil {
		return err
	}
	if n := r.total.Subscribed - before.Subscribed; n > 0 {
		r.failf("%d sessions were not there when their clients came back", n)
	}
	m, err := r.arrivals(ctx, before, r.load.Publishers*r.load.Burst*int(r.load.fan()))
	r.run.Flow = m
	r.judge(m)
	r.lostConnections()
	return errors.Join(err, r.forget(ctx))
}

// forget ends the persistent sessions.
func (r *runner) forget(ctx context.Context) error {
	kept := r.run.Connect
	if r.gone() || ctx.Err() != nil {
		return nil
	}
	if _, err := r.all(command{Op: opDrop, Group: subscribers}); err != nil {
		return err
	}
	_, err := r.connectAll(ctx, subscribers, r.load.Subscribers, true)
	r.run.Connect = kept
	return err
}

// burst publishes so many messages of each publisher, as fast as the broker
// acknowledges them.
func (r *runner) burst(ctx context.Context, phase string) error {
	r.phase = phase
	was := r.total
	if err := r.publishEach(false); err != nil {
		return err
	}
	start := time.Now()
	want := int64(r.load.Publishers * r.load.Burst)
	err := r.until(ctx, "publishing", func() bool {
		t := &r.total
		return t.Sent-was.Sent >= want && (r.load.QoS == 0 || t.Acked-was.Acked >= want)
	}, never)
	r.notef("the broker took %d messages in %.2f s", r.total.Sent-was.Sent, time.Since(start).Seconds())
	if n := r.total.Refused - was.Refused; n > 0 {
		r.failf("%d messages were refused (first: %s)", n, r.cause)
	}
	return err
}

func (r *runner) publishEach(clean bool) error {
	_, err := r.all(command{Op: opPublish, Start: r.startAt(), Each: uint32(r.load.Burst), Clean: clean})
	return err
}

// arrivals waits for n messages that came since before was taken.
func (r *runner) arrivals(ctx context.Context, before counters, n int) (*Messages, error) {
	r.phase = "measure"
	err := r.drain(ctx, func() bool { return r.total.Delivered-before.Delivered >= int64(n) })
	m := r.tally(0)
	if start := r.mark.at.UnixNano(); m.Delivered > 0 {
		m.Seconds = float64(r.moment(r.came, start)-start) / 1e9
		m.Rate = float64(m.Delivered) / m.Seconds
	}
	m.Sent = int64(r.load.Publishers * r.load.Burst)
	m.SentRate = 0
	usedErr := r.used()
	m.Latency = latencyOf(&r.latency)
	settleErr := r.settle(m)
	t := &r.total
	m.Duplicates, m.Late, m.Foreign = t.Duplicates-before.Duplicates, t.Late-before.Late, t.Foreign-before.Foreign
	return m, errors.Join(err, usedErr, settleErr)
}

// retained sets retained messages and measures how long subscribers take to
// get them all.
func (r *runner) retained(ctx context.Context) error {
	if err := r.connectBoth(ctx); err != nil {
		return err
	}
	if err := r.burst(ctx, "set"); err != nil {
		return err
	}
	if err := r.measure(); err != nil {
		return err
	}
	before := r.total
	if _, err := r.all(command{Op: opSubscribe, Group: subscribers, Start: r.startAt()}); err != nil {
		return err
	}
	m, err := r.arrivals(ctx, before, r.load.Publishers*r.load.Burst*int(r.load.fan()))
	r.run.Flow = m
	r.judge(m)
	r.lostConnections()
	return errors.Join(err, r.clearRetained(ctx))
}

// clearRetained takes the retained messages away again.
func (r *runner) clearRetained(ctx context.Context) error {
	if r.gone() || ctx.Err() != nil {
		return nil
	}
	r.phase = "clear"
	if _, err := r.all(command{Op: opDrop, Group: subscribers}); err != nil {
		return err
	}
	was := r.total
	if err := r.publishEach(true); err != nil {
		return err
	}
	want := int64(r.load.Publishers * r.load.Burst)
	return r.until(ctx, "clearing", func() bool {
		return r.total.Sent-was.Sent >= want && r.total.Acked-was.Acked >= want
	}, never)
}

// slowGroup is a flow in which some subscribers do not read. What these lose,
// and that the broker may end them, is reported and is no failure.
func (r *runner) slowGroup(ctx context.Context) error {
	if err := r.connectBoth(ctx); err != nil {
		return err
	}
	if _, err := r.all(command{Op: opPause, Paused: true}); err != nil {
		return err
	}
	m, err := r.messages(ctx, r.load.Rate)
	r.run.Flow = m
	if m == nil || err != nil {
		return err
	}
	r.judge(m)
	r.notef("while the slow subscribers did not read, they got %d messages of those that others got", m.Slow)
	if n := r.total.Lost; n > 0 {
		r.notef("the broker ended %d connections (first: %s)", n, r.cause)
	}
	return r.wakeSlow(ctx, m)
}

// wakeSlow lets the slow subscribers read again until nothing more comes.
func (r *runner) wakeSlow(ctx context.Context, m *Messages) error {
	r.phase = "wake"
	if _, err := r.all(command{Op: opPause}); err != nil {
		return err
	}
	seen, since := r.total.Slow, time.Now()
	err := r.until(ctx, "waking the slow subscribers", func() bool {
		if r.total.Slow != seen {
			seen, since = r.total.Slow, time.Now()
		}
		return time.Since(since) > time.Second
	}, always)
	m.Lost, m.SlowLost = 0, 0
	m.Slow = r.total.Slow
	return errors.Join(err, r.settle(m))
}
