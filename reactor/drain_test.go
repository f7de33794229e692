package reactor

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var errTest = errors.New("the test says so")

// endings is a bench on which a frame calls end.
func endings(t *testing.T, end func(c *Conn)) (b *bench, c net.Conn) {
	b = (&bench{frame: func(c *Conn, _ []byte) { end(c) }}).start(t, Config{}, ListenOptions{})
	c = b.dial(t)
	send(t, c, greeting(0))
	return b, c
}

func (b *bench) expectCause(t *testing.T, want error) {
	t.Helper()
	until(t, "Closed is called", func() bool { return b.closes.Load() == 1 })
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.causes) != 1 || b.causes[0] != want {
		t.Errorf("causes %v, want %v", b.causes, want)
	}
}

// TestDrainHalfClosed lets the peer shut its direction before it has read what
// is still to come.
func TestDrainHalfClosed(t *testing.T) {
	const size = 6 << 20
	b, c := endings(t, func(c *Conn) {
		c.Output().B = append(c.Output().B, make([]byte, size)...)
		c.CloseAfterFlush(errTest, 10*time.Second)
	})
	send(t, c, frameOf(nil))
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	reads := b.r.Stats().Reads
	until(t, "the loop has seen it", func() bool { return b.r.Stats().Reads > reads || b.r.Stats().Reads >= 3 })
	rests(t)
	if n, err := io.Copy(io.Discard, c); n != size || err != nil {
		t.Errorf("%d of %d bytes came: %v", n, size, err)
	}
	b.expectCause(t, errTest)
}

// TestDrainPaused ends a paused connection whose peer has sent more.
func TestDrainPaused(t *testing.T) {
	b, c := endings(t, func(c *Conn) {
		c.PauseRead()
		c.CloseAfterFlush(errTest, 10*time.Second)
	})
	send(t, c, frameOf(nil), frameOf(make([]byte, 1000)))
	expectEnd(t, c)
	rests(t)
	c.Close()
	b.expectCause(t, errTest)
}

// TestPausedInOpened pauses before the first packet is handed over.
func TestPausedInOpened(t *testing.T) {
	for _, home := range []byte{0, 1} {
		var conn atomic.Pointer[Conn]
		var early atomic.Bool
		b := &bench{opened: func(c *Conn) { c.PauseRead(); conn.Store(c) }}
		b.data = func(c *Conn, in []byte) (int, int) {
			early.Store(early.Load() || c.Paused())
			c.Output().B = append(c.Output().B, in...)
			return len(in), 0
		}
		b.start(t, Config{Loops: 2}, ListenOptions{})
		c := b.dial(t)
		send(t, c, append(greeting(home), frameOf([]byte("x"))...))
		until(t, "the connection is open", func() bool { return conn.Load() != nil })
		on(b.r.Loops()[home], func() { conn.Load().ResumeRead() })
		expect(t, c, append(greeting(home), frameOf([]byte("x"))...))
		if early.Load() {
			t.Error("Data was called during a pause")
		}
	}
}

// TestResumeInData resumes in the call in which it paused: what Data left must
// come again although nothing more arrives.
func TestResumeInData(t *testing.T) {
	b := &bench{}
	b.data = func(c *Conn, in []byte) (int, int) {
		c.PauseRead()
		c.ResumeRead()
		c.Output().B = append(c.Output().B, in[0])
		return 1, 0
	}
	b.start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	send(t, c, append(greeting(0), "and more"...))
	expect(t, c, append(greeting(0), "and more"...))
}

// TestCloseFromClosed checks the one attempt to write on Close, also when it is
// called where another connection's end is reported.
func TestCloseFromClosed(t *testing.T) {
	var conns []*Conn // on the loop
	b := &bench{opened: func(c *Conn) { conns = append(conns, c) }}
	b.closed = func(c *Conn, _ error) {
		if c == conns[0] {
			conns[1].Output().B = append(conns[1].Output().B, "bye"...)
			conns[1].Close(errTest)
		}
	}
	b.start(t, Config{}, ListenOptions{})
	first, second := b.dial(t), b.dial(t)
	send(t, first, greeting(0))
	until(t, "it is open", func() bool { return b.opens.Load() == 1 })
	send(t, second, greeting(0))
	until(t, "it is open", func() bool { return b.opens.Load() == 2 })
	on(b.r.Loops()[0], func() { conns[0].Close(errTest) })
	expectEnd(t, first)
	if got, err := io.ReadAll(second); string(got) != "bye" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestPiecesManyAndEmpty writes more pieces than one writev takes, some empty.
func TestPiecesManyAndEmpty(t *testing.T) {
	var mu sync.Mutex
	var want bytes.Buffer // under mu
	var released count
	b := &bench{frame: func(c *Conn, _ []byte) {
		mu.Lock()
		defer mu.Unlock()
		for i := range 3000 {
			p := bytes.Repeat([]byte{byte(i)}, i%7)
			c.AppendShared(p, &released)
			want.Write(p)
			if i%5 == 0 {
				c.Output().B = append(c.Output().B, 'o')
				want.WriteByte('o')
			}
		}
		c.AppendShared(nil, &released)
	}}
	b.start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	for range 3 {
		mu.Lock()
		want.Reset()
		mu.Unlock()
		released.n.Store(0)
		send(t, c, greeting(0), frameOf(nil))
		until(t, "all pieces are released", func() bool { return released.n.Load() == 3001 })
		mu.Lock()
		expect(t, c, want.Bytes())
		mu.Unlock()
	}
}

type count struct{ n atomic.Int32 }

func (c *count) Release() { c.n.Add(1) }

// TestRestOfLargeFrame leaves a few bytes behind a large frame: they must not
// hold on to its memory.
func TestRestOfLargeFrame(t *testing.T) {
	var conn atomic.Pointer[Conn]
	b := (&bench{opened: func(c *Conn) { conn.Store(c) }}).start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	f := frameOf(make([]byte, 4<<20))
	go c.Write(append(append(greeting(0), f...), 0x30, 0, 0))
	expect(t, c, f)
	var size, room int
	until(t, "the rest has come", func() bool {
		on(b.r.Loops()[0], func() {
			if in := conn.Load().in; in != nil {
				size, room = len(in.B), cap(in.B)
			}
		})
		return size == 3
	})
	if room > largeRest {
		t.Errorf("%d bytes of memory for a rest of %d", room, size)
	}
}

// TestUrgent sends an out-of-band byte, which epoll reports until it is read.
func TestUrgent(t *testing.T) {
	b := (&bench{}).start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	send(t, c, greeting(0))
	until(t, "it is open", func() bool { return b.opens.Load() == 1 })
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte{'!'}, unix.MSG_OOB, nil) })
	if err != nil {
		t.Fatal(err)
	}
	rests(t)
	send(t, c, frameOf([]byte("x")))
	expect(t, c, frameOf([]byte("x")))
}
