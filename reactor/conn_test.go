package reactor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vernemq/codec"
)

// packets is a Data that takes whole packets only and gives them to f until
// that returns false.
func packets(f func(h *handler, c *Conn, p []byte) bool) func(*handler, *Conn, []byte) (int, int) {
	return func(h *handler, c *Conn, in []byte) (n, need int) {
		for n < len(in) {
			_, size, need, err := codec.Cut(in[n:], 0)
			if err != nil {
				c.Close(err)
				return len(in), 0
			}
			if size == 0 {
				return n, need
			}
			n += size
			if !f(h, c, in[n-size:n]) {
				return n, 0
			}
		}
		return n, 0
	}
}

func echo(_ *handler, c *Conn, p []byte) bool {
	out := c.Output()
	out.B = append(out.B, p...)
	return true
}

func TestPacketsInEveryPortion(t *testing.T) {
	for _, loops := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(loops, " loops"), func(t *testing.T) {
			w := start(t, loops, hooks{data: packets(echo)}, nil)
			var few, all []byte
			for i := range 300 {
				if i == 60 {
					few = bytes.Clone(all)
				}
				all = append(all, packet(0x30, pattern(i)...)...)
			}
			many := bytes.Repeat(all, 20)
			var wg sync.WaitGroup
			for i, x := range []struct {
				portion int
				data    []byte
			}{{1, few}, {2, few}, {3, few}, {7, few}, {1000, all}, {5000, all}, {len(all), many}, {len(many), many}} {
				c := w.connect(i)
				wg.Add(2)
				go func() {
					defer wg.Done()
					for b := x.data; len(b) > 0; b = b[min(x.portion, len(b)):] {
						if _, err := c.Write(b[:min(x.portion, len(b))]); err != nil {
							t.Error(err)
							return
						}
					}
				}()
				go func() {
					defer wg.Done()
					got := make([]byte, len(x.data))
					if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, x.data) {
						t.Errorf("portions of %d: echo is wrong, %v", x.portion, err)
					}
				}()
			}
			wg.Wait()
		})
	}
}

func TestThousandConnections(t *testing.T) {
	for _, loops := range []int{1, 4} {
		t.Run(fmt.Sprint(loops, " loops"), func(t *testing.T) {
			w := start(t, loops, hooks{data: packets(echo)}, nil)
			var cs [1000]*client
			for i := range cs {
				cs[i] = w.dial()
			}
			for i, c := range cs {
				c.send(append(hello(i), packet(0x30, byte(i), byte(i>>8))...))
			}
			for i, c := range cs {
				c.expect(append(hello(i), packet(0x30, byte(i), byte(i>>8))...))
			}
			if n := w.listener.Active(); n != 1000 {
				t.Errorf("%d are active", n)
			}
			for i := range loops {
				w.on(i, func() {
					if n := w.reactor.Loops()[i].conns; n != 1000/loops {
						t.Errorf("loop %d has %d", i, n)
					}
				})
			}
			for _, c := range cs {
				c.Close()
			}
			w.eventually("all have gone", func() bool { return w.listener.Active() == 0 })
		})
	}
}

func TestPeerAndUser(t *testing.T) {
	w := start(t, 2, hooks{opened: func(h *handler, c *Conn) {
		c.User().(*life).mine = c.Peer().String()
		if c.Listener().Options().Name != "test" || c.LastSeen() == 0 || c.FD() <= 0 {
			h.world.Error("the connection is not described")
		}
	}, data: func(_ *handler, c *Conn, in []byte) (int, int) {
		out := c.Output()
		out.B = append(out.B, c.User().(*life).mine.(string)...)
		return len(in), 0
	}}, nil)
	for loop := range 2 {
		c := w.dial()
		c.send(hello(loop))
		c.expect([]byte(c.LocalAddr().String()))
	}
}

// resumeLater resumes a connection unless it has ended by then.
func resumeLater(h *handler, c *Conn) {
	generation := c.Generation()
	h.loop.Post(func() {
		if c.Generation() == generation {
			c.ResumeRead()
		}
	})
}

// A handler that pauses after each packet sees all of them in order.
func TestPauseLosesNothing(t *testing.T) {
	const total = 400
	w := start(t, 2, hooks{data: packets(func(h *handler, c *Conn, p []byte) bool {
		echo(h, c, p)
		c.PauseRead()
		switch p[len(p)-1] % 3 {
		case 0: // at once
			c.ResumeRead()
		case 1: // in this turn or the next
			resumeLater(h, c)
		default:
			go resumeLater(h, c)
		}
		return false
	})}, nil)
	var all []byte
	for i := range total {
		all = append(all, packet(0x30, append(pattern(i*7), byte(i))...)...)
	}
	for loop := range 2 {
		c := w.connect(loop)
		c.send(all)
		c.expect(all)
	}
}

// Bytes that are left when Data pauses and resumes are not forgotten.
func TestPauseAndResumeInData(t *testing.T) {
	w := start(t, 2, hooks{data: packets(func(h *handler, c *Conn, p []byte) bool {
		echo(h, c, p)
		c.PauseRead()
		c.ResumeRead()
		return false
	})}, nil)
	for loop := range 2 {
		c := w.dial()
		all := append(hello(loop), bytes.Repeat([]byte{0xc0, 0}, 100)...)
		c.send(all)
		c.expect(all)
	}
}

func TestPausedConnectionRests(t *testing.T) {
	var conn *Conn
	w := start(t, 1, hooks{opened: func(_ *handler, c *Conn) { conn = c }}, nil)
	c := w.connect(0)
	w.on(0, func() { conn.PauseRead(); conn.PauseRead() })
	data := pattern(100_000)
	c.send(data)
	reads := w.reactor.Stats().Reads
	w.handlers[0].idle(t)
	if n := w.reactor.Stats().Reads - reads; n != 0 {
		t.Errorf("%d reads", n)
	}
	w.on(0, func() {
		out := conn.Output()
		out.B = append(out.B, "written meanwhile"...)
	})
	c.expect([]byte("written meanwhile"))
	_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	w.handlers[0].idle(t)
	if w.closed.Load() != 0 {
		t.Error("closed while paused")
	}
	w.on(0, func() { conn.ResumeRead(); conn.PauseRead(); conn.ResumeRead() })
	c.expect(data)
	if err := w.ended(); err != io.EOF {
		t.Errorf("cause: %v", err)
	}
}

// A reset of a paused connection that waits for room to write ends it; one
// that is not watched at all rests until it is resumed.
func TestResetWhilePaused(t *testing.T) {
	var conn *Conn
	w := start(t, 1, hooks{opened: func(_ *handler, c *Conn) { conn = c }}, nil)
	c := w.connect(0)
	w.on(0, func() { conn.PauseRead() })
	c.reset()
	w.handlers[0].idle(t)
	w.on(0, func() { conn.ResumeRead() })
	if err := w.ended(); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("cause: %v", err)
	}
	c = w.connect(0)
	w.on(0, func() {
		conn.PauseRead()
		out := conn.Output()
		out.B = append(out.B, make([]byte, 16<<20)...)
	})
	w.eventually("the peer is slow", func() (stuck bool) {
		w.on(0, func() { stuck = conn.interest == watchWrite })
		return stuck
	})
	c.reset()
	if w.ended() == nil {
		t.Error("no cause")
	}
}

// A large packet is collected piece by piece, in memory that follows what has
// arrived.
func TestLargePacket(t *testing.T) {
	var need, peak atomic.Int64
	var conn *Conn
	inner := packets(echo)
	w := start(t, 2, hooks{opened: func(_ *handler, c *Conn) { conn = c }, data: func(h *handler, c *Conn, in []byte) (int, int) {
		n, k := inner(h, c, in)
		need.Store(int64(k))
		if c.in != nil {
			peak.Store(max(peak.Load(), int64(cap(c.in.B))))
		}
		return n, k
	}}, nil)
	c := w.connect(1)
	c.send([]byte{0x30, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3}) // 256 MB are announced
	w.eventually("need", func() bool { return need.Load() == codec.MaxRemaining+5 })
	c.send(make([]byte, 300_000))
	w.eventually("arrival", func() (ok bool) {
		w.on(1, func() {
			ok = conn.in != nil && len(conn.in.B) == 300_008
			if ok && cap(conn.in.B) > 2<<20 {
				t.Errorf("%d bytes of memory for 300 kB", cap(conn.in.B))
			}
		})
		return ok
	})
	c.Close()

	for _, size := range []int{60_000, 70_000, 262_144, 2 << 20} {
		c = w.connect(1)
		peak.Store(0)
		all := packet(0x30, pattern(size)...)
		all = append(all, packet(0x30, 'x')...)
		go func() {
			for b := all; len(b) > 0; b = b[min(len(b), 30_001):] {
				if _, err := c.Write(b[:min(len(b), 30_001)]); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		c.expect(all)
		if p := peak.Load(); p > int64(max(keptBuffer, 2*size+4*largeRest)) { // the pool gives any size it keeps
			t.Errorf("%d bytes of memory for a packet of %d", p, size)
		}
	}
	w.on(1, func() {
		if conn.in != nil {
			t.Error("an idle connection has a buffer")
		}
	})
}

// No buffer belongs to an idle connection.
func TestIdleConnectionHasNoBuffers(t *testing.T) {
	var conn *Conn
	w := start(t, 1, hooks{opened: func(_ *handler, c *Conn) { conn = c }}, nil)
	c := w.connect(0)
	c.send(pattern(1000))
	c.expect(pattern(1000))
	w.on(0, func() {})
	w.on(0, func() {
		if conn.in != nil || conn.out != nil {
			t.Error("buffers are kept")
		}
	})
}

func TestWaysToEnd(t *testing.T) {
	mine := errors.New("mine")
	var conn *Conn
	remember := func(_ *handler, c *Conn) { conn = c }
	on := func(f func(*world, *Conn)) func(*world, *client) {
		return func(w *world, _ *client) { w.on(1, func() { f(w, conn) }) }
	}
	inData := func(f func(*Conn)) func(*handler, *Conn, []byte) (int, int) {
		return func(_ *handler, c *Conn, in []byte) (int, int) {
			if len(in) > 3 {
				f(c)
				return 1, 0
			}
			out := c.Output()
			out.B = append(out.B, in...)
			return len(in), 0
		}
	}
	poke := func(_ *world, c *client) { c.send([]byte("poke")) }
	for name, x := range map[string]struct {
		hooks
		act  func(*world, *client)
		want error
	}{
		"peer closes":          {act: func(_ *world, c *client) { c.Close() }, want: io.EOF},
		"peer shuts down":      {act: func(_ *world, c *client) { _ = c.Conn.(interface{ CloseWrite() error }).CloseWrite() }, want: io.EOF},
		"peer resets":          {act: func(_ *world, c *client) { c.reset() }, want: unix.ECONNRESET},
		"Close":                {act: on(func(_ *world, c *Conn) { c.Close(mine); c.Close(errPanic) }), want: mine},
		"Close without cause":  {act: on(func(_ *world, c *Conn) { c.Close(nil) })},
		"CloseAfterFlush":      {act: on(func(_ *world, c *Conn) { c.CloseAfterFlush(mine, time.Minute); c.CloseAfterFlush(nil, 0) }), want: mine},
		"CloseAfterFlush nil":  {act: on(func(_ *world, c *Conn) { c.CloseAfterFlush(nil, time.Minute) })},
		"CloseAfterFlush late": {act: on(func(_ *world, c *Conn) { c.CloseAfterFlush(mine, 0) }), want: mine},
		"both":                 {act: on(func(_ *world, c *Conn) { c.CloseAfterFlush(mine, time.Minute); c.Close(errPanic) }), want: mine},
		"paused":               {act: on(func(_ *world, c *Conn) { c.PauseRead(); c.CloseAfterFlush(mine, time.Minute); c.PauseRead() }), want: mine},
		"Close in Data":        {hooks: hooks{data: inData(func(c *Conn) { c.Close(mine) })}, act: poke, want: mine},
		"flush in Data":        {hooks: hooks{data: inData(func(c *Conn) { c.CloseAfterFlush(mine, time.Minute) })}, act: poke, want: mine},
		"panic in Data":        {hooks: hooks{data: inData(func(*Conn) { panic("data") })}, act: poke, want: errPanic},
		"stop":                 {act: func(w *world, c *client) { go func() { c.expectEnd(); c.Close() }(); w.stop() }, want: ErrStopped},
		"Close in Closed": {hooks: hooks{closed: func(_ *handler, c *Conn, _ error) {
			c.Close(mine)
			c.CloseAfterFlush(mine, time.Minute)
			c.PauseRead()
			c.ResumeRead()
			out := c.Output()
			out.B = append(out.B, "too late"...)
		}}, act: func(_ *world, c *client) { c.Close() }, want: io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			x.opened = remember
			w := start(t, 2, x.hooks, nil)
			other := w.connect(1)
			c := w.connect(1)
			if name == "stop" {
				other.Close()
				x.act(w, c)
				return
			}
			x.act(w, c)
			c.expectEndUnlessClosed()
			c.Close()
			if err := w.ended(); !errors.Is(err, x.want) {
				t.Errorf("cause is %v", err)
			}
			other.send([]byte("ok"))
			other.expect([]byte("ok"))
			w.connect(1)
			if n := w.closed.Load(); n != 1 {
				t.Errorf("%d have ended", n)
			}
			w.on(1, func() {
				l := w.reactor.Loops()[1]
				if n := len(l.closing) + len(l.resumed); n != 0 {
					t.Errorf("%d entries are left", n)
				}
			})
		})
	}
}

func (c *client) expectEndUnlessClosed() { _, _ = io.Copy(io.Discard, c.Conn) }

func TestPanicsAreContained(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	boom := func() {
		if armed.CompareAndSwap(true, false) {
			panic("boom")
		}
	}
	fill := func(c *Conn) {
		out := c.Output()
		out.B = append(out.B, make([]byte, 1<<20)...)
		c.Full()
	}
	for name, x := range map[string]struct {
		hooks
		closes bool
	}{
		"Home": {hooks{home: func(*handler, *Conn, codec.Frame) (int, []byte, error) { boom(); return 1, nil, nil }}, true},
		"Home's loop": {hooks{home: func(*handler, *Conn, codec.Frame) (int, []byte, error) {
			if armed.CompareAndSwap(true, false) {
				return -1, nil, nil
			}
			return 1, nil, nil
		}}, true},
		"Opened": {hooks{opened: func(*handler, *Conn) { boom() }}, true},
		"Data": {hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
			boom()
			c.Output().B = append(c.Output().B, in...)
			return len(in), 0
		}}, true},
		"Writable": {hooks{writable: func(*handler, *Conn) { boom() }, opened: func(_ *handler, c *Conn) { fill(c) }, data: func(_ *handler, _ *Conn, in []byte) (int, int) { return len(in), 0 }}, true},
		"Closed":   {hooks{closed: func(*handler, *Conn, error) { boom() }, opened: func(_ *handler, c *Conn) { c.Close(nil) }}, true},
		"Tick":     {hooks{tick: func(*handler) { boom() }}, false},
		"EndTurn":  {hooks{endTurn: func(*handler) { boom() }}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, 2, x.hooks, nil)
			armed.Store(true)
			c := w.dial()
			c.send(hello(1))
			if x.closes {
				c.expectEnd()
			} else {
				c.expect(hello(1))
			}
			w.eventually("panic is counted", func() bool { return w.reactor.Stats().Panics == 1 })
			if name == "Closed" {
				w.eventually("the connection is gone", func() bool { return w.listener.Active() == 0 })
				return
			}
			c = w.dial()
			c.send(hello(1))
			if name == "Writable" {
				c.expect(make([]byte, 1<<20))
			} else {
				c.expect(hello(1))
			}
		})
	}
}

// Descriptors are used again at once, by any loop.
func TestDescriptorsInQuickChange(t *testing.T) {
	w := start(t, 4, hooks{data: packets(func(h *handler, c *Conn, p []byte) bool {
		echo(h, c, p)
		switch p[len(p)-1] % 8 {
		case 5:
			c.CloseAfterFlush(errGarbage, time.Minute)
		case 6:
			c.Close(nil)
		case 7:
			c.PauseRead()
			resumeLater(h, c)
			return false
		}
		return true
	})}, func(cfg *Config, _ *ListenOptions) { cfg.LobbySize = 64 })
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 60 {
				c := w.dialQuietly()
				if c == nil {
					return
				}
				switch i % 4 {
				case 0:
					_, _ = c.Write([]byte{0x10})
				case 1:
					_, _ = c.Write(hello(g + i))
					_ = c.Conn.(interface{ SetLinger(int) error }).SetLinger(0)
				default:
					_, _ = c.Write(append(hello(g+i), packet(0x30, byte(g), byte(i))...))
					_, _ = io.ReadFull(c, make([]byte, 4))
				}
				c.Close()
			}
		}()
	}
	wg.Wait()
	for i := range 4 {
		w.connect(i)
	}
}

func (w *world) dialQuietly() *client {
	c, err := dial(w.listener.Addr())
	if err != nil {
		w.Error(err)
		return nil
	}
	return &client{TB: w.TB, Conn: c}
}

// Whoever sends without end does not keep others waiting.
func TestOneFastPeer(t *testing.T) {
	w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
		if len(in) < 100 {
			out := c.Output()
			out.B = append(out.B, in...)
		}
		return len(in), 0
	}}, nil)
	fast, slow := w.connect(0), w.connect(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 1<<20)
		for {
			if _, err := fast.Write(b); err != nil {
				return
			}
		}
	}()
	for range 20 {
		slow.send([]byte("hello"))
		slow.expect([]byte("hello"))
	}
	fast.Close()
	<-done
}

// Nor does who takes all that the handler can produce.
func TestOneFastReader(t *testing.T) {
	chunk := make([]byte, 64<<10)
	w := start(t, 1, hooks{
		data: func(h *handler, c *Conn, in []byte) (int, int) {
			out := c.Output()
			out.B = append(out.B, in...)
			return len(in), 0
		},
		writable: func(_ *handler, c *Conn) {
			for !c.Full() {
				out := c.Output()
				out.B = append(out.B, chunk...)
			}
		},
	}, nil)
	fast, slow := w.connect(0), w.connect(0)
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.Copy(io.Discard, fast) }()
	fast.send(make([]byte, 400<<10))
	w.on(0, func() {
		for c := range w.reactor.table.all {
			if c.state == stateOpen && c.peerPort == fast.port() {
				c.Output().B = append(c.Output().B, make([]byte, 1<<20)...)
				c.Full()
			}
		}
	})
	for range 20 {
		slow.send([]byte("hello"))
		slow.expect([]byte("hello"))
	}
	fast.Close()
	<-done
}
