package reactor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func forLoops(t *testing.T, f func(t *testing.T, loops int)) {
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { f(t, n) })
	}
}

// TestEcho sends frames byte by byte and many in one write, from connections
// whose home is every loop.
func TestEcho(t *testing.T) {
	forLoops(t, func(t *testing.T, loops int) {
		b := new(bench).start(t, Config{Loops: loops}, ListenOptions{})
		for home := range byte(loops * 2) {
			c := b.dial(t)
			all := append(hello(home), frameOf([]byte("first"))...)
			for i := range all {
				send(t, c, all[i:i+1])
			}
			expect(t, c, frameOf([]byte("first")))
			many := bytes.Repeat(frameOf([]byte("many")), 5000)
			go c.Write(many)
			expect(t, c, many)
		}
	})
}

func TestThousand(t *testing.T) {
	forLoops(t, func(t *testing.T, loops int) {
		b := new(bench).start(t, Config{Loops: loops}, ListenOptions{})
		var all []net.Conn
		for i := range 1000 {
			c := b.dial(t)
			send(t, c, hello(byte(i)), frameOf([]byte{byte(i)}))
			all = append(all, c)
		}
		for i, c := range all {
			expect(t, c, frameOf([]byte{byte(i)}))
		}
		if n := b.li.Active(); n != 1000 {
			t.Errorf("%d connections are active", n)
		}
		for _, c := range all {
			c.Close()
		}
		until(t, "all are closed", func() bool { return b.closes.Load() == 1000 && b.li.Active() == 0 })
		if n := b.li.Total(); n != 1000 {
			t.Errorf("%d connections in all", n)
		}
	})
}

// TestLargeFrame sends frames that are larger than every buffer, and one that
// claims to be but is not: memory follows what has arrived.
func TestLargeFrame(t *testing.T) {
	var large atomic.Int64
	b := &bench{}
	b.data = func(c *Conn, in []byte) (int, int) {
		large.Store(max(large.Load(), int64(cap(in))))
		return (&echoHandler{c.loop, &bench{r: b.r, t: t}}).Data(c, in)
	}
	b.start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	body := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	for range 2 {
		go c.Write(append(hello(0), frameOf(body)...))
		expect(t, c, frameOf(body))
	}
	if n := large.Load(); n > 16<<20 {
		t.Errorf("a buffer of %d bytes for a frame of %d", n, len(body))
	}
	claim := b.dial(t)
	large.Store(0)
	send(t, claim, hello(0), []byte{0x30, 0x0f, 0xff, 0xff, 0xff}, make([]byte, 1000))
	until(t, "the bytes have come", func() bool { return large.Load() > 0 })
	if n := large.Load(); n > 1<<20 {
		t.Errorf("a buffer of %d bytes because of a claim", n)
	}
}

// TestPause stops reading in the middle of a stream and goes on: nothing is
// lost, and the loop rests meanwhile.
func TestPause(t *testing.T) {
	forLoops(t, func(t *testing.T, loops int) {
		b := &bench{}
		var paused atomic.Pointer[Conn]
		count := 0
		b.frame = func(c *Conn, body []byte) {
			out := c.Output()
			out.B = append(out.B, frameOf(body)...)
			if count++; count == 700 {
				c.PauseRead()
				paused.Store(c)
			}
		}
		b.start(t, Config{Loops: loops}, ListenOptions{})
		c := b.dial(t)
		var all []byte
		for i := range 2000 {
			all = append(all, frameOf(fmt.Appendf(nil, "%d", i))...)
		}
		go c.Write(append(hello(byte(loops-1)), all...))
		until(t, "reading is paused", func() bool { return paused.Load() != nil })
		reads := b.r.Stats().Reads
		time.Sleep(300 * time.Millisecond) // long enough for a loop that spins to show
		if n := b.r.Stats().Reads - reads; n > 2 {
			t.Errorf("%d reads while paused", n)
		}
		b.r.loops[loops-1].Post(func() { paused.Load().ResumeRead() })
		expect(t, c, all)
	})
}

// TestCloseKinds ends connections in every way: Closed comes once, with the
// cause.
func TestCloseKinds(t *testing.T) {
	cause := errors.New("the cause")
	for name, end := range map[string]func(c *Conn){
		"close":       func(c *Conn) { c.Close(cause) },
		"close twice": func(c *Conn) { c.Close(cause); c.Close(nil); c.CloseAfterFlush(nil, time.Second) },
		"flush": func(c *Conn) {
			c.Output().B = append(c.Output().B, "last words"...)
			c.CloseAfterFlush(cause, time.Second)
		},
		"flush then close": func(c *Conn) { c.CloseAfterFlush(cause, time.Second); c.Close(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{}
			b.frame = func(c *Conn, _ []byte) { end(c) }
			b.start(t, Config{Loops: 2}, ListenOptions{})
			c := b.dial(t)
			send(t, c, hello(1), frameOf(nil))
			if name == "flush" {
				expect(t, c, []byte("last words"))
			}
			expectEnd(t, c)
			c.Close()
			until(t, "it is closed", func() bool { return b.closes.Load() == 1 })
			if b.causes[0] != cause {
				t.Errorf("cause %v", b.causes[0])
			}
		})
	}
	t.Run("peer", func(t *testing.T) {
		b := new(bench).start(t, Config{}, ListenOptions{})
		c := b.dial(t)
		send(t, c, hello(0), frameOf(nil))
		expect(t, c, frameOf(nil))
		c.Close()
		until(t, "it is closed", func() bool { return b.closes.Load() == 1 })
		if !errors.Is(b.causes[0], io.EOF) {
			t.Errorf("cause %v", b.causes[0])
		}
	})
	t.Run("reset", func(t *testing.T) {
		b := new(bench).start(t, Config{}, ListenOptions{})
		c := b.dial(t)
		send(t, c, hello(0), frameOf(nil))
		expect(t, c, frameOf(nil))
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		until(t, "it is closed", func() bool { return b.closes.Load() == 1 })
	})
}

// TestCloseAfterFlush delivers all output before the end, although the peer
// has sent what nobody reads.
func TestCloseAfterFlush(t *testing.T) {
	b := &bench{}
	big := bytes.Repeat([]byte("x"), 4<<20)
	b.frame = func(c *Conn, _ []byte) {
		c.Output().B = append(c.Output().B, big...)
		c.CloseAfterFlush(errors.New("enough"), 5*time.Second)
	}
	b.start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	send(t, c, hello(0), frameOf(nil), make([]byte, 10000))
	expect(t, c, big)
	expectEnd(t, c)
}

// TestCloseAfterFlushDeadline cuts a peer that does not take its last output.
func TestCloseAfterFlushDeadline(t *testing.T) {
	b := &bench{}
	b.frame = func(c *Conn, _ []byte) {
		c.Output().B = append(c.Output().B, make([]byte, 64<<20)...)
		c.CloseAfterFlush(errors.New("enough"), 500*time.Millisecond)
	}
	b.start(t, Config{}, ListenOptions{})
	send(t, b.dial(t), hello(0), frameOf(nil))
	until(t, "it is cut", func() bool { return b.closes.Load() == 1 })
}

// TestReuse opens and closes fast from many goroutines, so that descriptors go
// from loop to loop.
func TestReuse(t *testing.T) {
	b := new(bench).start(t, Config{Loops: 4}, ListenOptions{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 150 {
				c, err := net.Dial("tcp", b.li.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				c.SetDeadline(time.Now().Add(20 * time.Second))
				body := fmt.Appendf(nil, "%d/%d", g, i)
				c.Write(append(hello(byte(g+i)), frameOf(body)...))
				got := make([]byte, len(body)+5)
				if _, err := io.ReadFull(c, got); err != nil || string(got[5:]) != string(body) {
					t.Errorf("%q, %v, want %q", got, err, body)
				}
				if i%3 == 0 {
					c.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
			}
		})
	}
	wg.Wait()
	until(t, "all are closed", func() bool { return b.closes.Load() == 8*150 })
}

// TestPanics lets every callback panic: only the connection that it concerned
// ends.
func TestPanics(t *testing.T) {
	for name, arm := range map[string]func(b *bench, boom func()){
		"data": func(b *bench, boom func()) {
			b.frame = func(c *Conn, body []byte) {
				boom()
				c.Output().B = append(c.Output().B, frameOf(body)...)
			}
		},
		"opened":   func(b *bench, boom func()) { b.opened = func(*Conn) { boom() } },
		"closed":   func(b *bench, boom func()) { b.closed = func(*Conn, error) { boom() } },
		"tick":     func(b *bench, boom func()) { b.tick = func(*Loop) { boom() } },
		"end turn": func(b *bench, boom func()) { b.endTurn = func(*Loop) { boom() } },
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{}
			var armed atomic.Bool
			arm(b, func() {
				if armed.CompareAndSwap(true, false) {
					panic("boom")
				}
			})
			b.start(t, Config{}, ListenOptions{})
			good := b.dial(t)
			send(t, good, hello(0))
			until(t, "the good one is open", func() bool { return b.opens.Load() == 1 })
			armed.Store(true)
			bad := b.dial(t)
			send(t, bad, hello(0), frameOf(nil))
			if name == "closed" {
				bad.Close()
			}
			until(t, "the panic is counted", func() bool { return b.r.Stats().Panics == 1 })
			if name == "data" || name == "opened" {
				expectEnd(t, bad)
			}
			send(t, good, frameOf([]byte("still here")))
			expect(t, good, frameOf([]byte("still here")))
		})
	}
}
