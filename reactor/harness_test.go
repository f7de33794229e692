package reactor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"vernemq/codec"
)

func TestMain(m *testing.M) {
	if os.Getenv(scarceEnv) != "" {
		os.Exit(runScarce())
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what should happen at once.
const patience = 10 * time.Second

// hooks change what the handler of a test does; nil means the default, which
// echoes everything.
type hooks struct {
	home     func(h *handler, c *Conn, f codec.Frame) (int, []byte, error)
	opened   func(h *handler, c *Conn)
	data     func(h *handler, c *Conn, in []byte) (int, int)
	writable func(h *handler, c *Conn)
	closed   func(h *handler, c *Conn, err error)
	tick     func(h *handler)
	endTurn  func(h *handler)
}

type handler struct {
	world *world
	loop  *Loop
	turns atomic.Int64
}

// life is what the handler keeps with a connection.
type life struct {
	ended bool
	mine  any // the test's
}

// world is a reactor under test.
type world struct {
	testing.TB
	hooks
	reactor  *Reactor
	listener *Listener
	handlers []*handler
	stopped  sync.Once
	opened   atomic.Int64
	closed   atomic.Int64

	mu     sync.Mutex
	causes []error // of Closed, with or without Opened
}

// start makes a running reactor with one listener. change may be nil.
func start(t testing.TB, loops int, h hooks, change func(*Config, *ListenOptions)) *world {
	t.Helper()
	w := &world{TB: t, hooks: h}
	cfg := Config{
		Loops:          loops,
		ConnectTimeout: func() time.Duration { return patience },
		NewHandler: func(l *Loop) Handler {
			h := &handler{world: w, loop: l}
			w.handlers = append(w.handlers, h)
			return h
		},
		Log: slog.New(slog.DiscardHandler),
	}
	o := ListenOptions{Name: "test", Network: "tcp", Address: "127.0.0.1:0", NoDelay: true}
	if change != nil {
		change(&cfg, &o)
	}
	var err error
	if w.reactor, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	w.reactor.Start()
	t.Cleanup(w.stop)
	if w.listener, err = w.reactor.Listen(o); err != nil {
		t.Fatal(err)
	}
	return w
}

// stop ends the reactor and checks its books.
func (w *world) stop() {
	w.stopped.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.reactor.Stop(ctx); err != nil {
			w.Errorf("stop: %v", err)
		}
		w.check()
	})
}

func (w *world) check() {
	w.Helper()
	if o, c := w.opened.Load(), w.closed.Load(); o != c {
		w.Errorf("%d connections were opened and %d closed", o, c)
	}
	if s := w.reactor.Stats(); s.Accepted != s.Closed {
		w.Errorf("%d connections accepted, %d closed", s.Accepted, s.Closed)
	}
	if n := w.listener.Active(); n != 0 {
		w.Errorf("%d connections are still active", n)
	}
	if n := w.listener.taken.Load(); n != 0 {
		w.Errorf("%d places are still taken", n)
	}
}

// eventually waits for a condition.
func (w *world) eventually(what string, cond func() bool) {
	w.Helper()
	eventually(w.TB, what, cond)
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("does not happen: %s", what)
		}
	}
}

// on runs f on a loop and waits for it.
func (w *world) on(loop int, f func()) {
	done := make(chan struct{})
	w.reactor.Loops()[loop].Post(func() { defer close(done); f() })
	select {
	case <-done:
	case <-time.After(patience):
		w.Fatalf("loop %d does not answer", loop)
	}
}

// ended waits for the next cause of an end.
func (w *world) ended() error {
	w.Helper()
	var err error
	w.eventually("Closed", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.causes) == 0 {
			return false
		}
		err, w.causes = w.causes[0], w.causes[1:]
		return true
	})
	return err
}

// here checks that a callback runs where it should.
func (h *handler) here(c *Conn) *life {
	if c.Loop() != h.loop {
		h.world.Errorf("connection of another loop")
	}
	u, _ := c.User().(*life)
	if u != nil && u.ended {
		h.world.Errorf("callback after the end")
	}
	return u
}

func (h *handler) Home(c *Conn, f codec.Frame) (int, []byte, error) {
	h.here(c)
	if h.world.home != nil {
		return h.world.home(h, c, f)
	}
	if len(f.Body) > 0 { // the body names the loop
		return int(f.Body[0]) % len(h.world.handlers), nil, nil
	}
	return h.loop.Index(), nil, nil
}

func (h *handler) Opened(c *Conn) {
	h.here(c)
	h.world.opened.Add(1)
	c.SetUser(&life{})
	if h.world.hooks.opened != nil {
		h.world.hooks.opened(h, c)
	}
}

func (h *handler) Data(c *Conn, in []byte) (int, int) {
	if h.here(c) == nil {
		h.world.Errorf("Data without Opened")
	}
	if c.Paused() {
		h.world.Errorf("Data while reading is paused")
	}
	if c.Closing() {
		h.world.Errorf("Data while the connection ends")
	}
	if h.world.data != nil {
		return h.world.data(h, c, in)
	}
	out := c.Output()
	out.B = append(out.B, in...)
	return len(in), 0
}

func (h *handler) Writable(c *Conn) {
	h.here(c)
	if h.world.writable != nil {
		h.world.writable(h, c)
	}
}

func (h *handler) Closed(c *Conn, err error) {
	if u := h.here(c); u != nil {
		u.ended = true
		h.world.closed.Add(1)
	}
	h.world.mu.Lock()
	h.world.causes = append(h.world.causes, err)
	h.world.mu.Unlock()
	if h.world.hooks.closed != nil {
		h.world.hooks.closed(h, c, err)
	}
}

func (h *handler) Tick(uint32) {
	if h.world.tick != nil {
		h.world.tick(h)
	}
}

func (h *handler) EndTurn() {
	h.turns.Add(1)
	if h.world.endTurn != nil {
		h.world.endTurn(h)
	}
}

// packet makes an MQTT packet.
func packet(first byte, body ...byte) []byte {
	b := []byte{first}
	n := len(body)
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(append(b, byte(n)), body...)
}

// hello is the first packet of a client whose home is a loop.
func hello(loop int) []byte { return packet(0x10, byte(loop)) }

// client is the other side of a connection.
type client struct {
	testing.TB
	net.Conn
	buf []byte
}

func (w *world) dial() *client {
	w.Helper()
	c, err := net.Dial(w.listener.Addr().Network(), w.listener.Addr().String())
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(2 * patience))
	return &client{TB: w.TB, Conn: c}
}

// connect makes a connection with an echo at a loop.
func (w *world) connect(loop int) *client {
	w.Helper()
	c := w.dial()
	c.send(hello(loop))
	c.expect(hello(loop))
	return c
}

func (c *client) send(b []byte) {
	c.Helper()
	if _, err := c.Write(b); err != nil {
		c.Fatalf("send: %v", err)
	}
}

func (c *client) expect(want []byte) {
	c.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c.Conn, got); err != nil {
		c.Fatalf("received %d of %d bytes: %v", n, len(want), err)
	}
	if !bytes.Equal(got, want) {
		i := 0
		for got[i] == want[i] {
			i++
		}
		c.Fatalf("what came differs from byte %d of %d on", i, len(want))
	}
}

// expectEOF checks that the other side has closed in order.
func (c *client) expectEOF() {
	c.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		c.Fatalf("read gives %d, %v instead of EOF", n, err)
	}
}

// expectEnd checks that the connection is over, in whatever way.
func (c *client) expectEnd() {
	c.Helper()
	_, err := io.Copy(io.Discard, c.Conn)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		c.Fatal("the connection stays open")
	}
}

func (c *client) reset() {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// pattern is a sequence of bytes in which every place is recognisable.
func pattern(n int) []byte {
	b := make([]byte, n+8)
	for i := 0; i < n; i += 8 {
		binary.BigEndian.PutUint64(b[i:], uint64(i)*0x9e3779b97f4a7c15)
	}
	return b[:n]
}

// piece is shared output that counts its releases.
type piece struct {
	released atomic.Int64
	total    *atomic.Int64
}

func (p *piece) Release() {
	p.released.Add(1)
	p.total.Add(1)
}

// pieces makes shared output.
type pieces struct {
	mu    sync.Mutex
	all   []*piece
	total atomic.Int64
}

func (p *pieces) add() *piece {
	s := &piece{total: &p.total}
	p.mu.Lock()
	p.all = append(p.all, s)
	p.mu.Unlock()
	return s
}

// once checks that each was released exactly once.
func (p *pieces) once(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range p.all {
		if n := s.released.Load(); n != 1 {
			t.Fatalf("piece %d of %d was released %d times", i, len(p.all), n)
		}
	}
}

func dial(a net.Addr) (net.Conn, error) { return net.DialTimeout(a.Network(), a.String(), patience) }

// port is the client's port.
func (c *client) port() uint16 { return uint16(c.LocalAddr().(*net.TCPAddr).Port) }

func (c *client) expectLen(n int) {
	c.Helper()
	if len(c.buf) < n {
		c.buf = make([]byte, n)
	}
	if _, err := io.ReadFull(c.Conn, c.buf[:n]); err != nil {
		c.Fatal(err)
	}
}

// idle lets some time go by on the loop, which must not spin. It is not for
// tests that run in parallel.
func (h *handler) idle(t *testing.T) {
	t.Helper()
	l := h.loop
	quarter := func() (q uint32) {
		h.world.on(l.index, func() { q = l.quarter })
		return q
	}
	begin, turns := quarter(), h.turns.Load()
	start, used := time.Now(), cpu(t)
	eventually(t, "ticks", func() bool { time.Sleep(20 * time.Millisecond); return quarter() >= begin+2 })
	if used, wall := cpu(t)-used, time.Since(start); used > wall/3 {
		t.Errorf("%v of CPU time in %v while nothing happens", used, wall)
	}
	if n := h.turns.Load() - turns; n > 200 {
		t.Errorf("%d turns while nothing happens", n)
	}
}

// cpu is the processor time that the process has used.
func cpu(t testing.TB) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
