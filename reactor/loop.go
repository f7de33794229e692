package reactor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"

	"vernemq/reactor/ws"
)

const (
	quarterSecond = 250 * time.Millisecond
	readBuffer    = 256 << 10 // bytes of a loop's read buffer when nobody says
	readRounds    = 4         // reads of one connection in a turn
	yieldEvery    = 5 * time.Millisecond
	shortWait     = 8 // milliseconds
)

// Loop is one event loop. Unless a field says otherwise, only the loop's
// goroutine touches it.
type Loop struct {
	reactor *Reactor
	index   int
	handler Handler
	timed   Timed // the same, if it wants to know the time; else nil
	poller  *netpoll.Poller
	epoll   int         // its descriptor
	timer   int         // timerfd that fires every quarter second
	bell    int         // eventfd that others ring
	due     bool        // this turn is to end
	rung    atomic.Bool // any goroutine: a turn's end is asked for
	ended   atomic.Bool // any goroutine: the loop takes nothing any more
	waking  sync.Mutex  // held while the poller is woken or closed
	control *Inbox[func()]
	arrived *Inbox[*Conn]
	shaken  *Inbox[*handshake] // TLS handshakes with something to say

	inboxMu sync.Mutex                // guards changes of inboxes
	inboxes atomic.Pointer[[]drainer] // a new list with each change

	quarter uint32        // quarter seconds since the loop runs
	now     atomic.Uint32 // loop clock in seconds; written by the loop
	wall    time.Time     // of this turn, zero until somebody asks

	read      []byte
	raw       []byte       // TLS records are read into it; nil until the first
	feed      []byte       // rest of the records that are being decrypted
	tlsInput  bytes.Buffer // lent to the tls.Conn that reads
	plain     []byte       // scratch: what is being sealed
	reply     []byte       // scratch: answers of the WebSocket layer
	request   ws.Request   // scratch
	bufs      buffers
	iov       [][]byte
	dirty     []*Conn
	spare     []*Conn // dirty of the next turn
	closing   []*Conn
	resumed   []*Conn
	draining  []connRef
	borrowers []connRef // with output that lies in the read buffer
	larges    []connRef // with output that FlushLarge is to write
	stuck     []connRef // with output that the kernel does not take
	holding   []holding // with output that waits for a number
	lobby     lobby
	conns     int // that this loop owns
	exit      bool

	acceptors   []*acceptor
	acceptError uint32 // loop clock of the latest line about a failed accept
	stats       stats
	released    bool
}

func newLoop(r *Reactor, index int) (*Loop, error) {
	l := &Loop{reactor: r, index: index, read: make([]byte, r.cfg.ReadBuffer), timer: -1, bell: -1}
	l.now.Store(1)
	var err error
	if l.poller, err = netpoll.OpenPoller(); err != nil {
		return nil, err
	}
	if l.epoll, err = descriptorOf(l.poller); err == nil {
		err = l.openOwn()
	}
	if err != nil {
		l.release()
		return nil, err
	}
	l.control = NewInbox(l, func(fs []func()) {
		for _, f := range fs {
			l.guard(nil, f)
		}
	})
	l.shaken = NewInbox(l, l.shakenOn)
	l.arrived = NewInbox(l, func(cs []*Conn) {
		for _, c := range cs {
			l.guard(c, func() { l.welcome(c) })
		}
	})
	return l, nil
}

// descriptorOf gives the epoll descriptor of a poller, which has no method for
// that. The version of gnet is fixed; with another one this may fail, and New
// says so.
func descriptorOf(p *netpoll.Poller) (int, error) {
	fd := reflect.ValueOf(p).Elem().FieldByName("fd")
	if fd.Kind() != reflect.Int {
		return 0, errors.New("cannot find the descriptor of gnet's poller")
	}
	return int(fd.Int()), nil
}

// openOwn makes the loop's timer and bell.
func (l *Loop) openOwn() (err error) {
	l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("cannot make a timer: %w", err)
	}
	every := unix.NsecToTimespec(int64(quarterSecond))
	if err = unix.TimerfdSettime(l.timer, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
		return fmt.Errorf("cannot start the timer: %w", err)
	}
	if l.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("cannot make a bell: %w", err)
	}
	for _, fd := range []int{l.timer, l.bell} {
		if err = l.poller.AddRead(&netpoll.PollAttachment{FD: fd}, false); err != nil {
			return fmt.Errorf("cannot watch a descriptor: %w", err)
		}
	}
	return nil
}

func (l *Loop) release() {
	if l.released {
		return
	}
	l.released = true
	for _, fd := range []int{l.timer, l.bell} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	l.poller.Close()
}

// Index is the loop's place among the reactor's loops.
func (l *Loop) Index() int { return l.index }

// Reactor is the reactor of the loop.
func (l *Loop) Reactor() *Reactor { return l.reactor }

// Now is the loop clock in seconds: it starts at 1, never goes back and is at
// most a quarter of a second late. Any goroutine.
func (l *Loop) Now() uint32 { return l.now.Load() }

// Time is the wall clock, read at most once a turn.
func (l *Loop) Time() time.Time {
	if l.wall.IsZero() {
		l.wall = time.Now()
	}
	return l.wall
}

// Post runs fn on the loop, soon. Any goroutine.
func (l *Loop) Post(fn func()) { l.control.Put(fn) }

// EndTurn asks for the end of this turn: inboxes, Handler.EndTurn, flush. On
// the loop. When a turn is ending, it asks for another one.
func (l *Loop) EndTurn() { l.due = true }

// Ring asks for the end of a turn. Any goroutine.
func (l *Loop) Ring() {
	if l.rung.Load() || !l.rung.CompareAndSwap(false, true) {
		return
	}
	l.waking.Lock()
	defer l.waking.Unlock()
	if l.ended.Load() { // the descriptors may be somebody else's by now
		return
	}
	one := [8]byte{0: 1, 7: 1}                                                  // not 0 in either byte order
	if _, err := unix.Write(l.bell, one[:]); err != nil && err != unix.EAGAIN { // EAGAIN: it rings already
		l.reactor.cfg.Log.Error("loop cannot be woken", "loop", l.index, "cause", err.Error())
	}
}

// run is the loop's goroutine.
func (l *Loop) run() {
	if err := l.turns(); err != nil {
		l.reactor.cfg.Log.Error("loop has ended", "loop", l.index, "cause", err.Error())
	}
	l.cutAll()
	l.waking.Lock()
	l.ended.Store(true)
	l.waking.Unlock()
}

// turns takes turns until the loop ends. A turn handles all that is ready at
// once, so that each connection is written to once.
//
// The waiting is our own: the poller of gnet does not say when it has handed
// over the last of what was ready, and yields to other goroutines each time it
// runs idle, which has the scheduler wake a thread to look for work. A loop
// that is busy or wakes often yields every few milliseconds: a goroutine that
// seems to run for ten gets interrupted, and has the runtime's monitor look
// after it every 20 us from then on. For the same reason one that has had
// something to do within a second never waits that long: a wait of ten
// milliseconds is taken for a blocked call.
func (l *Loop) turns() error {
	ready := make([]unix.EpollEvent, 128)
	yielded := time.Now()
	busy := yielded // when something happened last
	for !l.exit {
		wait := -1
		if l.due {
			wait = 0
		} else if yielded.Sub(busy) < time.Second {
			wait = shortWait
		}
		n, err := unix.EpollWait(l.epoll, ready, wait)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("cannot wait for events: %w", err)
		}
		if n > 1 || n == 1 && int(ready[0].Fd) != l.timer {
			busy = yielded
		}
		if l.timed != nil {
			l.timed.Woken(time.Now())
		}
		for i := range max(n, 0) {
			l.handle(int(ready[i].Fd), ready[i].Events)
		}
		ended := l.due
		if ended {
			l.endTurn()
		}
		if n == len(ready) && n < 4096 {
			ready = make([]unix.EpollEvent, 2*n)
		}
		now := time.Now()
		if l.timed != nil && (n > 0 || ended) {
			l.timed.Flushed(now)
		}
		if now.Sub(yielded) > yieldEvery {
			runtime.Gosched()
			yielded = now
		}
	}
	return nil
}

// handle handles one ready descriptor.
func (l *Loop) handle(fd int, ev uint32) {
	switch fd {
	case l.timer:
		l.tick()
		return
	case l.bell:
		var b [8]byte
		_, _ = unix.Read(l.bell, b[:]) // there is no event without something to read
		l.due = true
		return
	}
	c := l.reactor.table.at(fd)
	if c == nil || c.owner.Load() != int32(l.index)+1 {
		return
	}
	if c.state == stateListening {
		l.guard(nil, func() { l.accept(c.user.(*acceptor)) })
		return
	}
	if ev&unix.EPOLLOUT != 0 {
		l.guard(c, func() { l.flush(c) })
	}
	if c.interest.watched() == watchHangup && ev != 0 {
		c.Close(errHangup)
		return
	}
	if ev&(unix.EPOLLIN|unix.EPOLLPRI) != 0 || ev&(unix.EPOLLERR|unix.EPOLLHUP) != 0 && c.flags&flagPaused == 0 {
		l.readable(c)
	} else if ev&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		c.Close(errHangup)
	}
}

// endTurn ends a turn. What asks for another one from here on is for the next.
func (l *Loop) endTurn() {
	l.due = false
	l.rung.Store(false)
	// Connections that are on their way here wait until all that was sent to
	// this loop before them has been handled: a client may come because
	// somebody's message for it was acknowledged.
	arrived := l.arrived.take()
	for _, b := range *l.inboxes.Load() {
		if b != drainer(l.arrived) {
			b.drainAll()
		}
	}
	l.arrived.handle(arrived)
	l.resumeReads()
	l.guard(nil, l.handler.EndTurn)
	l.flushDirty()
	l.finishClosing()
	l.bufs.endTurn()
	l.wall = time.Time{}
}

// guard runs f and contains its panic. c is the connection that it concerns,
// if any, and is closed then.
func (l *Loop) guard(c *Conn, f func()) {
	defer func() {
		if p := recover(); p != nil {
			l.panicked(c, p)
		}
	}()
	f()
}

// lastPackets is what the handler says of the packets that it has just handled.
func (l *Loop) lastPackets() (text string) {
	defer func() { _ = recover() }() // it is in an unknown state
	if w, ok := l.handler.(Witness); ok {
		text = w.LastPackets()
	}
	return text
}

func (l *Loop) panicked(c *Conn, p any) {
	l.stats.panics.inc()
	attrs := []any{"loop", l.index, "panic", fmt.Sprint(p)}
	if c != nil {
		attrs = append(attrs, "peer", c.Peer().String(), "packets", l.lastPackets())
	}
	l.reactor.cfg.Log.Error("panic contained", append(attrs, "stack", string(debug.Stack()))...)
	if c != nil && c.owner.Load() == int32(l.index)+1 {
		c.Close(errPanic)
	}
}

// tick is called every quarter of a second.
func (l *Loop) tick() {
	var b [8]byte
	if n, err := unix.Read(l.timer, b[:]); err != nil || n != 8 {
		return
	}
	l.quarter += uint32(binary.NativeEndian.Uint64(b[:]))
	l.wall = time.Time{}
	l.lobbyDeadlines()
	l.drainDeadlines()
	l.retryAccept()
	now := l.reactor.sinceStart()
	if now == l.now.Load() {
		return
	}
	l.now.Store(now)
	l.stats.lobby.n.Store(uint64(l.lobby.size))
	l.sendDeadlines(now)
	l.bufs.trim()
	l.guard(nil, func() { l.handler.Tick(now) })
}

// readable reads a connection, several times if it sends a lot.
func (l *Loop) readable(c *Conn) {
	for range readRounds {
		if c.flags&flagPaused != 0 || !l.readOnce(c) {
			return
		}
	}
}

// readOnce reads once and hands over what has arrived. It tells whether there
// may be more.
func (l *Loop) readOnce(c *Conn) bool {
	if c.state == stateClosing || c.state == stateFree || c.state == stateMoving {
		return false
	}
	if c.state == stateDraining {
		c.dropInput()
	}
	into, have := l.readSpace(c)
	var n int
	var err error
	if c.wire == nil || c.state == stateDraining {
		n, err = unix.Read(int(c.fd), into[have:])
	} else {
		n, err = c.wire.read(l, c, into[have:])
	}
	l.stats.reads.inc()
	switch {
	case n > 0:
	case n == 0 && err == nil && c.state == stateDraining && c.flags&flagShut == 0:
		// The peer has ended its direction only and may still take our output.
		c.flags |= flagPeerShut
		c.watch(c.interest &^ watchRead)
		return false
	case n == 0 && err == nil:
		c.Close(io.EOF)
		return false
	case err == unix.EAGAIN || err == unix.EINTR:
		return false
	default:
		c.Close(err)
		return false
	}
	l.stats.bytesIn.add(n)
	if c.state == stateDraining {
		return have+n == len(into)
	}
	l.guard(c, func() {
		if c.wire != nil {
			l.unwrap(c, into[:have+n], have)
			return
		}
		c.lastSeen = l.now.Load()
		l.handOver(c, into[:have+n])
	})
	return have+n == len(into) && c.owner.Load() == int32(l.index)+1
}

// largeRest is the size of an incomplete packet from which it is read where it
// is kept, instead of being copied into the loop's buffer each time. That has
// room for as much again, whatever its size.
const largeRest = leastReadBuffer / 2

// readSpace gives the buffer to read into and how much of it is filled with
// what the connection has not handed over yet.
func (l *Loop) readSpace(c *Conn) (into []byte, have int) {
	if c.in == nil {
		return l.read, 0
	}
	rest := c.in.B
	if len(rest) < largeRest {
		return l.read, copy(l.read, rest)
	}
	if cap(rest)-len(rest) < largeRest {
		// Memory follows what has really arrived, not what the peer announces.
		grown := make([]byte, len(rest), 2*cap(rest))
		copy(grown, rest)
		c.in.B, rest = grown, grown
	}
	return rest[:cap(rest)], len(rest)
}

// handOver gives bytes to the lobby or to the handler and keeps what they do
// not take.
func (l *Loop) handOver(c *Conn, data []byte) {
	if c.state == stateLobby {
		l.enter(c, data)
		return
	}
	l.keep(c, data[l.offer(c, c.stream(data)):])
	if c.wire != nil {
		l.checkEnd(c)
	}
}

// offer gives bytes to the handler and returns how many it has taken.
func (l *Loop) offer(c *Conn, data []byte) int {
	defer l.settle()
	n, _ := l.handler.Data(c, data)
	return n
}

// keep keeps the bytes that are left over. They may lie in c.in already.
func (l *Loop) keep(c *Conn, rest []byte) {
	if len(rest) == 0 || c.state == stateClosing || c.state == stateDraining {
		c.dropInput()
		return
	}
	if c.in == nil {
		c.in = newBuffer()
	}
	if len(c.in.B) > 0 && cap(c.in.B) >= largeRest && &rest[0] == &c.in.B[:1][0] {
		c.in.B = rest
		return
	}
	if cap(c.in.B) > largeRest && len(rest) < cap(c.in.B)/4 {
		// The memory of a large packet does not stay for a small rest.
		small := &bytebufferpool.ByteBuffer{B: slices.Clone(rest)}
		c.dropInput()
		c.in = small
		return
	}
	c.in.B = append(c.in.B[:0], rest...)
}

// resumeReads hands over what was left when reading was paused.
func (l *Loop) resumeReads() {
	list := l.resumed
	l.resumed = nil
	for _, c := range list {
		if c.owner.Load() != int32(l.index)+1 || c.flags&flagResume == 0 {
			continue
		}
		c.flags &^= flagResume
		if c.state != stateOpen || c.flags&flagPaused != 0 {
			continue
		}
		if c.in != nil {
			l.guard(c, func() { l.handOver(c, c.in.B) })
		} else if c.wire != nil {
			l.checkEnd(c)
		}
	}
}

// welcome takes over a connection that another loop sent here.
func (l *Loop) welcome(c *Conn) {
	c.loop = l
	l.conns++
	if c.out != nil { // there is something to be sent already
		c.out.bufs = &l.bufs
		l.markDirty(c)
	}
	var data []byte
	if c.in != nil {
		data = c.in.B
	}
	l.open(c, data)
}

// open starts the life of a connection on its home loop, with what it has sent
// so far.
func (l *Loop) open(c *Conn, data []byte) {
	c.state = stateOpen
	if l.reactor.stopping.Load() {
		c.Close(ErrStopped)
		return
	}
	c.lastSeen = l.now.Load()
	c.flags |= flagOpened
	if c.flags&flagPaused == 0 {
		c.watch(watchRead)
	}
	l.handler.Opened(c)
	if c.flags&flagPaused != 0 {
		l.keep(c, data)
	} else if c.state == stateOpen {
		l.handOver(c, data)
	}
}
