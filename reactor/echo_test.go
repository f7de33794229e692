package reactor

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vernemq/codec"
)

// echoHandler sends back every frame: a byte 0x30, a length of four bytes, and
// the body. hooks let a test look and interfere.
type echoHandler struct {
	loop  *Loop
	bench *bench
}

// bench is a reactor under test. Its hooks are set before it runs.
type bench struct {
	t        testing.TB
	r        *Reactor
	li       *Listener
	home     func(c *Conn, f codec.Frame) (int, []byte, error)
	opened   func(c *Conn)
	frame    func(c *Conn, body []byte) // instead of the echo
	data     func(c *Conn, in []byte) (int, int)
	writable func(c *Conn)
	closed   func(c *Conn, err error)
	tick     func(l *Loop)
	endTurn  func(l *Loop)

	opens, closes atomic.Int64
	mu            sync.Mutex
	causes        []error // under mu
}

func (h *echoHandler) Home(c *Conn, f codec.Frame) (int, []byte, error) {
	if h.bench.home != nil {
		return h.bench.home(c, f)
	}
	return int(f.Body[0]) % len(h.bench.r.loops), nil, nil
}

func (h *echoHandler) Opened(c *Conn) {
	h.bench.opens.Add(1)
	if c.Loop() != h.loop {
		h.bench.t.Errorf("a connection of another loop was opened here")
	}
	if h.bench.opened != nil {
		h.bench.opened(c)
	}
}

func (h *echoHandler) Data(c *Conn, in []byte) (n, need int) {
	if h.bench.data != nil {
		return h.bench.data(c, in)
	}
	for n < len(in) {
		if in[n]>>4 == 1 { // the first packet
			_, k, need, err := codec.Cut(in[n:], 0)
			if err != nil || k == 0 {
				return n, need
			}
			n += k
			continue
		}
		if len(in)-n < 5 {
			return n, 0
		}
		size := 5 + int(binary.BigEndian.Uint32(in[n+1:]))
		if len(in)-n < size {
			return n, size
		}
		if h.bench.frame != nil {
			h.bench.frame(c, in[n+5:n+size])
		} else {
			out := c.Output()
			out.B = append(out.B, in[n:n+size]...)
		}
		n += size
		if c.Paused() || c.Closing() {
			break
		}
	}
	return n, 0
}

func (h *echoHandler) Writable(c *Conn) {
	if h.bench.writable != nil {
		h.bench.writable(c)
	}
}

func (h *echoHandler) Closed(c *Conn, err error) {
	h.bench.mu.Lock()
	h.bench.causes = append(h.bench.causes, err)
	h.bench.mu.Unlock()
	if c.flags&flagOpened != 0 {
		h.bench.closes.Add(1)
	}
	if h.bench.closed != nil {
		h.bench.closed(c, err)
	}
}

func (h *echoHandler) Tick(uint32) {
	if h.bench.tick != nil {
		h.bench.tick(h.loop)
	}
}

func (h *echoHandler) EndTurn() {
	if h.bench.endTurn != nil {
		h.bench.endTurn(h.loop)
	}
}

// start runs the reactor with a listener on loopback.
func (b *bench) start(t testing.TB, cfg Config, o ListenOptions) *bench {
	t.Helper()
	b.t = t
	if cfg.Loops == 0 {
		cfg.Loops = 1
	}
	if cfg.ConnectTimeout == nil {
		cfg.ConnectTimeout = func() time.Duration { return 5 * time.Second }
	}
	cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg.NewHandler = func(l *Loop) Handler { return &echoHandler{l, b} }
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.r = r
	r.Start()
	if o.Network == "" {
		o.Network, o.Address = "tcp4", "127.0.0.1:0"
	}
	if b.li, err = r.Listen(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Error(err)
		}
		if o, c := b.opens.Load(), b.closes.Load(); o != c {
			t.Errorf("%d connections opened, %d closed", o, c)
		}
	})
	return b
}

// greeting is a first packet that asks for a home loop.
func greeting(loop byte) []byte { return []byte{0x10, 1, loop} }

// frameOf is a frame that the handler echoes.
func frameOf(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0x30}, uint32(len(body))), body...)
}

func (b *bench) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial(b.li.Addr().Network(), b.li.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

func send(t testing.TB, c net.Conn, parts ...[]byte) {
	t.Helper()
	for _, p := range parts {
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
	}
}

func expect(t testing.TB, c net.Conn, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil {
		t.Fatalf("%d of %d bytes came: %v", n, len(want), err)
	}
	if string(got) != string(want) {
		t.Fatalf("got % x…, want % x…", got[:min(20, len(got))], want[:min(20, len(want))])
	}
}

func expectEnd(t testing.TB, c net.Conn) {
	t.Helper()
	var one [1]byte
	n, err := c.Read(one[:])
	var timeout net.Error
	if n != 0 || err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("connection goes on: %d bytes, %v", n, err)
	}
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long until %s", what)
		}
	}
}

// on runs f on a loop and waits for it.
func on(l *Loop, f func()) {
	done := make(chan struct{})
	l.Post(func() { f(); close(done) })
	<-done
}
