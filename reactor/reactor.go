// Package reactor runs event loops: it accepts connections, reads and writes
// them, and calls a Handler with what has arrived. It knows bytes and
// connections, and of MQTT only where the first packet ends.
//
// A connection belongs to one loop at a time. Its methods, and all methods of
// a Handler, run on that loop's goroutine. A new connection waits in the lobby
// of the loop that accepted it until its first packet is whole; the handler
// then names its home loop.
//
// Of gnet the package uses the poller and the socket options. Other transports
// (TLS, WebSocket, the PROXY header) belong to the listener: they turn the
// bytes of a socket into those that the lobby and Handler.Data see (wire).
package reactor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"vernemq/codec"
)

// Config is what a reactor is made from.
type Config struct {
	Loops int // at least 1
	// LobbySize bounds the connections that have not sent a whole first packet,
	// in all loops together (default 4096). When it is full, the one that has
	// waited longest goes.
	LobbySize int
	// ConnectTimeout is how long a connection may stay in the lobby. It is read
	// for each connection.
	ConnectTimeout func() time.Duration
	// HighWater is the number of unsent bytes from which Conn.Full is true
	// (default 256 KiB). Handler.Writable follows below half of it.
	HighWater int
	// SendTimeout closes a connection that takes nothing for this long while
	// output is pending (default 30 s).
	SendTimeout time.Duration
	// ReadBuffer is the size in bytes of the buffer that a loop reads into,
	// from 128 KiB to 1 MiB (default 256 KiB). Connections share it.
	ReadBuffer int
	// MaxRemaining limits the first packet of a listener's connections, 0 =
	// the lobby's own limit of 1 MiB.
	MaxRemaining func(*Listener) int
	NewHandler   func(*Loop) Handler
	Log          *slog.Logger
}

// Handler is the broker's part of a loop. Every method runs on the loop's
// goroutine. A panic in one is logged and counted; if it concerned a
// connection, that connection is closed.
type Handler interface {
	// Home names the loop of a connection whose whole first packet has
	// arrived. An error closes the connection after reply was sent.
	Home(c *Conn, first codec.Frame) (loop int, reply []byte, err error)
	// Opened tells that c has come to its home loop. Data follows with the
	// first packet.
	Opened(c *Conn)
	// Data hands over what has arrived: whole or partial packets. It returns
	// how many bytes it took; the rest comes again, in front, when more has
	// arrived. need is the size of the incomplete packet if that is known. in
	// is valid during the call. Data is not called while reading is paused.
	Data(c *Conn, in []byte) (n, need int)
	// Writable tells that a connection that was Full is not any more.
	Writable(c *Conn)
	// Closed tells that c has ended: exactly once after Opened, or after an
	// error in the lobby that is worth a line in the log. c must not be used
	// afterwards.
	Closed(c *Conn, err error)
	// Tick comes about once a second with the loop clock.
	Tick(now uint32)
	// EndTurn comes after all that was ready in a turn, before output is
	// flushed.
	EndTurn()
}

// Timed is a Handler that measures turns. Woken comes before a turn, Flushed
// after its output was written, with the time; a turn in which nothing
// happened has no Flushed.
type Timed interface {
	Woken(now time.Time)
	Flushed(now time.Time)
}

// Witness is a Handler that can say, for the log of a panic, which packets it
// has handled last: their headers, not their contents.
type Witness interface{ LastPackets() string }

// Doorkeeper is a Handler that answers a first packet that is refused before all
// of it has come, of which in is what there is: more asks to be called again when
// there is more of it, no reply closes the connection without one.
type Doorkeeper interface {
	Refused(in []byte, err error) (reply []byte, more bool)
}

// Reactor is a set of loops and their listeners.
type Reactor struct {
	cfg   Config
	loops []*Loop
	table connTable
	start time.Time
	lobby int // connections in the lobby of one loop
	// shaking has a place for each TLS handshake that may compute. Half of the
	// processors are left for messages.
	shaking chan struct{}

	mu        sync.Mutex // guards listeners and closed
	listeners []*Listener
	closed    bool // no listener may be added
	stopping  atomic.Bool
	stopOnce  sync.Once
	started   bool
	running   sync.WaitGroup
}

const (
	defaultLobby     = 4096
	defaultHighWater = 256 << 10
	defaultSend      = 30 * time.Second
	defaultConnect   = 10 * time.Second

	leastReadBuffer = 128 << 10
	mostReadBuffer  = 1 << 20

	// stopGrace is how long Stop waits for the loops once connections are cut.
	stopGrace = 2 * time.Second
)

// New makes a reactor whose loops do not run yet.
func New(cfg Config) (*Reactor, error) {
	if cfg.Loops < 1 {
		return nil, fmt.Errorf("cannot run %d loops", cfg.Loops)
	}
	if cfg.LobbySize <= 0 {
		cfg.LobbySize = defaultLobby
	}
	if cfg.HighWater <= 0 {
		cfg.HighWater = defaultHighWater
	}
	if cfg.SendTimeout <= 0 {
		cfg.SendTimeout = defaultSend
	}
	if cfg.ReadBuffer <= 0 {
		cfg.ReadBuffer = readBuffer
	}
	cfg.ReadBuffer = min(max(cfg.ReadBuffer, leastReadBuffer), mostReadBuffer)
	if cfg.ConnectTimeout == nil {
		cfg.ConnectTimeout = func() time.Duration { return defaultConnect }
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	r := &Reactor{cfg: cfg, start: time.Now(), lobby: max(1, cfg.LobbySize/cfg.Loops),
		shaking: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	for i := range cfg.Loops {
		l, err := newLoop(r, i)
		if err != nil {
			for _, l := range r.loops {
				l.release()
			}
			return nil, fmt.Errorf("cannot make loop %d: %w", i, err)
		}
		r.loops = append(r.loops, l)
	}
	for _, l := range r.loops {
		l.handler = cfg.NewHandler(l)
		l.timed, _ = l.handler.(Timed)
	}
	return r, nil
}

// Loops are the loops, by their index.
func (r *Reactor) Loops() []*Loop { return r.loops }

// Start runs the loops. GOMAXPROCS is raised above their number: an idle hop
// between as many loops as processors costs more than 100 µs in the scheduler.
func (r *Reactor) Start() {
	if runtime.GOMAXPROCS(0) < len(r.loops)+1 {
		runtime.GOMAXPROCS(len(r.loops) + 1)
	}
	r.started = true
	for _, l := range r.loops {
		r.running.Add(1)
		go func() {
			defer r.running.Done()
			l.run()
		}()
	}
}

// Stop closes the listeners, lets every connection send what is pending, closes
// it, and ends the loops. When ctx ends first, connections are cut. It returns
// when the loops have ended; a handler that does not return is given up soon
// after ctx, and what it uses is left alone.
func (r *Reactor) Stop(ctx context.Context) error {
	var err error
	r.stopOnce.Do(func() {
		r.mu.Lock()
		listeners := r.listeners
		r.listeners, r.closed = nil, true
		r.mu.Unlock()
		for _, l := range listeners {
			l.Close(ctx)
		}
		r.stopping.Store(true)
		if r.started {
			if err = r.endLoops(ctx); errors.Is(err, ErrStuck) {
				return
			}
		}
		r.endArrivals()
		for _, l := range r.loops {
			l.release()
		}
	})
	return err
}

// ErrStuck is part of the error of Stop when loops still run.
var ErrStuck = errors.New("a handler does not return")

func (r *Reactor) endLoops(ctx context.Context) error {
	for _, l := range r.loops {
		l.Post(l.beginStop)
	}
	done := make(chan struct{})
	go func() { r.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	for _, l := range r.loops {
		l.Post(func() { l.exit = true })
	}
	select {
	case <-done:
	case <-time.After(stopGrace):
		return fmt.Errorf("cannot end the loops: %w", ErrStuck)
	}
	return errors.Join(errors.New("connections were cut"), ctx.Err())
}

// sinceStart is the loop clock.
func (r *Reactor) sinceStart() uint32 { return uint32(time.Since(r.start)/time.Second) + 1 }

// connTable finds connections by descriptor. It grows in chunks and is shared
// by all loops; which loop may touch an entry says Conn.owner.
type connTable struct {
	mu     sync.Mutex // guards the making of chunks
	chunks [1 << 14]atomic.Pointer[[connChunk]Conn]
}

const connChunk = 1024

// at gives the entry of a descriptor, nil if the descriptor is too large for
// the table.
func (t *connTable) at(fd int) *Conn {
	i := fd / connChunk
	if i >= len(t.chunks) {
		return nil
	}
	c := t.chunks[i].Load()
	if c == nil {
		c = t.make(i)
	}
	return &c[fd%connChunk]
}

func (t *connTable) make(i int) *[connChunk]Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.chunks[i].Load(); c != nil {
		return c
	}
	c := new([connChunk]Conn)
	t.chunks[i].Store(c)
	return c
}

// all yields every entry that has ever been used.
func (t *connTable) all(yield func(*Conn) bool) {
	for i := range t.chunks {
		chunk := t.chunks[i].Load()
		if chunk == nil {
			continue
		}
		for j := range chunk {
			if !yield(&chunk[j]) {
				return
			}
		}
	}
}

// endArrivals ends connections that were on their way to a loop when that
// ended.
func (r *Reactor) endArrivals() {
	for c := range r.table.all {
		if i := c.owner.Load(); i != 0 {
			r.loops[i-1].finish(c)
		}
	}
}

// peerAddr puts an address into the connection's compact form.
func (c *Conn) setPeer(sa unix.Sockaddr) {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		c.peer, c.peerPort = netip.AddrFrom4(a.Addr).As16(), uint16(a.Port)
	case *unix.SockaddrInet6:
		c.peer, c.peerPort = a.Addr, uint16(a.Port)
	default:
		c.peer, c.peerPort = [16]byte{}, 0
	}
}
