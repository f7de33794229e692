package bench

import (
	"errors"
	"fmt"
	"sync"

	"vernemq/bench/hist"
	"vernemq/codec"
)

// engine carries out commands with its share of the clients.
type engine interface {
	do(command) (reply, error)
	close()
}

// op is what an engine is to do.
type op string

const (
	opPrepare   op = "prepare"   // make the clients of a plan
	opConnect   op = "connect"   // begin to connect a group
	opSubscribe op = "subscribe" // send a group's subscriptions
	opDrop      op = "drop"      // disconnect a group
	opPause     op = "pause"     // slow subscribers stop or go on reading
	opPublish   op = "publish"   // begin a phase of messages
	opStop      op = "stop"      // end it
	opSnapshot  op = "snapshot"  // counters, and latencies since the last one
	opPublished op = "published" // how many messages each publisher has sent
	opSettle    op = "settle"    // count what is missing
)

// command is one step of a run. Commands are data, so that they reach an agent
// as they reach the workers of this process.
type command struct {
	Op        op       `json:"op"`
	Plan      *plan    `json:"plan,omitempty"`
	Group     group    `json:"group,omitempty"`
	Start     int64    `json:"start,omitempty"` // nanoseconds since 1970
	End       int64    `json:"end,omitempty"`
	From      int64    `json:"from,omitempty"` // the warm-up ends
	Rate      float64  `json:"rate,omitempty"`
	Each      uint32   `json:"each,omitempty"`
	Clean     bool     `json:"clean,omitempty"`
	Paused    bool     `json:"paused,omitempty"`
	Published []uint32 `json:"published,omitempty"`
}

// reply is what an engine answers.
type reply struct {
	Error     string    `json:"error,omitempty"`
	Snapshot  *snapshot `json:"snapshot,omitempty"`
	Published []uint32  `json:"published,omitempty"` // by publisher; of the engine's own ones
	Unsent    uint64    `json:"unsent,omitempty"`
	Missing   uint64    `json:"missing,omitempty"`
	SlowMiss  uint64    `json:"slow_missing,omitempty"`
	Distinct  []uint32  `json:"distinct,omitempty"` // shared: messages that came, by publisher
}

// snapshot is what engines have counted.
type snapshot struct {
	Counters counters         `json:"counters"`
	Latency  hist.Histogram   `json:"latency"` // since the latest snapshot
	Connect  hist.Histogram   `json:"connect"`
	Lag      hist.Histogram   `json:"lag"`
	Shakes   hist.Histogram   `json:"shakes"`
	Answers  hist.Histogram   `json:"answers"`
	Refusals map[string]int64 `json:"refusals,omitempty"` // since the beginning
	Cause    string           `json:"cause,omitempty"`
	Workers  int              `json:"workers"`
	At       int64            `json:"at"`
	Settled  int64            `json:"settled"` // when a client last became ready or was turned away
	Came     int64            `json:"came"`    // when a message was last delivered
}

func (s *snapshot) add(o *snapshot) {
	s.Counters.add(&o.Counters)
	s.Latency.Merge(&o.Latency)
	s.Connect.Merge(&o.Connect)
	s.Lag.Merge(&o.Lag)
	s.Shakes.Merge(&o.Shakes)
	s.Answers.Merge(&o.Answers)
	for reason, n := range o.Refusals {
		if s.Refusals == nil {
			s.Refusals = map[string]int64{}
		}
		s.Refusals[reason] += n
	}
	s.Workers += o.Workers
	s.At, s.Settled, s.Came = max(s.At, o.At), max(s.Settled, o.Settled), max(s.Came, o.Came)
	if s.Cause == "" {
		s.Cause = o.Cause
	}
}

// pool is the engine of this process.
type pool struct {
	plan    *plan
	workers []*worker
	running sync.WaitGroup
	twice   int64 // messages that several workers have, as far as they are counted
}

func (p *pool) prepare(pl *plan) error {
	p.close()
	p.plan, p.twice = pl, 0
	all := make([]under, pl.Workers)
	for i := range pl.Workers {
		w, err := newWorker(pl, i, all)
		if err == nil {
			if err = w.dial.address(pl); err != nil {
				w.free()
			}
		}
		if err != nil {
			p.close()
			return err
		}
		p.workers = append(p.workers, w)
		p.running.Go(w.run)
	}
	return nil
}

func (p *pool) close() {
	for _, w := range p.workers {
		w.call(func() { w.done = true })
	}
	p.running.Wait()
	p.workers = nil
}

var errNotPrepared = errors.New("there is no plan yet")

func (p *pool) do(c command) (r reply, err error) {
	if c.Op == opPrepare {
		return r, p.prepare(c.Plan)
	}
	if p.workers == nil {
		return r, errNotPrepared
	}
	switch c.Op {
	case opSnapshot:
		r.Snapshot = &snapshot{}
	case opPublished:
		r.Published = make([]uint32, p.plan.Publishers)
	}
	for _, w := range p.workers {
		w.call(func() { err = w.do(c, &r) })
		if err != nil {
			return r, err
		}
	}
	if c.Op == opSettle && p.plan.Shape == Shared {
		r.Distinct, r.Missing = p.distinct(), 0
	}
	return r, nil
}

// do carries out a command on the worker's goroutine and adds to the reply.
func (w *worker) do(c command, r *reply) error {
	switch c.Op {
	case opConnect:
		w.connectGroup(c)
	case opSubscribe:
		w.subscribeGroup(c)
	case opDrop:
		w.dropGroup(c.Group)
	case opPause:
		w.pauseSlow(c.Paused)
	case opPublish:
		w.publishGroup(c)
	case opStop:
		r.Unsent += w.stopPublishing()
	case opSnapshot:
		w.snapshot(r.Snapshot)
	case opPublished:
		for _, p := range w.members[publishers] {
			r.Published[p.number] = p.next
		}
	case opSettle:
		w.settle(c.Published, r)
	default:
		return fmt.Errorf("cannot do %q", c.Op)
	}
	return nil
}

func (w *worker) snapshot(s *snapshot) {
	one := snapshot{Counters: w.count, Refusals: w.refusals, Cause: w.cause, Workers: 1, At: now(), Settled: w.settled, Came: w.came}
	s.add(&one)
	s.Latency.Merge(&w.latency)
	s.Connect.Merge(&w.connect)
	s.Lag.Merge(&w.lag)
	s.Shakes.Merge(&w.shakes)
	s.Answers.Merge(&w.answers)
	w.lag.Reset()
	w.shakes.Reset()
	w.answers.Reset()
	w.latency.Reset()
	w.connect.Reset()
}

func (w *worker) subscribeGroup(c command) {
	for _, s := range w.members[c.Group] {
		if s.state == ready {
			s.due = c.Start
			w.subscribe(s)
		}
	}
}

// dropGroup disconnects a group in order.
func (w *worker) dropGroup(g group) {
	w.dial.queue = nil
	for _, c := range w.members[g] {
		if c.state == ready && !c.writing {
			c.out = codec.AppendDisconnect(c.out, w.version, codec.Success, "", "")
			w.flush(c, now())
		}
		w.close(c)
	}
}

func (w *worker) pauseSlow(paused bool) {
	for _, c := range w.members[subscribers] {
		if c.slow && c.fd >= 0 {
			c.paused = paused
			w.watch(c)
		}
	}
}

// settle counts the messages that subscribers should have and do not.
func (w *worker) settle(published []uint32, r *reply) {
	if w.plan.Shape == Shared {
		return // the members' parts count together
	}
	for _, c := range w.members[subscribers] {
		missing := uint64(0)
		if w.plan.Shape == Pairs {
			missing = c.streams[0].missing(published[c.number])
		} else {
			for publisher, n := range published {
				if i, ok := w.plan.streamOf(c.number, publisher); ok {
					missing += c.streams[i].missing(n)
				}
			}
		}
		if c.slow {
			r.SlowMiss += missing
		} else {
			r.Missing += missing
		}
	}
}
