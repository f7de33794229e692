package capacity

import (
	"context"
	"fmt"
	"time"

	"vernemq/bench"
)

// level is what joins the broker in a step of the memory measurement.
type level struct{ connections, subscriptions int }

const subscribersOfLevel = 50

// levels are idle connections, and on top of them subscriptions of few clients.
func levels(quick bool) (all []level, idle int) {
	idle, subs, each := 6, 3, 15_000
	if quick {
		idle, subs, each = 4, 2, 10_000
	}
	for range idle {
		all = append(all, level{1500, 0})
	}
	for range subs {
		all = append(all, level{subscribersOfLevel, each})
	}
	return all, idle
}

// memoryPoint is what was there at a moment, and the bytes it took.
type memoryPoint struct{ connections, subscriptions, rss, kernel float64 }

// connections measures memory in steps. All clients stay until the last step
// is measured. It comes first: later connections would get memory that the
// broker has kept from messages, and look cheap.
func (c *calibrator) connections(ctx context.Context) error {
	read, source := kernelReader()
	c.KernelSource = source
	all, idle := levels(c.Options.Quick)
	var points []memoryPoint
	var add func(at memoryPoint, rest []level) error
	add = func(at memoryPoint, rest []level) error {
		c.Progress(fmt.Sprintf("memory of %.0f connections, %.0f subscriptions", at.connections, at.subscriptions))
		time.Sleep(700 * time.Millisecond) // the kernel frees, the broker collects
		rss, err := bench.Memory(c.PID)
		if err != nil {
			return err
		}
		if at.kernel, err = read(); err != nil {
			return err
		}
		at.rss = float64(rss)
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
