package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"vernemq/bench/hist"
)

// Options are how a load is run.
type Options struct {
	Agents   []string // addresses; none: in this process
	Progress func(Sample)
}

// runner carries out one run.
type runner struct {
	load    Load
	engines []engine
	agents  []string
	run     *Run
	show    func(Sample)
	began   time.Time
	phase   string

	total    counters // as of the latest look
	latency  hist.Histogram
	connect  hist.Histogram
	lag      hist.Histogram
	shakes   hist.Histogram
	answers  hist.Histogram
	refusals map[string]int64
	cause    string
	workers  int
	settled  int64 // when a client last became ready or was turned away
	came     int64 // when a message was last delivered
	dead     bool  // an engine failed: what the others know is no whole
	missed   int64 // messages that are known to be lost
	mark     mark  // where measuring began
	sampler  sampler
	moved    time.Time // when something last went on
	progress int64     // what had gone on then
	last     mark      // the latest sample
	interval hist.Histogram
}

// mark is a moment of a run.
type mark struct {
	at       time.Time
	total    counters
	refusals map[string]int64
	usage    usage
	own      time.Duration // CPU time of this process
}

// Execute runs a load once. The run is never nil: after an error it holds what
// was found out until then.
func Execute(ctx context.Context, l Load, o Options) *Run {
	r := &runner{load: l, agents: o.Agents, show: o.Progress, began: time.Now(), moved: time.Now(), run: &Run{Started: time.Now()}}
	defer func() { r.run.Seconds = time.Since(r.began).Seconds() }()
	err := r.prepare()
	if err == nil {
		err = r.carryOut(ctx)
	}
	r.closeEngines()
	if err != nil {
		r.failf("%v", err)
	}
	if r.sampler.ended {
		r.failf("process %d ended in mid-run", r.load.PID)
	}
	return r.run
}

func (r *runner) failf(format string, args ...any) {
	r.run.Failures = append(r.run.Failures, fmt.Sprintf(format, args...))
}

func (r *runner) notef(format string, args ...any) {
	r.run.Notes = append(r.run.Notes, fmt.Sprintf(format, args...))
}

// prepare makes the engines and their clients.
func (r *runner) prepare() error {
	r.sampler = sampler{pid: process(r.load.PID)}
	var err error
	if r.last.usage, err = r.sampler.read(); err != nil {
		return err
	}
	r.last.at = r.began
	if len(r.agents) == 0 {
		r.engines = []engine{&pool{}}
	}
	for _, a := range r.agents {
		e, err := dialAgent(a, r.load.Timeout)
		if err != nil {
			return err
		}
		r.engines = append(r.engines, e)
	}
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		return fmt.Errorf("cannot make a name for the run: %w", err)
	}
	for i, e := range r.engines {
		p := &plan{Load: r.load, Secret: r.load.Password, PEM: r.load.pems(), Run: hex.EncodeToString(id), Share: i, Of: len(r.engines)}
		if _, err := e.do(command{Op: opPrepare, Plan: p}); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) closeEngines() {
	for _, e := range r.engines {
		e.close()
	}
}

// all gives a command to all engines at once and joins the replies.
func (r *runner) all(c command) (replies []reply, err error) {
	replies = make([]reply, len(r.engines))
	errs := make([]error, len(r.engines))
	done := make(chan struct{})
	for i, e := range r.engines {
		go func() {
			replies[i], errs[i] = e.do(c)
			done <- struct{}{}
		}()
	}
	for range r.engines {
		<-done
	}
	err = errors.Join(errs...)
	r.dead = r.dead || err != nil
	return replies, err
}

// look takes what the engines have counted.
func (r *runner) look() error {
	replies, err := r.all(command{Op: opSnapshot})
	if err != nil {
		return err
	}
	var s snapshot
	for i := range replies {
		s.add(replies[i].Snapshot)
	}
	r.total, r.workers, r.settled, r.came = s.Counters, s.Workers, s.Settled, s.Came
	r.latency.Merge(&s.Latency)
	r.interval.Merge(&s.Latency)
	r.connect.Merge(&s.Connect)
	r.lag.Merge(&s.Lag)
	r.shakes.Merge(&s.Shakes)
	r.answers.Merge(&s.Answers)
	r.refusals = s.Refusals
	if r.cause == "" {
		r.cause = s.Cause
	}
	t := &r.total
	if moved := t.Connected + t.Failed + t.Subscribed + t.Lost + t.TakenOver + t.Secured + t.Turned + t.Acked + t.Delivered + t.Slow; moved != r.progress {
		r.progress, r.moved = moved, time.Now()
	}
	return r.sample()
}

const (
	lookEvery   = 50 * time.Millisecond
	sampleEvery = time.Second
)

// until looks at the engines until cond holds. It fails when nothing goes on
// for the timeout although idle says that something should.
func (r *runner) until(ctx context.Context, what string, cond, idle func() bool) error {
	r.moved = time.Now()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := r.look(); err != nil {
			return err
		}
		switch {
		case cond():
			return nil
		case r.gone():
			return fmt.Errorf("%s: the broker ended all connections (first: %s)", what, r.cause)
		case !idle() && time.Since(r.moved) > r.load.Timeout:
			return fmt.Errorf("%s: %w for %v", what, errStalled, r.load.Timeout)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("interrupted")
		}
	}
}

var errStalled = errors.New("nothing came from the broker")

// gone tells that the broker has ended every connection there was.
func (r *runner) gone() bool { return r.total.Open == 0 && r.total.Lost > 0 }

func never() bool  { return false }
func always() bool { return true }

// sample keeps a point of the series each second.
func (r *runner) sample() error {
	at := time.Now()
	d := at.Sub(r.last.at)
	if d < sampleEvery {
		return nil
	}
	u, err := r.sampler.read()
	if err != nil {
		return err
	}
	per := func(a, b int64) float64 { return float64(a-b) / d.Seconds() }
	t, was := &r.total, &r.last.total
	s := Sample{
		Second: at.Sub(r.began).Seconds(), Phase: r.phase, Open: t.Open, Sent: per(t.Sent, was.Sent),
		Delivered: per(t.Delivered, was.Delivered), Connected: per(t.Connected, was.Connected),
		P50: float64(r.interval.Quantile(0.5)) / 1e6, P99: float64(r.interval.Quantile(0.99)) / 1e6,
		CPU: 100 * (u.cpu - r.last.usage.cpu).Seconds() / d.Seconds(), Memory: u.memory,
		Backlog: max(max(t.Due, t.Sent)*int64(r.load.fan())-t.Delivered, 0),
	}
	r.run.Series = append(r.run.Series, s)
	r.interval.Reset()
	r.last = mark{at: at, total: r.total, usage: u}
	if r.show != nil {
		r.show(s)
	}
	return nil
}

// sampler reads what the broker uses; without its process id, nothing. When the
// process ends in mid-run its last figures stay: the connections will tell.
type sampler struct {
	pid   process
	max   int64
	last  usage
	known bool // there was such a process
	ended bool
}

func (s *sampler) read() (u usage, err error) {
	if s.pid == 0 {
		return u, nil
	}
	u, err = s.pid.usage()
	if err != nil && s.known {
		s.ended = true
		return s.last, nil
	}
	s.last, s.known, s.max = u, err == nil, max(s.max, u.memory)
	return u, err
}
