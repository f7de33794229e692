package reactor

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// small makes the kernel's buffers small, so that a peer is soon slow.
func small(_ *Config, o *ListenOptions) { o.SndBuf, o.RcvBuf = 128<<10, 128<<10 }

// slowReader reads everything, in small portions.
func slowReader(c *client, n int) []byte {
	c.Helper()
	got := make([]byte, 0, n)
	for len(got) < n {
		k, err := c.Read(got[len(got):min(n, len(got)+10_000)])
		if err != nil {
			c.Fatalf("received %d of %d bytes: %v", len(got), n, err)
		}
		got = got[:len(got)+k]
	}
	return got
}

// source sends data, now copied, now shared, and stops when the connection is
// full.
type source struct {
	rest   []byte
	pieces pieces
	step   int
	peak   int
	full   int
}

func (s *source) produce(c *Conn) {
	for len(s.rest) > 0 {
		if c.Full() {
			s.full++
			return
		}
		s.step++
		n := min(len(s.rest), 1+s.step*977%9000)
		part := s.rest[:n]
		if s.step%7 == 0 {
			n, part = 0, nil // a piece may be empty
		}
		if s.step%3 == 0 {
			out := c.Output()
			out.B = append(out.B, part...)
		} else {
			c.AppendShared(part, s.pieces.add())
		}
		s.rest = s.rest[n:]
		s.peak = max(s.peak, c.Pending())
	}
}

func TestSlowReader(t *testing.T) {
	const size = 8 << 20
	data := pattern(size)
	src := &source{rest: data}
	var conn *Conn
	w := start(t, 2, hooks{
		opened:   func(_ *handler, c *Conn) { conn = c },
		data:     func(_ *handler, c *Conn, in []byte) (int, int) { src.produce(c); return len(in), 0 },
		writable: func(h *handler, c *Conn) { src.produce(c) },
	}, small)
	c := w.dial()
	c.send(hello(1))
	w.eventually("full", func() (full bool) {
		w.on(1, func() { full = src.full > 0 && conn.interest&watchWrite != 0 })
		return full
	})
	w.handlers[1].idle(t) // nothing to do while the peer does not read
	if got := slowReader(c, size); !bytes.Equal(got, data) {
		t.Error("the output has changed")
	}
	w.eventually("all is released", func() bool { return src.pieces.total.Load() == int64(len(src.pieces.all)) })
	w.on(1, func() {
		if src.full < 10 || src.peak > defaultHighWater+10_000 {
			t.Errorf("full %d times, %d bytes at most", src.full, src.peak)
		}
		if conn.Pending() != 0 || conn.out != nil || conn.interest != watchRead {
			t.Error("output is left")
		}
	})
	src.pieces.once(t)
}

// One turn with more pieces than one system call takes.
func TestManyPieces(t *testing.T) {
	for name, empty := range map[string]bool{"full": false, "with empty ones": true} {
		t.Run(name, func(t *testing.T) {
			var p pieces
			var want []byte
			for i := range 5000 {
				if !empty || i > 3000 {
					want = append(want, pattern(i%50)...)
				}
				want = append(want, packet(0xc0)[:i%3]...)
			}
			w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
				for i := range 5000 {
					var b []byte
					if !empty || i > 3000 {
						b = pattern(i % 50)
					}
					c.AppendShared(b, p.add())
					out := c.Output()
					out.B = append(out.B, packet(0xc0)[:i%3]...)
				}
				return len(in), 0
			}}, nil)
			c := w.dial()
			c.send(hello(0))
			c.expect(want)
			w.on(0, func() {})
			w.on(0, func() {})
			p.once(t)
		})
	}
}

// More empty pieces than one system call takes lie before the data.
func TestManyEmptyPieces(t *testing.T) {
	var p pieces
	w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
		for range 3 * maxPieces {
			c.AppendShared(nil, p.add())
		}
		c.AppendShared([]byte("data"), p.add())
		return len(in), 0
	}}, nil)
	c := w.dial()
	c.send(hello(0))
	c.expect([]byte("data"))
	w.on(0, func() {})
	p.once(t)
}

// Empty pieces alone are released too.
func TestEmptyPieces(t *testing.T) {
	var p pieces
	w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
		c.AppendShared(nil, p.add())
		c.AppendShared([]byte{}, p.add())
		return len(in), 0
	}}, nil)
	w.dial().send(hello(0))
	w.eventually("release", func() bool { return p.total.Load() == 2 })
	p.once(t)
}

func TestPiecesOfADeadConnection(t *testing.T) {
	for name, end := range map[string]func(*world, *client, *Conn){
		"reset": func(_ *world, c *client, _ *Conn) { c.reset() },
		"close": func(w *world, _ *client, c *Conn) { w.on(0, func() { c.Close(nil) }) },
		"drain": func(w *world, _ *client, c *Conn) { w.on(0, func() { c.CloseAfterFlush(io.EOF, 0) }) },
		"panic": func(_ *world, c *client, _ *Conn) { c.send([]byte("panic")) },
		"peer":  func(_ *world, c *client, _ *Conn) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			var p pieces
			var conn *Conn
			w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
				if conn = c; string(in) == "panic" {
					panic("data")
				}
				for range 2000 {
					out := c.Output()
					out.B = append(out.B, "between"...)
					c.AppendShared(make([]byte, 5000), p.add())
				}
				return len(in), 0
			}}, small)
			c := w.dial()
			c.send(hello(0))
			c.expect([]byte("between"))
			end(w, c, w.load(&conn))
			w.ended()
			w.eventually("all is released", func() bool { return p.total.Load() == 2000 })
			p.once(t)
		})
	}
}

// load reads a variable of loop 0.
func (w *world) load(p **Conn) (c *Conn) {
	w.on(0, func() { c = *p })
	return c
}

// All that was sent arrives before the end, although the peer's bytes were not
// read.
func TestCloseAfterFlushDeliversEverything(t *testing.T) {
	mine := errors.New("mine")
	data := pattern(3 << 20)
	for name, paused := range map[string]bool{"reading": false, "paused": true} {
		t.Run(name, func(t *testing.T) {
			var p pieces
			var conn *Conn
			w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
				conn = c
				if paused {
					c.PauseRead()
				}
				return len(in), 0
			}}, small)
			c := w.dial()
			c.send(hello(0))
			w.eventually("data", func() bool { return w.load(&conn) != nil })
			c.send(make([]byte, 20_000))
			w.on(0, func() {
				out := conn.Output()
				out.B = append(out.B, data[:1<<20]...)
				conn.AppendShared(data[1<<20:], p.add())
				conn.CloseAfterFlush(mine, time.Minute)
			})
			c.send(make([]byte, 20_000))
			if got := slowReader(c, len(data)); !bytes.Equal(got, data) {
				t.Error("the output has changed")
			}
			c.expectEOF()
			reads := w.reactor.Stats().Reads
			w.handlers[0].idle(t)
			if n := w.reactor.Stats().Reads - reads; n > 3 {
				t.Errorf("%d reads while waiting for the peer's end", n)
			}
			c.Close()
			if err := w.ended(); err != mine {
				t.Errorf("cause: %v", err)
			}
			p.once(t)
		})
	}
}

// A peer that sends without end cannot keep a connection from ending.
func TestEndlessSenderWhileDraining(t *testing.T) {
	t.Parallel()
	w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
		c.CloseAfterFlush(io.EOF, time.Minute)
		return len(in), 0
	}}, nil)
	c := w.dial()
	c.send(hello(0))
	b := make([]byte, 64<<10)
	for {
		if _, err := c.Write(b); err != nil {
			break
		}
	}
	w.ended()
}

func TestCloseTriesOnce(t *testing.T) {
	w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
		out := c.Output()
		out.B = append(out.B, "good-bye"...)
		c.Close(nil)
		return 1, 0
	}}, nil)
	c := w.dial()
	c.send(hello(0))
	c.expect([]byte("good-bye"))
	c.expectEOF()
}

func TestSendTimeout(t *testing.T) {
	t.Parallel()
	w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
		if in[0] == 0x10 {
			c.Output().B = append(c.Output().B, make([]byte, 8<<20)...)
		} else {
			c.Output().B = append(c.Output().B, in...)
		}
		return len(in), 0
	}}, func(cfg *Config, o *ListenOptions) {
		small(cfg, o)
		cfg.SendTimeout = time.Second
	})
	c := w.dial()
	c.send(hello(0))
	slow := w.dial() // takes a little now and then
	slow.send(hello(0))
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		b := make([]byte, 300<<10)
		for range 12 {
			if _, err := io.ReadFull(slow, b); err != nil {
				t.Errorf("the slow peer: %v", err)
			}
			time.Sleep(200 * time.Millisecond)
		}
	}()
	if err := w.ended(); err != errSendTimeout {
		t.Errorf("cause: %v", err)
	}
	c.expectEnd()
	<-stop
	if n := w.reactor.Stats().SendTimeouts; n != 1 {
		t.Errorf("%d are counted", n)
	}
}

// A connection that was slow once and has new output when the clock ticks is
// not taken for one that takes nothing.
func TestSendTimeoutCountsFromTheOutput(t *testing.T) {
	var conn *Conn
	w := start(t, 1, hooks{opened: func(_ *handler, c *Conn) { conn = c }}, nil)
	c := w.connect(0)
	w.on(0, func() {
		l := conn.loop
		conn.flags |= flagStuck
		l.stuck = append(l.stuck, connRef{conn, conn.Generation()})
		l.now.Store(1000)
		out := conn.Output()
		out.B = append(out.B, "new"...)
		l.sendDeadlines(1000)
		l.now.Store(l.reactor.sinceStart())
	})
	c.expect([]byte("new"))
	c.send([]byte("on"))
	c.expect([]byte("on"))
}

// Many connections that produce in a turn cost one write each.
func TestOneWritePerTurn(t *testing.T) {
	var conn *Conn
	w := start(t, 1, hooks{opened: func(_ *handler, c *Conn) { conn = c }}, nil)
	c := w.connect(0)
	before := w.reactor.Stats().Writes
	w.on(0, func() {
		for range 100 {
			out := conn.Output()
			out.B = append(out.B, "0123456789"...)
		}
	})
	c.expect(bytes.Repeat([]byte("0123456789"), 100))
	if n := w.reactor.Stats().Writes - before; n != 1 {
		t.Errorf("%d writes", n)
	}
}

// What is produced in the callbacks at the end of a turn goes out as well.
func TestOutputAtTheEndOfATurn(t *testing.T) {
	var conn atomic.Pointer[Conn]
	var left atomic.Int64
	w := start(t, 1, hooks{
		opened: func(_ *handler, c *Conn) { conn.CompareAndSwap(nil, c) },
		closed: func(*handler, *Conn, error) {
			out := conn.Load().Output()
			out.B = append(out.B, "one has left;"...)
		},
		endTurn: func(*handler) {
			if left.Load() > 0 {
				left.Add(-1)
				out := conn.Load().Output()
				out.B = append(out.B, "turn;"...)
			}
		},
	}, nil)
	c := w.connect(0)
	w.connect(0).Close()
	c.expect([]byte("one has left;"))
	left.Store(3)
	w.on(0, func() {})
	c.expect([]byte("turn;turn;turn;"))
	w.on(0, func() { conn.Load().Close(nil) }) // its own Closed may still write
}

// Output that Writable has produced is tried to be sent before Close.
func TestCloseInWritable(t *testing.T) {
	w := start(t, 1, hooks{
		data: func(_ *handler, c *Conn, in []byte) (int, int) {
			c.Output().B = append(c.Output().B, make([]byte, defaultHighWater+1)...)
			c.Full()
			return len(in), 0
		},
		writable: func(_ *handler, c *Conn) {
			c.Output().B = append(c.Output().B, "last words"...)
			c.Close(nil)
		},
	}, nil)
	c := w.dial()
	c.send(hello(0))
	c.expect(make([]byte, defaultHighWater+1))
	c.expect([]byte("last words"))
	c.expectEOF()
}

// What the kernel takes between messages does not fill a connection, however
// much a turn produces for it.
func TestFlushLarge(t *testing.T) {
	const piece, pieces = defaultHighWater / 3, 8
	w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
		for i := range pieces {
			c.Output().B = append(c.Output().B, bytes.Repeat([]byte{byte(i)}, piece)...)
			if c.Full() {
				t.Errorf("%d bytes are pending", c.Pending())
			}
			c.loop.FlushLarge()
		}
		return len(in), 0
	}}, nil)
	c := w.dial()
	c.send(hello(0))
	for i := range pieces {
		c.expect(bytes.Repeat([]byte{byte(i)}, piece))
	}
}

// Who takes nothing is not tried again and again, and its output stays in order
// behind what waits for Release.
func TestFlushLargeStuck(t *testing.T) {
	var filled atomic.Bool
	w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
		for i := 0; c.interest&watchWrite == 0; i++ {
			c.Output().B = append(c.Output().B, bytes.Repeat([]byte{byte(i)}, defaultHighWater)...)
			c.Full()
			c.loop.FlushLarge()
		}
		writes := c.loop.stats.writes.n.Load()
		c.Hold(1)
		c.Output().B = append(c.Output().B, "held"...)
		for range 100 {
			c.Full()
			c.loop.FlushLarge()
		}
		if n := c.loop.stats.writes.n.Load() - writes; n != 0 {
			t.Errorf("%d more writes", n)
		}
		c.loop.Release(1)
		c.CloseAfterFlush(nil, time.Minute)
		filled.Store(true)
		return len(in), 0
	}}, nil)
	c := w.dial()
	c.send(hello(0))
	w.eventually("the kernel takes no more", filled.Load)
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	pieces, held := bytes.CutSuffix(all, []byte("held"))
	if !held || len(pieces)%defaultHighWater != 0 {
		t.Fatalf("%d bytes that end with %q", len(all), all[len(all)-4:])
	}
	for i := 0; len(pieces) > 0; i++ {
		if !bytes.Equal(pieces[:defaultHighWater], bytes.Repeat([]byte{byte(i)}, defaultHighWater)) {
			t.Fatalf("piece %d is not in its place", i)
		}
		pieces = pieces[defaultHighWater:]
	}
}

// Written output of a slow connection does not stay in memory.
func TestWrittenOutputIsCutOff(t *testing.T) {
	var conn *Conn
	data := pattern(4 << 20)
	w := start(t, 1, hooks{opened: func(_ *handler, c *Conn) { conn = c }}, small)
	c := w.connect(0)
	if err := c.Conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil { // else the kernel may take all of it
		t.Fatal(err)
	}
	var p pieces
	w.on(0, func() {
		half := len(data) / 2
		conn.Output().B = append(conn.Output().B, data[:half]...)
		conn.AppendShared(data[half:half+1000], p.add())
		conn.Output().B = append(conn.Output().B, data[half+1000:]...)
	})
	got := slowReader(c, 3<<20)
	w.eventually("cut off", func() (ok bool) {
		w.on(0, func() { ok = conn.out.sent < compactAt || conn.out.sent <= len(conn.out.buf.B)/2 })
		return ok
	})
	w.on(0, func() {
		if n := len(conn.out.buf.B); n > 3<<20 {
			t.Errorf("%d bytes are kept for %d", n, conn.Pending())
		}
	})
	got = append(got, slowReader(c, len(data)-len(got))...)
	if !bytes.Equal(got, data) {
		t.Error("the output has changed")
	}
	w.on(0, func() {})
	p.once(t)
}

func TestWriteToAResetConnection(t *testing.T) {
	var conn *Conn
	var p pieces
	w := start(t, 1, hooks{opened: func(_ *handler, c *Conn) { conn = c }}, nil)
	c := w.connect(0)
	w.on(0, func() { conn.PauseRead() })
	c.reset()
	w.eventually("closed", func() bool {
		if w.closed.Load() == 0 {
			w.on(0, func() {
				if w.closed.Load() == 0 {
					conn.AppendShared([]byte("into the void"), p.add())
				}
			})
		}
		return w.closed.Load() == 1
	})
	if err := w.ended(); !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("cause: %v", err)
	}
	p.once(t)
}
