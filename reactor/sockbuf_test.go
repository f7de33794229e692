package reactor

import (
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSocketBuffers asks accepted sockets for their buffers: the kernel doubles
// what a program asks for, and adapts what it does not ask for.
func TestSocketBuffers(t *testing.T) {
	const (
		sendSet, receiveSet = 1, 2 // bits of SO_BUF_LOCK: no adaptation
		send, receive       = 40 << 10, 24 << 10
	)
	for _, network := range []string{"tcp4", "tcp6", "unix"} {
		for _, c := range []struct{ send, receive, locks int }{
			{0, 0, 0}, {send, receive, sendSet | receiveSet}, {send, 0, sendSet}, {0, receive, receiveSet},
		} {
			t.Run(fmt.Sprintf("%s %d %d", network, c.send, c.receive), func(t *testing.T) {
				o := socketOptions(t, network, c.send, c.receive)
				for _, x := range []struct{ got, asked, other int }{{o.send, c.send, send}, {o.receive, c.receive, receive}} {
					if (x.got == 2*x.other) != (x.asked > 0) {
						t.Errorf("a buffer of %d bytes, asked for %d", x.got, x.asked)
					}
				}
				if o.locks != c.locks && o.locks >= 0 { // older kernels do not tell
					t.Errorf("locked: %b, want %b", o.locks, c.locks)
				}
			})
		}
	}
}

type socketBuffers struct{ send, receive, locks int }

// socketOptions accepts a connection and reads its options.
func socketOptions(t *testing.T, network string, send, receive int) socketBuffers {
	fd := make(chan int, 1)
	w := start(t, 2, hooks{opened: func(_ *handler, c *Conn) { fd <- int(c.fd) }}, func(_ *Config, o *ListenOptions) {
		o.Network, o.SndBuf, o.RcvBuf = network, send, receive
		switch network {
		case "unix":
			o.Address = filepath.Join(t.TempDir(), "s")
		case "tcp6":
			o.Address = "[::1]:0"
		}
	})
	w.connect(1)
	at := <-fd
	option := func(name int) int {
		v, err := unix.GetsockoptInt(at, unix.SOL_SOCKET, name)
		if err != nil {
			return -1
		}
		return v
	}
	return socketBuffers{option(unix.SO_SNDBUF), option(unix.SO_RCVBUF), option(unix.SO_BUF_LOCK)}
}

// TestReadBuffer bounds the size that a configuration asks for, and reads large
// packets with the least and the most.
func TestReadBuffer(t *testing.T) {
	for _, c := range []struct{ asked, want int }{
		{0, 256 << 10}, {1, 128 << 10}, {200 << 10, 200 << 10}, {1 << 30, 1 << 20},
	} {
		w := start(t, 1, hooks{}, func(cfg *Config, _ *ListenOptions) { cfg.ReadBuffer = c.asked })
		w.on(0, func() {
			if n := len(w.reactor.loops[0].read); n != c.want {
				t.Errorf("%d bytes for %d, want %d", n, c.asked, c.want)
			}
		})
		p := packet(0x30, pattern(700_000)...)
		client := w.connect(0)
		go func() { _, _ = client.Write(p) }()
		client.expect(p)
	}
}
