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

	loading map[*client][]heldConn // sessions that are read from the store, with who waits for them
	unread  []*client              // sessions to read after a restart
	orphans []orphan

	matches []*trie.Node[route]
	scratch session.Scratch
	arrived queue.Publication // a message from another loop
	behind  queue.Publication // a message that a member of a shared subscription left behind
	ending  bool              // the broker stops
	connect codec.Connect
	random  *rand.Rand

	input   []byte // what Data is handling, for LastPackets
	handled int    // of it, up to the packet that is being handled

	traces []*trace.Trace         // nil when nobody traces
	taps   map[*reactor.Conn]*tap // of connections that are traced; nil when there are none

	metrics metrics.Set // what it has published may be read by anyone
	drops   map[*client]int
	lines   logBudget
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
		wheel: wheel.New(r.Now()), loading: map[*client][]heldConn{},
		random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		drops:  map[*client]int{},
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

// admission is what a connection carries from the loop that accepted it to its
// home loop.
type admission struct {
	id       string
	assigned bool
	arrival  int64 // of the CONNECT, for metrics.Answered
	identity identity
}

// Home checks a CONNECT as far as no state is needed and names the loop that
// the client belongs to.
func (l *loop) Home(c *reactor.Conn, f codec.Frame) (int, []byte, error) {
	li := listenerOf(c)
	err := codec.DecodeConnect(f, &l.connect)
	v5 := l.connect.Version == codec.V5
	l.metrics.IncVersion(metrics.ConnectReceived, v5)
	if err != nil {
		reply := refusal(&l.connect, err)
		l.countRefusal(v5, reply)
		return 0, reply, err
	}
	who := li.identityOf(c)
	who.impose(&l.connect)
	rules := li.rules(l.broker)
	id, assigned, code := session.Admit(&l.connect, &rules)
	if code != codec.Success {
		reply := session.Refuse(&l.connect, code)
		l.countRefusal(v5, reply)
		if l.traces != nil {
			l.traceRefused(c, f, reply)
		}
		return 0, reply, &refusedError{id: string(l.connect.ClientID), code: code}
	}
	c.SetUser(&admission{id, assigned, l.metrics.Arrival(), who})
	return l.broker.home(queue.KeyOf(li.mountpoint, id)), nil, nil
}

// countRefusal counts a refused CONNECT and the CONNACK that says so, if there
// is one. Its second byte after the header is the code [MQTT-3.2.2-2].
func (l *loop) countRefusal(v5 bool, connack []byte) {
	l.metrics.IncVersion(metrics.ConnectRefused, v5)
	if len(connack) > 3 {
		l.metrics.IncCode(metrics.ConnackSent, v5, connack[3])
	}
}

func refusal(c *codec.Connect, err error) []byte {
	var e *codec.Error
	if !errors.As(err, &e) || errors.Is(err, codec.ErrProtocolName) {
		return nil
	}
	return session.Refuse(c, e.Code)
}

// refusedError says why a CONNECT was refused.
type refusedError struct {
	id   string
	code codec.ReasonCode
}

func (e *refusedError) Error() string { return "client refused: " + e.code.String() }

// Opened has nothing to do: the CONNECT follows as data.
func (l *loop) Opened(*reactor.Conn) {}

// Data handles the packets that have arrived.
func (l *loop) Data(c *reactor.Conn, in []byte) (n, need int) {
	l.input = in
	n, need = l.packets(c, in)
	l.input = nil
	return n, need
}

func (l *loop) packets(c *reactor.Conn, in []byte) (n, need int) {
	limit := l.broker.config.Load().MaxMessageSize
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
		if l.mustWait(c, f) {
			return n, 0
		}
		n += size
		if !l.packet(c, f) {
			return len(in), 0
		}
		if (l.congested != 0 || l.ledger.behind) && f.Type() == codec.PUBLISH {
			l.hold(c)
			return n, 0
		}
		if c.Paused() { // the client publishes faster than it may
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

// mustWait tells that a client cannot connect yet, because its session is read
// from the store first. The connection is not read meanwhile; CONNECT comes
// again then.
func (l *loop) mustWait(c *reactor.Conn, f codec.Frame) bool {
	a, ok := c.User().(*admission)
	if !ok || f.Type() != codec.CONNECT {
		return false
	}
	mountpoint := listenerOf(c).mountpoint
	cl := l.clients.find(queue.KeyOf(mountpoint, a.id), mountpoint, a.id)
	if cl == nil || !cl.session.Unread() {
		return false
	}
	c.PauseRead()
	l.load(cl, c)
	return true
}

// packet handles one packet. It returns false when the connection is ending.
func (l *loop) packet(c *reactor.Conn, f codec.Frame) bool {
	if s := sessionOf(c); s != nil {
		if l.taps != nil {
			if x := l.taps[c]; x != nil {
				x.received(f)
			}
		}
		return s.Packet(f)
	}
	a, ok := c.User().(*admission)
	return ok && l.connectClient(c, a, f)
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

// connectClient gives a connection to its client, which is made if it is new.
func (l *loop) connectClient(c *reactor.Conn, a *admission, f codec.Frame) bool {
	if err := codec.DecodeConnect(f, &l.connect); err != nil {
		c.Close(err) // cannot be: Home has decoded the same bytes
		return false
	}
	a.identity.impose(&l.connect)
	mountpoint := listenerOf(c).mountpoint
	key := queue.KeyOf(mountpoint, a.id)
	cl := l.clients.find(key, mountpoint, a.id)
	if cl != nil && cl.session.Online() {
		if l.broker.config.Load().AllowMultipleSessions {
			l.attach(cl, c, &l.connect, f)
			l.logConnected(c, a.id)
			return true
		}
		for cl.session.Online() { // several, if they were allowed before
			l.metrics.Inc(metrics.TakeOvers)
			cl.session.TakeOver()
		}
		cl = l.clients.find(key, mountpoint, a.id) // a clean session has ended
	}
	if cl == nil {
		cl = l.newClient(mountpoint, a.id)
	}
	cl.conn = c
	cl.login = loginOf(&l.connect, uint32(l.unix()), cl.created)
	c.SetUser(cl)
	l.metrics.Answered(a.arrival)
	cl.session.Connect(l.linkTo(c, mountpoint, a.id, f), &l.connect, a.assigned, listenerOf(c).limits.Load())
	l.logConnected(c, a.id)
	return true
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
	l.publishMetrics()
	l.logDrops()
	l.lines.refill()
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
