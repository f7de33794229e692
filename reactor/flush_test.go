package reactor

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"
)

// TestSlowReader sends 8 MB to a peer that reads slowly: what is pending stays
// bounded, and everything arrives in order.
func TestSlowReader(t *testing.T) {
	const chunk, chunks = 10000, 800
	b := &bench{}
	sent, most := 0, 0
	pump := func(c *Conn) {
		for sent < chunks && !c.Full() {
			c.Output().B = append(c.Output().B, bytes.Repeat([]byte{byte(sent)}, chunk)...)
			sent++
		}
		most = max(most, c.Pending())
	}
	b.frame = func(c *Conn, _ []byte) { pump(c) }
	b.writable = pump
	b.start(t, Config{HighWater: 100000}, ListenOptions{SndBuf: 16384})
	c := b.dial(t)
	send(t, c, hello(0), frameOf(nil))
	for i := range chunks {
		expect(t, c, bytes.Repeat([]byte{byte(i)}, chunk))
		if i%100 == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	on(b.r.loops[0], func() {
		if most > 100000+chunk {
			t.Errorf("%d bytes were pending", most)
		}
	})
}

// once counts how often it was released.
type once struct{ n *atomic.Int64 }

func (o once) Release() { o.n.Add(1) }

// TestShared mixes copied and shared output, in more pieces than one call
// takes: the order holds and every piece is released once.
func TestShared(t *testing.T) {
	for _, pieces := range []int{1, 10, 3000} {
		t.Run(fmt.Sprint(pieces), func(t *testing.T) {
			var released atomic.Int64
			var want []byte
			b := &bench{}
			b.frame = func(c *Conn, _ []byte) {
				for i := range pieces {
					c.Output().B = append(c.Output().B, byte(i))
					data := bytes.Repeat([]byte{byte(i * 7)}, 1+i%5000)
					c.AppendShared(data, once{&released})
				}
				c.Output().B = append(c.Output().B, "end"...)
			}
			for i := range pieces {
				want = append(append(want, byte(i)), bytes.Repeat([]byte{byte(i * 7)}, 1+i%5000)...)
			}
			want = append(want, "end"...)
			b.start(t, Config{}, ListenOptions{SndBuf: 8192})
			c := b.dial(t)
			send(t, c, hello(0), frameOf(nil))
			expect(t, c, want)
			until(t, "all is released", func() bool { return released.Load() == int64(pieces) })
		})
	}
}

// TestSharedLost releases what a dead connection has not sent.
func TestSharedLost(t *testing.T) {
	var released atomic.Int64
	b := &bench{}
	b.frame = func(c *Conn, _ []byte) {
		for range 100 {
			c.AppendShared(make([]byte, 1<<20), once{&released})
		}
	}
	b.start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	send(t, c, hello(0), frameOf(nil))
	io.CopyN(io.Discard, c, 1<<20)
	c.Close()
	until(t, "all is released", func() bool { return released.Load() == 100 })
}

// TestSendTimeout closes a peer that takes nothing, and not one that takes a
// little now and then.
func TestSendTimeout(t *testing.T) {
	b := &bench{}
	b.frame = func(c *Conn, _ []byte) { c.Output().B = append(c.Output().B, make([]byte, 16<<20)...) }
	b.start(t, Config{SendTimeout: 2 * time.Second}, ListenOptions{SndBuf: 8192})
	slow, dead := b.dial(t), b.dial(t)
	send(t, slow, hello(0), frameOf(nil))
	send(t, dead, hello(0), frameOf(nil))
	for b.closes.Load() == 0 {
		if _, err := io.CopyN(io.Discard, slow, 300000); err != nil {
			t.Fatalf("the slow one was closed: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if n := b.r.Stats().SendTimeouts; n != 1 {
		t.Errorf("%d timeouts", n)
	}
}

// TestFreshOutput lets a tick come between the appearance of output and the
// first attempt to send it.
func TestFreshOutput(t *testing.T) {
	b := &bench{}
	b.frame = func(c *Conn, body []byte) {
		c.flags |= flagStuck // as after an earlier wait
		c.loop.stuck = append(c.loop.stuck, connRef{c, c.Generation()})
		c.Output().B = append(c.Output().B, frameOf(body)...)
		c.loop.sendDeadlines(c.loop.Now() + 1)
	}
	b.start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	for range 2 {
		send(t, c, hello(0)[:0], append(hello(0), frameOf(nil)...))
		expect(t, c, frameOf(nil))
	}
}

// TestBuffers grows an output through every size and looks that its bytes stay
// and that free buffers go when nobody needs them.
func TestBuffers(t *testing.T) {
	b := &bench{}
	const size = 3 << 20
	b.frame = func(c *Conn, _ []byte) {
		for i := range size / 4 {
			out := c.Output()
			out.B = append(out.B, byte(i), byte(i>>8), byte(i>>16), 7)
		}
	}
	b.start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	send(t, c, hello(0), frameOf(nil))
	var want []byte
	for i := range size / 4 {
		want = append(want, byte(i), byte(i>>8), byte(i>>16), 7)
	}
	expect(t, c, want)
	free := func() (n int) {
		on(b.r.loops[0], func() {
			for _, f := range b.r.loops[0].bufs.free {
				n += len(f)
			}
		})
		return n
	}
	until(t, "buffers were kept, and given back", func() bool { return free() == 0 })
}

func BenchmarkEcho(b *testing.B) {
	x := new(bench).start(b, Config{}, ListenOptions{})
	c := x.dial(b)
	c.SetDeadline(time.Time{})
	const batch = 100
	out := bytes.Repeat(frameOf(make([]byte, 64)), batch)
	in := make([]byte, len(out))
	send(b, c, hello(0))
	b.ReportAllocs()
	b.SetBytes(69)
	for i := 0; i < b.N; i += batch {
		send(b, c, out)
		if _, err := io.ReadFull(c, in); err != nil {
			b.Fatal(err)
		}
	}
}
