package disk

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"vernemq/queue"
	"vernemq/queue/store"
)

// steady is a broker in small: loops whose turns end with a commit, clients
// that publish with QoS 1 when the message before is acknowledged, and as many
// subscribers that acknowledge what they get.
type steady struct {
	s       *Store
	loops   []*steadyLoop
	wire    *wire
	message *queue.Message
	pause   time.Duration // of a client between two messages

	mu   sync.Mutex
	left int // messages still to be published
	took []time.Duration
	busy sync.WaitGroup
}

// steadyClient is a publisher and its subscriber.
type steadyClient struct {
	store.Client
	loop *steadyLoop // of the publisher
	to   *steadyLoop // of the subscriber
	sent time.Time
	next []queue.Ref // of messages that the subscriber has not acknowledged
}

type steadyLoop struct {
	x      *steady
	mu     sync.Mutex
	filled sync.Cond
	inbox  []func(*steadyTurn)
	closed bool
}

// steadyTurn is one turn of a loop.
type steadyTurn struct {
	batch *Batch
	acks  []*steadyClient // publishers that wait for the batch
	after []func()        // to be called when it is handed over
}

func (l *steadyLoop) send(f func(*steadyTurn)) {
	l.mu.Lock()
	l.inbox = append(l.inbox, f)
	l.mu.Unlock()
	l.filled.Signal()
}

func (l *steadyLoop) run() {
	defer l.x.busy.Done()
	for {
		l.mu.Lock()
		for len(l.inbox) == 0 && !l.closed {
			l.filled.Wait()
		}
		events := l.inbox
		l.inbox = nil
		l.mu.Unlock()
		if len(events) == 0 {
			return
		}
		t := steadyTurn{batch: l.x.s.NewBatch()}
		for _, f := range events {
			f(&t)
		}
		l.x.s.Commit(t.batch, func(err error) {
			if err != nil {
				panic(err)
			}
			for _, c := range t.acks {
				c.acknowledged()
			}
		})
		for _, f := range t.after {
			f()
		}
	}
}

// publish is what a loop does with a PUBLISH.
func (c *steadyClient) publish(t *steadyTurn) {
	t.acks = append(t.acks, c)
	if c.to == c.loop {
		c.deliver(t)
		return
	}
	r := t.batch.HandOver(store.Handover{Loop: 1, Loops: 2, Filter: "sensors/#", Msg: c.loop.x.message})
	t.after = append(t.after, func() {
		c.to.send(func(t *steadyTurn) {
			t.batch.TakeOver(1, r)
			c.deliver(t)
		})
	})
}

// deliver is what the loop of the subscriber does with a message.
func (c *steadyClient) deliver(t *steadyTurn) {
	r := t.batch.Enqueue(c.Client, store.Delivery{Msg: c.loop.x.message, QoS: 1}, false)
	c.next = append(c.next, r)
	c.loop.x.wire.after(wireTime, func() { c.to.send(c.puback) })
}

// puback is what it does with the PUBACK of the subscriber.
func (c *steadyClient) puback(t *steadyTurn) {
	t.batch.Dequeue(c.Client, c.next[0])
	c.next = c.next[1:]
}

// acknowledged tells the publisher that its message is safe.
func (c *steadyClient) acknowledged() {
	x := c.loop.x
	x.mu.Lock()
	defer x.mu.Unlock()
	x.took = append(x.took, time.Since(c.sent))
	if x.left--; x.left < 0 {
		x.busy.Done()
		return
	}
	again := func() {
		c.sent = time.Now()
		c.loop.send(c.publish)
	}
	if x.pause > 0 {
		time.AfterFunc(x.pause, again)
		return
	}
	x.wire.after(wireTime, again)
}

// wireTime is from the loop to a client and back.
const wireTime = 100 * time.Microsecond

// wire delays what goes over the network, all with one timer.
type wire struct {
	mu     sync.Mutex
	filled sync.Cond
	list   []delayed
	closed bool
}

type delayed struct {
	due time.Time
	f   func()
}

func (w *wire) after(d time.Duration, f func()) {
	w.mu.Lock()
	w.list = append(w.list, delayed{time.Now().Add(d), f})
	w.mu.Unlock()
	w.filled.Signal()
}

func (w *wire) run() {
	for {
		w.mu.Lock()
		for len(w.list) == 0 && !w.closed {
			w.filled.Wait()
		}
		if w.closed {
			w.mu.Unlock()
			return
		}
		var due []delayed
		now := time.Now()
		w.list = slices.DeleteFunc(w.list, func(x delayed) bool {
			if !x.due.After(now) {
				due = append(due, x)
				return true
			}
			return false
		})
		w.mu.Unlock()
		for _, x := range due {
			x.f()
		}
		nap := syscall.NsecToTimespec(30_000)
		_ = syscall.Nanosleep(&nap, nil)
	}
}

// BenchmarkSteady is the steady state of persistent subscribers that are
// online: an operation is one message, enqueued, acknowledged by the subscriber
// a moment later, and dequeued.
func BenchmarkSteady(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, loops := range []int{1, 2} {
			for _, clients := range []int{1, 5, 50, 500} {
				b.Run(fmt.Sprintf("sync=%v/loops=%d/clients=%d", sync, loops, clients), func(b *testing.B) {
					runSteady(b, sync, loops, clients, 0, false)
				})
			}
		}
	}
}

// BenchmarkAcross is the same with each subscriber on another loop than its
// publisher.
func BenchmarkAcross(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, clients := range []int{5, 50, 500} {
			b.Run(fmt.Sprintf("sync=%v/clients=%d", sync, clients), func(b *testing.B) {
				runSteady(b, sync, 2, clients, 0, true)
			})
		}
	}
}

// BenchmarkPaced is clients that pause, so many messages a second in all.
func BenchmarkPaced(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, rate := range []int{1000, 4000, 20000} {
			b.Run(fmt.Sprintf("sync=%v/rate=%d", sync, rate), func(b *testing.B) {
				runSteady(b, sync, 1, rate/100, 10*time.Millisecond, false)
			})
		}
	}
}

// BenchmarkLone is a message all alone.
func BenchmarkLone(b *testing.B) {
	for _, sync := range []bool{false, true} {
		b.Run(fmt.Sprintf("sync=%v", sync), func(b *testing.B) {
			runSteady(b, sync, 1, 1, 5*time.Millisecond, false)
		})
	}
}

func runSteady(b *testing.B, sync bool, loops, clients int, pause time.Duration, across bool) {
	s := benchStore(b, sync)
	x := &steady{s: s, wire: &wire{}, message: benchMessage(100), left: b.N, pause: pause}
	x.wire.filled.L = &x.wire.mu
	go x.wire.run()
	for range loops {
		l := &steadyLoop{x: x}
		l.filled.L = &l.mu
		x.loops = append(x.loops, l)
	}
	before, used := s.Metrics(), cpuTime()
	x.busy.Add(clients)
	for i, c := range benchClients(clients) {
		k := &steadyClient{Client: c, loop: x.loops[i%loops], to: x.loops[i%loops]}
		if across {
			k.to = x.loops[(i+1)%loops]
		}
		x.left--
		x.wire.after(pause*time.Duration(i)/time.Duration(clients), func() {
			k.sent = time.Now()
			k.loop.send(k.publish)
		})
	}
	b.ResetTimer()
	for _, l := range x.loops {
		go l.run()
	}
	x.busy.Wait()
	b.StopTimer()
	x.busy.Add(loops)
	for _, l := range x.loops {
		time.Sleep(2 * time.Millisecond)
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		l.filled.Signal()
	}
	x.busy.Wait()
	x.wire.mu.Lock()
	x.wire.closed = true
	x.wire.mu.Unlock()
	x.wire.filled.Signal()
	commit(b, s, s.NewBatch())
	m, n := s.Metrics(), float64(len(x.took))
	slices.Sort(x.took)
	b.ReportMetric(float64((cpuTime()-used).Nanoseconds())/1e3/n, "cpu-us/msg")
	b.ReportMetric(float64(m.WALBytes-before.WALBytes)/n, "wal-B/msg")
	b.ReportMetric(float64(x.took[len(x.took)/2].Nanoseconds())/1e3, "us-p50")
	b.ReportMetric(float64(x.took[len(x.took)*99/100].Nanoseconds())/1e3, "us-p99")
	b.ReportMetric(float64(m.Batches-before.Batches)/float64(m.Groups-before.Groups), "batches/group")
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
