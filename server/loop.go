package server

import (
	"errors"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/queue/store/disk"
	"vernemq/reactor"
	"vernemq/reactor/wheel"
	"vernemq/server/metrics"
	"vernemq/server/session"
	"vernemq/server/trace"
	"vernemq/trie"
)

// inboxLimit is the number of messages on their way to a loop from which
// publishers are not read any more until that loop has caught up.
const inboxLimit = 32768

// inboxBytes is the same for their size.
const inboxBytes = 64 << 20

// finishTimeout is how long a closing connection may take to accept what is
// still to be sent.
const finishTimeout = 5 * time.Second

// loop is the broker's part of a reactor loop: the clients whose home it is
// and all that belongs to them. Only its goroutine touches it, except for the
// fields that say otherwise.
type loop struct {
	broker  *Broker
	reactor *reactor.Loop
	index   int
	log     *slog.Logger

	clients clientTable
	wheel   *wheel.Wheel
	timers  []*session.Session // by id in the wheel
	ticking bool
	spare   []uint32 // ids that are free
	ledger  ledger

	inbox *reactor.Inbox[delivery] // written by every loop
	out   [][]delivery             // for each other loop, handed over when the turn ends
	bytes atomic.Int64             // of messages sent to this loop and not handled; any loop adds
	// congested are the loops that have too much to do; publishers who wait
	// for them are held.
	congested uint64
	waiters   atomic.Uint64 // loops that wait for this one to catch up; written by any loop
	held      []heldConn

	loading  map[*client][]heldConn // sessions that are read from the store, with who waits for them
	unread   []*client              // sessions to read after a restart
	orphans  []orphan
	cut      []*client               // connected when the process ended, and something of theirs is timed
	bequests map[store.Client]uint64 // whose entries are given to others, up to a sequence

	routes  *trie.Memo[route]
	scratch session.Scratch
	arrived queue.Publication // a message from another loop
	behind  queue.Publication // a message that a member of a shared subscription left behind
	ending  bool              // the broker stops
	connect codec.Connect
	random  *rand.Rand

	questions  questions
	grants     grants
	waiting    map[*reactor.Conn]*waiting
	deliveries map[*reactor.Conn]*pendingDelivery
	exchanges  map[*reactor.Conn]*exchange // of clients with enhanced authentication
	answering  map[*reactor.Conn]uint32    // clients that owe an AUTH, with the second of the loop clock until which

	input   []byte // what Data is handling, for LastPackets
	handled int    // of it, up to the packet that is being handled

	traces []*trace.Trace         // nil when nobody traces
	taps   map[*reactor.Conn]*tap // of connections that are traced; nil when there are none

	metrics metrics.Set // what it has published may be read by anyone
	drops   map[*client]int
	lines   logBudget
	refused map[refusedPacket]bool // that have a line in this second
}

// heldConn is a connection that is not read because of congestion. The
// generation tells whether it is still the same.
type heldConn struct {
	conn       *reactor.Conn
	generation uint32
}

func newLoop(b *Broker, r *reactor.Loop, st *disk.Store) *loop {
	l := &loop{
		broker: b, reactor: r, index: r.Index(), log: b.log,
		wheel: wheel.New(r.Now()), routes: trie.NewMemo(b.index), loading: map[*client][]heldConn{},
		bequests: map[store.Client]uint64{},
		random:   rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		drops:    map[*client]int{}, refused: map[refusedPacket]bool{}, waiting: map[*reactor.Conn]*waiting{}, deliveries: map[*reactor.Conn]*pendingDelivery{},
		exchanges: map[*reactor.Conn]*exchange{}, answering: map[*reactor.Conn]uint32{},
	}
	l.inbox = reactor.NewInbox(r, l.receive)
	l.openLedger(st)
	return l
}

// unix is the wall clock of this turn in seconds.
func (l *loop) unix() int64 { return l.reactor.Time().Unix() }

// clock is the loop clock for sessions. A tick comes at a whole second; all
// else happens somewhere before the next one, which counts then.
func (l *loop) clock() uint32 {
	if l.ticking {
		return l.reactor.Now()
	}
	return l.reactor.Now() + 1
}

// Opened has nothing to do: the CONNECT follows as data.
func (l *loop) Opened(*reactor.Conn) {}

// Data handles the packets that have arrived.
func (l *loop) Data(c *reactor.Conn, in []byte) (n, need int) {
	if l.holdsBack(c) {
		return 0, 0
	}
	l.input = in
	n, need = l.packets(c, in)
	l.input = nil
	return n, need
}

func (l *loop) packets(c *reactor.Conn, in []byte) (n, need int) {
	limit, answer := l.packetLimit(c), l.waitsFor(c)
	for n < len(in) {
		l.handled = n
		f, size, need, err := codec.Cut(in[n:], limit)
		if err != nil {
			l.malformed(c, err)
			return len(in), 0
		}
		if size == 0 {
			return n, need
		}
		n += size
		more := l.packet(c, f)
		l.reactor.FlushLarge()
		if answer != nil {
			l.used(c, answer)
			answer = nil
		}
		if !more {
			return len(in), 0
		}
		if c.Paused() { // the client publishes faster than it may, or something is waited for
			if suspended(c) {
				n -= size
			}
			return n, 0
		}
		if (l.congested != 0 || l.ledger.behind) && f.Type() == codec.PUBLISH {
			l.hold(c)
			return n, 0
		}
		// Messages stop at the limit, answers at twice the limit: who does
		// not take them is not asked for more. Writable goes on.
		if c.Full() && c.Pending() > 2*l.broker.config.Load().SendBufferLimit {
			c.PauseRead()
			return n, 0
		}
	}
	return n, 0
}

// packet handles one packet. It returns false when the connection is ending.
func (l *loop) packet(c *reactor.Conn, f codec.Frame) bool {
	if s := sessionOf(c); s != nil {
		if l.taps != nil {
			if x := l.taps[c]; x != nil && !s.Suspended() {
				x.received(f)
			}
		}
		return s.Packet(f)
	}
	a, ok := c.User().(*admission)
	return ok && l.admitting(c, a, f)
}

// suspended tells that the packet at hand was not handled, and comes again.
func suspended(c *reactor.Conn) bool {
	if s := sessionOf(c); s != nil {
		return s.Suspended()
	}
	a, ok := c.User().(*admission)
	return ok && a.suspended
}

// packetLimit is the largest Remaining Length that a connection may send.
func (l *loop) packetLimit(c *reactor.Conn) int {
	if s := sessionOf(c); s != nil && s.Limits().OwnRemaining {
		return s.Limits().MaxRemaining
	}
	return l.broker.config.Load().MaxMessageSize
}

// sessionOf gives the session whose connection c is, nil when there is none
// yet or it has left the connection.
func sessionOf(c *reactor.Conn) *session.Session {
	switch u := c.User().(type) {
	case *client:
		if u.conn == c {
			return &u.session
		}
	case *attached:
		if u.conn == c {
			return &u.session
		}
	}
	return nil
}

func (l *loop) newClient(mountpoint, id string) *client {
	c := &client{loop: l, created: uint32(l.unix())}
	c.session = session.New(c, mountpoint, id)
	c.timer = l.addTimer(&c.session)
	l.clients.add(c)
	l.metrics.Inc(metrics.QueueSetup)
	return c
}

// forget removes a client whose session has ended.
func (l *loop) forget(c *client) {
	l.dropTimer(c.timer)
	l.clients.remove(c)
	delete(l.drops, c)
	l.metrics.Inc(metrics.QueueTeardown)
}

// addTimer gives a session a timer.
func (l *loop) addTimer(s *session.Session) uint32 {
	if k := len(l.spare); k > 0 {
		id := l.spare[k-1]
		l.spare = l.spare[:k-1]
		l.timers[id] = s
		return id
	}
	l.timers = append(l.timers, s)
	return uint32(len(l.timers) - 1)
}

func (l *loop) dropTimer(id uint32) {
	l.wheel.Cancel(id)
	l.timers[id] = nil
	l.spare = append(l.spare, id)
}

// malformed ends a connection that sends no MQTT packets.
func (l *loop) malformed(c *reactor.Conn, err error) {
	s := sessionOf(c)
	if s == nil {
		c.Close(err)
		return
	}
	var e *codec.Error
	if errors.As(err, &e) && e.Code == codec.PacketTooLarge {
		l.metrics.IncVersion(metrics.InvalidMessageSize, s.Version() == codec.V5)
		l.metrics.Inc(metrics.LimitPacketIn)
	}
	s.Malformed(err)
}

// Writable lets a client go on that had too much output.
func (l *loop) Writable(c *reactor.Conn) {
	if s := sessionOf(c); s != nil {
		s.Writable()
		c.ResumeRead() // one that waits for another loop is held again by its next message
	}
}

// Closed tells the client that its connection has ended.
func (l *loop) Closed(c *reactor.Conn, err error) {
	l.logClosed(c, err)
	l.abandon(c)
	if s := sessionOf(c); s != nil {
		s.Lost()
	}
	if l.taps != nil {
		l.untap(c)
	}
}

// Tick fires the timers that are due, unless the broker stops: what a session
// has that would end now is for the next start.
func (l *loop) Tick(now uint32) {
	l.ticking = true
	defer func() { l.ticking = false }()
	if !l.ending {
		l.wheel.Advance(now, func(id uint32) {
			if s := l.timers[id]; s != nil {
				s.Timer()
			}
		})
	}
	l.expectAnswers(now)
	l.catchUp()
	l.routes.Forget()
	l.publishMetrics()
	l.logDrops()
	l.lines.refill()
	clear(l.refused)
}

// EndTurn hands records over to the store and messages to other loops.
func (l *loop) EndTurn() {
	for _, x := range l.taps {
		x.endTurn()
	}
	l.handIn()
	for t, batch := range l.out {
		if len(batch) > 0 {
			l.broker.loops[t].inbox.PutAll(batch)
			clear(batch)
			l.out[t] = batch[:0]
		}
	}
	if l.congested != 0 {
		l.awaitRelief()
	}
}

// handOver puts a message into the batch for another loop.
func (l *loop) handOver(t int, d delivery) {
	l.out[t] = append(l.out[t], d)
	l.metrics.Inc(metrics.LoopMessages)
	to := l.broker.loops[t]
	bytes := to.bytes.Add(int64(d.msg.Size()))
	if (len(l.out[t])+to.inbox.Len() >= inboxLimit || bytes >= inboxBytes) && l.congested&(1<<t) == 0 {
		l.congested |= 1 << t
		l.metrics.Inc(metrics.InboxFull)
	}
	l.reactor.EndTurn()
}

// receive takes the messages that other loops have for clients of this one.
func (l *loop) receive(batch []delivery) {
	defer l.relieve()
	l.metrics.Backlog(len(batch))
	p := &l.arrived
	for i := range batch {
		d := &batch[i]
		if d.ref.Seq != 0 {
			l.records().TakeOver(uint16(l.index), d.ref)
		}
		p.View(d.msg)
		l.bytes.Add(-int64(d.msg.Size()))
		if d.group == nil {
			l.deliver(d.route, p)
		} else if !l.deliverShared(d.group, p) {
			l.publishShared(d.group, p, d.hops)
		}
		p.Reset()
		d.msg.Release()
		l.reactor.FlushLarge()
	}
}

// hold stops reading from a publisher until congestion is over.
func (l *loop) hold(c *reactor.Conn) {
	c.PauseRead()
	l.held = append(l.held, heldConn{c, c.Generation()})
}

// awaitRelief asks the congested loops to call back. One that has caught up
// in the meantime needs no asking.
func (l *loop) awaitRelief() {
	for m := l.congested; m != 0; m &= m - 1 {
		t := l.broker.loops[bits.TrailingZeros64(m)]
		t.waiters.Or(1 << l.index)
		if t.inbox.Len() < inboxLimit/2 && t.bytes.Load() < inboxBytes/2 {
			t.relieve()
		}
	}
}

// relieve tells the loops that wait for this one to go on. Any goroutine.
func (l *loop) relieve() {
	if l.waiters.Load() == 0 {
		return
	}
	for m := l.waiters.Swap(0); m != 0; m &= m - 1 {
		w := l.broker.loops[bits.TrailingZeros64(m)]
		w.reactor.Post(func() { w.resume(l.index) })
	}
}

// resume is told that a loop has caught up.
func (l *loop) resume(from int) {
	l.congested &^= 1 << from
	l.resumeHeld()
}

// resumeHeld reads the held publishers again once nothing is congested.
func (l *loop) resumeHeld() {
	if l.congested != 0 || l.ledger.behind {
		return
	}
	held := l.held
	l.held = nil
	for _, h := range held {
		if h.conn.Generation() == h.generation {
			h.conn.ResumeRead()
		}
	}
}
