package reactor

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/valyala/bytebufferpool"
)

// Conn is a connection. Its methods may only be called on the loop that owns
// it. An idle connection is this struct and nothing else.
type Conn struct {
	// generation counts the connections that had this descriptor. Its changes
	// order the last access of one loop before the first of the next.
	generation atomic.Uint32
	owner      atomic.Int32 // index of the owning loop + 1, 0 = free; written by the owner
	fd         int32
	lastSeen   uint32 // loop clock
	state      connState
	interest   interest // what the poller watches
	flags      connFlags
	peerPort   uint16
	peer       [16]byte
	loop       *Loop
	listener   *Listener
	user       any
	in         *bytebufferpool.ByteBuffer // bytes that Data did not take
	out        *output                    // nil when nothing is to be sent
	wire       *wire                      // nil when the socket carries MQTT as it is
}

type connState uint8

const (
	stateFree connState = iota
	stateListening
	stateLobby
	stateMoving   // on its way to its home loop
	stateOpen     // Data is called
	stateDraining // output is sent, input thrown away, then the end
	stateClosing  // ends with this turn
)

type connFlags uint8

const (
	flagDirty    connFlags = 1 << iota // in Loop.dirty
	flagPaused                         // the handler does not want to read
	flagFull                           // Full was seen; Writable is owed
	flagStuck                          // in Loop.stuck
	flagResume                         // in Loop.resumed
	flagOpened                         // Opened was called, so Closed is owed
	flagShut                           // our direction is shut down
	flagPeerShut                       // the peer's was shut down while draining
)

type interest uint8

const (
	watchRead interest = 1 << iota
	watchWrite
	watchHangup // the peer's end; counts while nothing else is watched
)

// Releaser is told when shared output was written.
type Releaser = interface{ Release() }

// output is what a connection has to send.
type output struct {
	bufs     *buffers // where large buffers come from and go to
	buf      *bytebufferpool.ByteBuffer
	sent     int                        // bytes of buf that are written
	shared   []shared                   // payloads that go between the bytes of buf
	holds    []hold                     // places from which on it waits, in order
	raw      *bytebufferpool.ByteBuffer // goes before buf, as it is; made by the transport
	rawSent  int                        // bytes of raw that are written
	bytes    int                        // in shared, and those of raw that are not written
	progress uint32                     // loop clock of the latest progress
	deadline uint32                     // in quarter seconds; end of draining
	cause    error
}

// shared is output that lies elsewhere. It goes before buf[at].
type shared struct {
	at    int
	data  []byte
	ref   Releaser
	early bool // goes before a hold in the same place
}

// Loop is the owning loop.
func (c *Conn) Loop() *Loop { return c.loop }

// Listener is the listener that accepted the connection.
func (c *Conn) Listener() *Listener { return c.listener }

// Peer is the address of the client, as far as a proxy tells it; it is not
// valid for a unix socket.
func (c *Conn) Peer() netip.AddrPort {
	if c.peerPort == 0 && c.peer == [16]byte{} {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom16(c.peer).Unmap(), c.peerPort)
}

// FD is the descriptor.
func (c *Conn) FD() int { return int(c.fd) }

// Generation tells this connection from others that have the same descriptor
// at another time.
func (c *Conn) Generation() uint32 { return c.generation.Load() }

// SetUser keeps something of the handler's with the connection.
func (c *Conn) SetUser(u any) { c.user = u }

// User gives what SetUser kept.
func (c *Conn) User() any { return c.user }

// LastSeen is the second of the loop clock in which bytes last arrived.
func (c *Conn) LastSeen() uint32 { return c.lastSeen }

// Closing tells that the connection is ending.
func (c *Conn) Closing() bool { return c.state != stateOpen && c.state != stateLobby }

// Output gives the buffer for output of this turn, to append to. It only grows
// until FlushLarge or the end of the turn. A buffer that was given must not be
// kept.
func (c *Conn) Output() *bytebufferpool.ByteBuffer {
	if c.flags&flagDirty == 0 {
		c.loop.markDirty(c)
	}
	o := c.outgoing()
	if o.buf == nil {
		o.buf = bytebufferpool.Get()
	} else if b := o.buf.B; cap(b)-len(b) < cap(b)/8 {
		c.loop.bufs.grow(o.buf)
	}
	return o.buf
}

// AppendShared sends data after what is in Output now, without a copy.
// ref.Release is called once it was written or the connection has ended.
func (c *Conn) AppendShared(data []byte, ref Releaser) {
	at := len(c.Output().B)
	c.out.shared = append(c.out.shared, shared{at: at, data: data, ref: ref})
	c.out.bytes += len(data)
}

// Pending is the number of bytes that are not sent.
func (c *Conn) Pending() int {
	if c.out == nil {
		return 0
	}
	return c.out.pending()
}

func (o *output) pending() int {
	n := o.bytes - o.sent
	if o.buf != nil {
		n += len(o.buf.B)
	}
	return n
}

// Full tells that more than the high-water mark is pending. Handler.Writable
// follows when that is over.
func (c *Conn) Full() bool {
	if c.out == nil {
		return false
	}
	pending, limit := c.out.pending(), c.loop.reactor.cfg.HighWater
	if pending > limit/2 {
		c.loop.large(c)
	}
	if pending <= limit {
		return false
	}
	if c.flags&flagFull == 0 {
		c.flags |= flagFull
		c.loop.stats.full.inc()
	}
	return true
}

// PauseRead stops Data until ResumeRead. What is in the kernel's buffer stays
// there. It does nothing when the connection is ending.
func (c *Conn) PauseRead() {
	if c.flags&flagPaused == 0 && !c.Closing() {
		c.flags |= flagPaused
		c.watch(c.interest &^ watchRead)
	}
}

// AwaitHangup closes a connection that is not read when its peer ends it.
// ResumeRead ends that.
func (c *Conn) AwaitHangup() {
	if c.flags&flagPaused != 0 && !c.Closing() {
		c.watch(c.interest | watchHangup)
	}
}

// Paused tells whether reading is paused.
func (c *Conn) Paused() bool { return c.flags&flagPaused != 0 }

// ResumeRead goes on after PauseRead, at the end of this turn.
func (c *Conn) ResumeRead() {
	if c.flags&flagPaused == 0 {
		return
	}
	c.flags &^= flagPaused
	c.lastSeen = c.loop.now.Load() // while nobody looked, nothing could be seen
	if c.state != stateOpen {
		return
	}
	c.watch(c.interest&^watchHangup | watchRead)
	if c.flags&flagResume == 0 {
		c.flags |= flagResume
		c.loop.resumed = append(c.loop.resumed, c)
	}
	c.loop.EndTurn()
}

// Move hands an open connection over to another loop, with what it has sent and
// what is to be sent to it. There it begins anew, with Opened; Closed is not
// called here. It must not be called while the connection's Data or Opened
// runs.
func (c *Conn) Move(home int) {
	if c.state != stateOpen {
		return
	}
	c.watch(0)
	if c.state != stateOpen { // the poller failed
		return
	}
	c.flags &^= flagPaused | flagOpened
	c.leaveFor(home)
}

// leaveFor puts a connection that nothing watches on its way to another loop.
func (c *Conn) leaveFor(home int) {
	l := c.loop
	c.state = stateMoving
	c.flags &^= flagDirty | flagResume | flagStuck // the lists are this loop's
	l.conns--
	c.generation.Add(1) // the other lists do not look at it any more
	c.owner.Store(int32(home) + 1)
	l.reactor.loops[home].arrived.Put(c)
}

// Close ends the connection when this turn ends, after one attempt to send
// what is pending. The cause that CloseAfterFlush was given stays.
func (c *Conn) Close(err error) {
	if c.state == stateClosing || c.state == stateFree {
		return
	}
	if err != nil && c.state != stateDraining {
		c.outgoing().cause = err
	}
	c.leaveLobby()
	c.state = stateClosing
	c.loop.closing = append(c.loop.closing, c)
	c.loop.EndTurn()
}

// CloseAfterFlush sends what is pending, waits for the peer to close its side
// and ends the connection, at latest after d. Nothing more is handed over. A nil
// err stands for an end that the peer asked for: then its side is not waited
// for.
func (c *Conn) CloseAfterFlush(err error, d time.Duration) {
	if c.state != stateOpen && c.state != stateLobby {
		return
	}
	c.leaveLobby()
	c.state = stateDraining
	c.flags &^= flagPaused
	c.watch(c.interest | watchRead)
	if c.state != stateDraining { // the poller failed
		return
	}
	o := c.outgoing()
	o.cause = err
	o.deadline = c.loop.quarter + uint32(d/quarterSecond) + 1
	if c.flags&flagDirty == 0 {
		c.loop.markDirty(c)
	}
	c.loop.draining = append(c.loop.draining, connRef{c, c.Generation()})
}

// outgoing gives the place for output and for the cause of the end.
func (c *Conn) outgoing() *output {
	if c.out == nil {
		c.out = newOutput()
		c.out.bufs = &c.loop.bufs
		c.out.progress = c.loop.now.Load() // SendTimeout starts here
	}
	return c.out
}

// connRef names a connection that may have ended in the meantime.
type connRef struct {
	conn       *Conn
	generation uint32
}

func (r connRef) alive() bool { return r.conn.generation.Load() == r.generation }

// ErrStopped is the cause of the end of connections when the reactor stops.
var ErrStopped = errors.New("reactor stopped")

var (
	errSendTimeout  = errors.New("peer takes nothing")
	errLobbyTimeout = errors.New("no CONNECT in time")
	errShakeTimeout = errors.New("no TLS handshake in time")
	errLobbyEvicted = errors.New("lobby is full and this connection waited longest")
	errGarbage      = errors.New("first packet is no CONNECT")
	errPanic        = errors.New("internal error")
	errHangup       = errors.New("connection broken")
)
