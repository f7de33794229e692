package capacity

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"vernemq/bench"
)

// Options say what is calibrated.
type Options struct {
	Addr     string
	PID      int
	Quick    bool
	Progress func(string) // may be nil
}

// calibrator measures against one broker.
type calibrator struct {
	Options
	*Calibration
	connects []float64 // µs of CPU for each connection
	most     int64     // the largest resident memory under messages
}

// Calibrate measures the constants with loads that are bounded in count and
// time. The broker should have been started for it: memory that a broker once
// had stays with it.
func Calibrate(ctx context.Context, o Options) (*Calibration, error) {
	if o.PID <= 0 {
		return nil, errors.New("cannot calibrate without the broker's process id: give --pid")
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	host := bench.NewResult(bench.Load{}, 0).Host
	c := &calibrator{Options: o, Calibration: &Calibration{Format: format, Made: time.Now().UTC(), Host: host, Quick: o.Quick, Processor: processor()}}
	base, err := bench.Memory(o.PID)
	if err != nil {
		return nil, err
	}
	c.Base = Constant{float64(base), bytesUnit, 1, 0}
	for _, step := range []func(context.Context) error{c.messages, c.connections, c.queue} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("cannot calibrate: %w", err)
		}
	}
	value, spread := mean(c.connects)
	c.Connect = Constant{value, microsUnit, len(c.connects), spread}
	c.Traffic = Constant{max(float64(c.most-base)-c.Connection.Value*1000, 0), bytesUnit, 1, 0}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("cannot use what was measured: %w", err)
	}
	return c.Calibration, nil
}

// processor names the processor; "" when the kernel does not.
func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, "\t :"))
		}
	}
	return ""
}

// mean gives the mean and its standard error.
func mean(x []float64) (value, spread float64) {
	for _, v := range x {
		value += v / float64(len(x))
	}
	if len(x) < 2 {
		return value, 0
	}
	for _, v := range x {
		spread += (v - value) * (v - value)
	}
	return value, math.Sqrt(spread / float64(len(x)*(len(x)-1)))
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}

// load is a scenario with the addresses of this calibration.
func (c *calibrator) load(scenario string) bench.Load {
	s, err := bench.Find(scenario)
	if err != nil {
		panic(err) // the names are ours
	}
	l := s.Load
	l.Addr, l.PID, l.ConnectRate, l.Workers = c.Addr, c.PID, 0, 1
	l.DefaultWindow()
	return l
}

// memoryPoint is what connections cost at a count.
type memoryPoint struct{ n, rss, kernel float64 }

// connections measures the memory of connections: idle ones in steps, and on
// top of them subscribers in steps. All stay until the last is measured.
func (c *calibrator) connections(ctx context.Context) error {
	idle, subscribers := []int{1500, 1500, 1500, 1500}, []int{1500, 1500, 1500}
	if c.Options.Quick {
		idle, subscribers = []int{1500, 1500, 1500}, []int{1500, 1500}
	}
	read, source := kernelReader()
	c.KernelSource = source
	var points []memoryPoint
	look := func(n float64) error {
		time.Sleep(700 * time.Millisecond) // the kernel frees, the broker collects
		rss, err := bench.Memory(c.PID)
		if err != nil {
			return err
		}
		kernel, err := read()
		points = append(points, memoryPoint{n, float64(rss), kernel})
		return err
	}
	if err := look(0); err != nil {
		return err
	}
	var add func(i, n int) error
	add = func(i, n int) error {
		if i == len(idle)+len(subscribers) {
			return nil
		}
		l, more := c.load("hold"), 0
		if i < len(idle) {
			more = idle[i]
			l.Clients = more
		} else {
			more = subscribers[i-len(idle)]
			l = c.load("pairs")
			l.Publishers, l.Subscribers = more, more
		}
		c.Progress(fmt.Sprintf("memory of %d connections", n+more))
		got, err := bench.Stay(ctx, l, func() error {
			if err := look(float64(n + more)); err != nil {
				return err
			}
			return add(i+1, n+more)
		})
		if err == nil && i < len(idle) {
			c.connects = append(c.connects, got.CPU)
		}
		return err
	}
	if err := add(0, 0); err != nil {
		return err
	}
	c.memory(points, len(idle))
	return nil
}

// memory fits the lines. Both ends of a connection are on this machine: half of
// what the kernel takes is the broker's.
func (c *calibrator) memory(points []memoryPoint, idle int) {
	line := func(ps []memoryPoint, y func(memoryPoint) float64) (float64, float64, float64) {
		var xs, ys []float64
		for _, p := range ps {
			xs, ys = append(xs, p.n), append(ys, y(p))
		}
		return Line(xs, ys)
	}
	rss := func(p memoryPoint) float64 { return p.rss }
	each, _, spread := line(points[:idle+1], rss)
	c.Connection = Constant{max(each, 0), bytesUnit, idle + 1, spread}
	both, _, more := line(points[idle:], rss)
	c.Subscription = Constant{max(both-each, 0), bytesUnit, len(points) - idle, math.Hypot(spread, more)}
	kernel, start, spread := line(points, func(p memoryPoint) float64 { return p.kernel / 2 })
	c.Kernel = Constant{max(kernel, 0), bytesUnit, len(points), spread}
	c.KernelBase = Constant{max(start, 0), bytesUnit, len(points), 0}
}

// queue measures messages that wait for sessions that are away, at two
// counts: the first fills memory that is left from before.
func (c *calibrator) queue(ctx context.Context) error {
	if c.Options.Quick {
		return nil
	}
	var rss, count []float64
	for _, each := range []int{400, 950} { // sessions keep 1000 by default
		c.Progress(fmt.Sprintf("%d messages that wait", 100*each))
		l := c.load("offline-burst")
		l.Publishers, l.Subscribers, l.Burst = 100, 100, each
		run := bench.Execute(ctx, l, bench.Options{})
		if len(run.Failures) > 0 {
			return errors.New(strings.Join(run.Failures, "; "))
		}
		rss = append(rss, float64(run.Broker.MemoryMax))
		count = append(count, float64(100*each))
	}
	slope, _, _ := Line(count, rss)
	c.Queued = Constant{max(slope, 0), bytesUnit, len(count), 0}
	return nil
}
