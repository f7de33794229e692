package capacity

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"vernemq/bench"
)

// Options say what is calibrated.
type Options struct {
	Addr     string
	PID      int
	TLS      *bench.TLS // nil: plain TCP
	Quick    bool
	Progress func(string) // may be nil
}

// calibrator measures against one broker.
type calibrator struct {
	Options
	*Calibration
	connects []float64 // µs of CPU for each connection
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
	if o.TLS != nil {
		if c.Calibration.TLS, err = o.TLS.Parameters(ctx, o.Addr); err != nil {
			return nil, fmt.Errorf("cannot calibrate: %w", err)
		}
	}
	c.Base = Constant{float64(base), bytesUnit, 1, 0}
	for _, step := range []func(context.Context) error{c.connections, c.messages} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("cannot calibrate: %w", err)
		}
	}
	value, spread := mean(c.connects)
	c.Connect = Constant{value, microsUnit, len(c.connects), spread}
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

// tlsParallel is how many TLS handshakes are under way at once: on a busy
// machine a broker that counts their time gives up some of many.
const tlsParallel = 32

// load is a scenario with the addresses of this calibration.
func (c *calibrator) load(scenario string) bench.Load {
	s, err := bench.Find(scenario)
	if err != nil {
		panic(err) // the names are ours
	}
	l := s.Load
	l.Addr, l.PID, l.TLS, l.ConnectRate, l.Workers = c.Addr, c.PID, c.Options.TLS, 0, 1
	if l.TLS != nil {
		l.Parallel = tlsParallel
	}
	l.DefaultWindow()
	return l
}
