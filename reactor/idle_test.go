package reactor

import (
	"crypto/tls"
	"net"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestIdleMemory bounds what a connection takes while nothing happens. The
// client's side of it is only a descriptor.
func TestIdleMemory(t *testing.T) {
	const n = 400
	for _, x := range []struct {
		door door
		most int // bytes of heap
	}{
		{door{}, 64},
		{door{framed: true}, 160},
		{door{tls: tls.VersionTLS12}, 4 << 10},
		{door{tls: tls.VersionTLS13}, 4 << 10},
		{door{tls: tls.VersionTLS13, framed: true}, 4 << 10},
	} {
		t.Run("in "+x.door.String(), func(t *testing.T) {
			w := x.door.open(t, 1, hooks{opened: func(*handler, *Conn) {}}, nil)
			var fds []int
			defer func() { closeAll(fds) }()
			enter := func() {
				conn, err := dial(w.listener.Addr())
				if err != nil {
					t.Fatal(err)
				}
				c := x.door.pass(&client{TB: t, Conn: conn})
				c.send(hello(0))
				c.expect(hello(0))
				c.send(pattern(20000)) // a large record, whose buffer must not stay
				c.expect(pattern(20000))
				fds = append(fds, dup(t, c.Conn))
			}
			enter() // what loops have once
			heap := func() int {
				w.on(0, func() { w.reactor.loops[0].bufs = buffers{} }) // time gives them back
				return heap()
			}
			before := heap()
			for range n {
				enter()
			}
			per := (heap() - before) / n
			t.Logf("%d bytes of heap for each idle connection", per)
			if per > x.most {
				t.Errorf("%d bytes for each idle connection, %d are allowed", per, x.most)
			}
		})
	}
}

// dup keeps a connection open without what Go has for it.
func dup(t *testing.T, c net.Conn) int {
	for {
		switch x := c.(type) {
		case *framer:
			c = x.Conn
		case *tls.Conn:
			c = x.NetConn()
		default:
			raw, err := x.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			fd := -1
			if err := raw.Control(func(p uintptr) { fd, err = unix.Dup(int(p)) }); err != nil || fd < 0 {
				t.Fatal(err)
			}
			x.Close()
			return fd
		}
	}
}

func heap() int {
	var m runtime.MemStats
	for range 3 { // a pool is empty after two
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
