package bench

import (
	"crypto/tls"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"vernemq/bench/hist"
	"vernemq/codec"
)

// group is a part of the clients.
type group int

// The groups. Again are the idle clients' ids once more, for a take-over.
const (
	subscribers group = iota
	publishers
	idle
	again
	groups
)

// counters are what a worker has counted since it began.
type counters struct {
	Connected  int64 `json:"connected"`  // handshakes that succeeded
	Failed     int64 `json:"failed"`     // connections that could not be made
	Subscribed int64 `json:"subscribed"` // clients whose subscriptions are all granted
	Lost       int64 `json:"lost"`       // connections that the broker ended
	TakenOver  int64 `json:"taken_over"` // connections that ended because of another
	Open       int64 `json:"open"`
	Due        int64 `json:"due"`
	Sent       int64 `json:"sent"`
	Acked      int64 `json:"acked"`    // QoS 1 and 2
	Refused    int64 `json:"refused"`  // acknowledged with a failure
	Secured    int64 `json:"secured"`  // TLS handshakes
	Resumed    int64 `json:"resumed"`  // of these
	Turned     int64 `json:"turned"`   // clients with a wrong password that were refused
	Admitted   int64 `json:"admitted"` // and those that were not
	Delivered  int64 `json:"delivered"`
	Duplicates int64 `json:"duplicates"`
	Late       int64 `json:"late"` // behind a later message of their publisher
	Foreign    int64 `json:"foreign"`
	Slow       int64 `json:"slow"` // delivered to slow subscribers
	Idle       int64 `json:"idle"` // nanoseconds in which a worker waited
}

// fields are the counters one by one, to add them.
func (c *counters) fields() []*int64 {
	return []*int64{&c.Connected, &c.Failed, &c.Subscribed, &c.Lost, &c.TakenOver, &c.Open, &c.Due, &c.Sent, &c.Acked,
		&c.Refused, &c.Secured, &c.Resumed, &c.Turned, &c.Admitted, &c.Delivered, &c.Duplicates, &c.Late, &c.Foreign, &c.Slow, &c.Idle}
}

func (c *counters) add(o *counters) {
	to, from := c.fields(), o.fields()
	for i := range to {
		*to[i] += *from[i]
	}
}

// under is what other workers must know of a worker's messages in a closed
// loop. Each worker has its own cache line.
type under struct {
	sent, delivered atomic.Int64
	_               [48]byte
}

// worker drives its clients on one goroutine.
type worker struct {
	plan    *plan
	version codec.Version
	ep      int
	bell    int // eventfd: there are tasks
	clients []client
	members [groups][]*client // in the order of their numbers
	events  []unix.EpollEvent
	buf     []byte    // what was read
	raw     []byte    // records of TLS that were read
	plain   []byte    // packets that are being sealed
	pattern []byte    // payload of each message
	dirty   []*client // with output
	pub     codec.Publish
	ack     codec.Ack

	dial  dialer
	pace  pacer
	under []under // of all workers
	index int
	seen  []seen // of a shared subscription, by publisher

	tls     *tls.Config    // nil without TLS
	shaking sync.WaitGroup // goroutines of handshakes

	count   counters
	latency hist.Histogram // since the latest snapshot
	connect hist.Histogram
	shakes  hist.Histogram // TLS handshakes
	answers hist.Histogram // from CONNECT to CONNACK
	lag     hist.Histogram // from when a message was due to when the worker looked at it
	cause   string         // of the first failure
	settled int64          // when a client last became ready or was turned away
	came    int64          // when a message was last delivered

	refusals map[string]int64 // clients that the broker refused, by reason
	sweepAt  int64

	mu    sync.Mutex
	tasks []func()
	done  bool
}

const (
	eventsAtOnce = 512
	bufferSize   = 256 << 10
	bellIndex    = -1
)

func newWorker(p *plan, index int, all []under) (*worker, error) {
	w := &worker{plan: p, version: codec.Version(p.Level), index: index, under: all, bell: -1,
		events: make([]unix.EpollEvent, eventsAtOnce), buf: make([]byte, bufferSize+2*p.Size), pattern: make([]byte, p.Size)}
	for i := range w.pattern {
		w.pattern[i] = byte(i)
	}
	var err error
	if w.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("cannot create an epoll descriptor: %w", err)
	}
	if w.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		unix.Close(w.ep)
		return nil, fmt.Errorf("cannot create an event descriptor: %w", err)
	}
	err = unix.EpollCtl(w.ep, unix.EPOLL_CTL_ADD, w.bell, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: bellIndex})
	if err != nil {
		w.free()
		return nil, fmt.Errorf("cannot watch the event descriptor: %w", err)
	}
	if p.TLS != nil {
		if w.tls, err = p.TLS.config(p.Addr); err != nil {
			w.free()
			return nil, err
		}
	}
	w.enrol()
	return w, nil
}

func (w *worker) free() {
	unix.Close(w.ep)
	unix.Close(w.bell)
}

// call runs f on the worker's goroutine and waits for it.
func (w *worker) call(f func()) {
	done := make(chan struct{})
	w.post(func() { f(); close(done) })
	<-done
}

// post runs f on the worker's goroutine soon.
func (w *worker) post(f func()) {
	w.mu.Lock()
	w.tasks = append(w.tasks, f)
	w.mu.Unlock()
	one := [8]byte{7: 1}
	_, _ = unix.Write(w.bell, one[:])
}

// run is the worker's loop. It ends after a task has set done.
func (w *worker) run() {
	runtime.LockOSThread()
	defer w.free()
	at := now()
	for !w.done {
		n := w.wait(w.patience(at))
		woken := now()
		w.count.Idle += woken - at
		at = woken
		for i := range w.events[:n] {
			w.event(&w.events[i])
		}
		at = now()
		w.dialTurn(at)
		w.publishTurn(at)
		w.flushAll()
		if at >= w.sweepAt {
			w.sweep(at)
		}
		w.publishUnder()
		at = now()
	}
	w.hangUp()
	w.shaking.Wait() // they ring the bell
}

// patience is how long the worker may wait for events: until the next connect
// or message is due, or the next sweep.
func (w *worker) patience(at int64) int64 {
	next := min(w.sweepAt, w.dialDue(at), w.publishDue(at))
	return max(next-at, 0)
}

// wait waits for events. epoll_pwait2 takes nanoseconds, without which a
// message due in 100 µs would be sent 1 ms late.
func (w *worker) wait(ns int64) int {
	ts := unix.NsecToTimespec(ns)
	n, _, err := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(w.ep), uintptr(unsafe.Pointer(&w.events[0])),
		uintptr(len(w.events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch err {
	case 0:
		return int(n)
	case unix.ENOSYS: // Linux before 5.11
		m, _ := unix.EpollWait(w.ep, w.events, int(ns/int64(time.Millisecond)))
		return max(m, 0)
	}
	return 0
}

func (w *worker) event(ev *unix.EpollEvent) {
	if ev.Fd == bellIndex {
		w.runTasks()
		return
	}
	c := &w.clients[ev.Fd]
	if c.fd != ev.Pad { // closed in this turn
		return
	}
	if ev.Events&unix.EPOLLERR != 0 {
		w.lose(c, socketError(int(c.fd)))
		return
	}
	if ev.Events&unix.EPOLLOUT != 0 {
		w.writable(c)
	}
	if ev.Events&(unix.EPOLLIN|unix.EPOLLHUP) != 0 && c.fd >= 0 {
		w.read(c)
	}
}

func (w *worker) runTasks() {
	var b [8]byte
	_, _ = unix.Read(w.bell, b[:])
	w.mu.Lock()
	tasks := w.tasks
	w.tasks = nil
	w.mu.Unlock()
	for _, t := range tasks {
		t()
	}
}

// publishUnder shows the other workers how many messages are under way.
func (w *worker) publishUnder() {
	u := &w.under[w.index]
	u.sent.Store(w.count.Sent)
	u.delivered.Store(w.count.Delivered)
}

// sweepEvery is how often keep alive and handshakes are looked at.
const sweepEvery = int64(time.Second)

// sweep pings for clients that were silent and gives up handshakes that take
// too long.
func (w *worker) sweep(at int64) {
	w.sweepAt = at + sweepEvery
	quiet := int64(w.plan.KeepAlive) * int64(time.Second) * 2 / 3
	for i := range w.clients {
		c := &w.clients[i]
		switch {
		case c.fd < 0:
		case c.state < ready && at-c.begun > int64(w.plan.Timeout):
			w.lose(c, errSlowHandshake)
		case c.state == ready && quiet > 0 && at-c.spoke > quiet:
			c.out = codec.AppendPingreq(c.out)
			w.mark(c)
		}
	}
	w.flushAll()
}
