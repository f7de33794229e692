package capacity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vernemq/bench"
)

// level is what joins the broker in a step of the memory measurement.
type level struct{ connections, subscriptions int }

const subscribersOfLevel = 50

// levels are idle connections, and on top of them subscriptions of few clients.
// With TLS there are few levels, after each of which the broker has to rest.
func levels(quick, tls bool) (all []level, idle int) {
	idle, clients, subs, each := 6, 1500, 3, 15_000
	if quick {
		idle, subs, each = 4, 2, 10_000
	}
	if tls {
		idle, clients = idle/2, 2*clients+1000
	}
	for range idle {
		all = append(all, level{clients, 0})
	}
	for range subs {
		all = append(all, level{subscribersOfLevel, each})
	}
	return all, idle
}

// In a pause the kernel frees and the broker collects. What TLS handshakes
// needed, this broker gives back in two or three rounds of ten seconds.
const (
	pause    = 700 * time.Millisecond
	tlsPause = 32 * time.Second
)

// settle waits for what handshakes have left behind.
func (c *calibrator) settle(ctx context.Context, shaken bool) error {
	d := pause
	if shaken && c.Options.TLS != nil {
		d = tlsPause
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errors.New("interrupted")
	}
}

// memoryPoint is what was there at a moment, and the bytes it took.
// Arrived is rss before the pause.
type memoryPoint struct{ connections, subscriptions, arrived, rss, kernel float64 }

// connections measures memory in steps. All clients stay until the last step
// is measured. It comes first: later connections would get memory that the
// broker has kept from messages, and look cheap.
func (c *calibrator) connections(ctx context.Context) error {
	read, source := kernelReader()
	c.KernelSource = source
	all, idle := levels(c.Options.Quick, c.Options.TLS != nil)
	var points []memoryPoint
	var add func(at memoryPoint, rest []level) error
	add = func(at memoryPoint, rest []level) error {
		c.Progress(fmt.Sprintf("memory of %.0f connections, %.0f subscriptions", at.connections, at.subscriptions))
		arrived, err := bench.Memory(c.PID)
		if err != nil {
			return err
		}
		if err := c.settle(ctx, at.connections > 0 && at.subscriptions == 0); err != nil {
			return err
		}
		rss, err := bench.Memory(c.PID)
		if err != nil {
			return err
		}
		if at.kernel, err = read(); err != nil {
			return err
		}
		at.arrived, at.rss = float64(arrived), float64(rss)
		points = append(points, at)
		if len(rest) == 0 {
			return nil
		}
		next := rest[0]
		at.connections += float64(next.connections)
		at.subscriptions += float64(next.subscriptions)
		got, err := bench.Stay(ctx, c.crowd(next), func() error { return add(at, rest[1:]) })
		if err == nil && next.subscriptions == 0 {
			c.connects = append(c.connects, got.CPU)
		}
		return err
	}
	if err := add(memoryPoint{}, all); err != nil {
		return err
	}
	c.memory(points, idle)
	return nil
}

// crowd is the clients of a level. The subscribers of a fan-in have a
// subscription for each publisher; the publishers stay away.
func (c *calibrator) crowd(n level) bench.Load {
	if n.subscriptions == 0 {
		l := c.load("hold")
		l.Clients = n.connections
		return l
	}
	l := c.load("fanin")
	l.Publishers, l.Subscribers = n.subscriptions, n.connections
	return l
}

// memory fits the lines: idle connections, then subscriptions from what is
// beyond the connections. Both ends of a connection are on this machine: half
// of what the kernel takes is the broker's.
func (c *calibrator) memory(points []memoryPoint, idle int) {
	line := func(ps []memoryPoint, of func(memoryPoint) (x, y float64)) (Constant, float64) {
		var xs, ys []float64
		for _, p := range ps {
			x, y := of(p)
			xs, ys = append(xs, x), append(ys, y)
		}
		slope, start, spread := Line(xs, ys)
		return Constant{max(slope, 0), bytesUnit, len(ps), spread}, start
	}
	if c.Options.TLS != nil {
		c.Storm = storm(points[:idle+1])
	}
	var start float64
	c.Connection, start = line(points[:idle+1], func(p memoryPoint) (float64, float64) { return p.connections, p.rss })
	c.Intercept = Constant{start, bytesUnit, idle + 1, 0}
	c.Subscription, _ = line(points[idle:], func(p memoryPoint) (float64, float64) {
		return p.subscriptions, p.rss - p.connections*c.Connection.Value
	})
	kernel := func(p memoryPoint) (float64, float64) { return p.connections, p.kernel / 2 }
	c.Kernel, start = line(points[:idle+1], kernel)
	c.KernelBase = Constant{2 * start, bytesUnit, idle + 1, 0}
}

// storm is what a connection takes when all have just come.
func storm(points []memoryPoint) Constant {
	var each []float64
	for i, p := range points[1:] {
		each = append(each, (p.arrived-points[i].rss)/(p.connections-points[i].connections))
	}
	value, spread := mean(each)
	return Constant{max(value, 0), bytesUnit, len(each), spread}
}
