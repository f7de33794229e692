package reactor

import (
	"errors"
	"io"
	"net"
	"testing"
)

// TestMove sends a connection around the loops while its client writes and
// reads: nothing is lost, doubled or out of order.
func TestMove(t *testing.T) {
	const loops = 3
	w := start(t, loops, hooks{data: packets(func(h *handler, c *Conn, p []byte) bool {
		echo(h, c, p)
		if p[0] != 0xC0 { // PINGREQ moves
			return true
		}
		c.PauseRead()
		h.loop.Post(func() {
			h.world.opened.Add(-1) // it is opened anew
			c.Move((h.loop.Index() + 1) % loops)
		})
		return false
	})}, nil)
	conn := w.dial()
	want := packet(0x10, 0)
	for i := range 200 {
		want = append(want, packet(0x30, pattern(i)...)...)
		if i%10 == 3 {
			want = append(want, 0xC0, 0)
		}
	}
	go func() { _, _ = conn.Write(want) }()
	conn.expect(want)
}

// TestAwaitHangup ends a connection that is not read when its peer goes.
func TestAwaitHangup(t *testing.T) {
	for _, read := range []bool{false, true} {
		w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
			c.PauseRead()
			c.AwaitHangup()
			if read {
				c.ResumeRead()
			}
			return len(in), 0
		}}, nil)
		conn := w.dial()
		conn.send(hello(0))
		w.eventually("Opened", func() bool { return w.opened.Load() == 1 })
		if err := conn.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		want := errHangup
		if read {
			want = io.EOF
		}
		if err := w.ended(); !errors.Is(err, want) {
			t.Errorf("ended by %v, want %v", err, want)
		}
		w.stop()
	}
}
