package reactor

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMaxConnections(t *testing.T) {
	t.Parallel()
	for _, loops := range []int{1, 4} {
		t.Run(strconv.Itoa(loops), func(t *testing.T) {
			w := start(t, loops, hooks{}, func(_ *Config, o *ListenOptions) { o.MaxConnections = 5 })
			var wg sync.WaitGroup
			for i := range 20 { // more than fit, at the same time
				wg.Add(1)
				go func() {
					defer wg.Done()
					c := w.dialQuietly()
					if c == nil {
						return
					}
					defer c.Close()
					_, _ = c.Write(hello(i))
					if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
						t.Error(err)
					}
					if n := w.listener.Active(); n > 5 {
						t.Errorf("%d connections are active", n)
					}
				}()
			}
			wg.Wait()
			if n := w.listener.Total(); n != 20 {
				t.Errorf("%d were accepted", n)
			}
		})
	}
}

// Loops that accept at the same time do not exceed the limit.
func TestMaxConnectionsOfLoopsAtOnce(t *testing.T) {
	w := start(t, 4, hooks{}, nil)
	for range 30 {
		li, err := w.reactor.Listen(ListenOptions{Name: "test", Network: "tcp", Address: "127.0.0.1:0", MaxConnections: 3})
		if err != nil {
			t.Fatal(err)
		}
		li.Suspend()
		for i := range w.reactor.loops {
			w.on(i, func() {})
		}
		var cs []net.Conn
		for range 16 {
			c, err := dial(li.Addr())
			if err != nil {
				t.Fatal(err)
			}
			cs = append(cs, c)
		}
		li.Resume()
		w.eventually("as many as there may be", func() bool { return li.Total() >= 3 })
		for i := range w.reactor.loops {
			w.on(i, func() {})
			w.on(i, func() {})
		}
		if n := li.Total(); n != 3 {
			t.Errorf("%d were accepted", n)
		}
		li.Close(t.Context())
		for _, c := range cs {
			c.Close()
		}
	}
}

func TestBacklogWaitsForAPlace(t *testing.T) {
	w := start(t, 1, hooks{}, func(_ *Config, o *ListenOptions) { o.MaxConnections = 2 })
	a, b := w.connect(0), w.connect(0)
	c := w.dial()
	c.send(hello(0))
	w.handlers[0].idle(t)
	if n := w.listener.Total(); n != 2 {
		t.Fatalf("%d were accepted", n)
	}
	b.send([]byte("b"))
	b.expect([]byte("b"))
	a.Close()
	c.expect(hello(0))
	if n := w.listener.Active(); n != 2 {
		t.Errorf("%d are active", n)
	}
}

func TestSuspendAndResume(t *testing.T) {
	for _, loops := range []int{1, 4} {
		t.Run(strconv.Itoa(loops), func(t *testing.T) {
			w := start(t, loops, hooks{}, nil)
			old := w.connect(0)
			w.listener.Suspend()
			w.listener.Suspend()
			for i := range loops {
				w.on(i, func() {})
			}
			c := w.dial()
			c.send(hello(0))
			w.handlers[0].idle(t) // the tick must not resume
			old.send([]byte("still here"))
			old.expect([]byte("still here"))
			if n := w.listener.Total(); n != 1 {
				t.Errorf("%d were accepted", n)
			}
			w.listener.Resume()
			c.expect(hello(0))
			w.listener.Close(t.Context())
			w.listener.Close(t.Context())
			w.listener.Resume() // does nothing any more
			if c, err := dial(w.listener.Addr()); err == nil {
				c.Close()
				t.Error("a closed listener accepts")
			}
			old.send([]byte("and here"))
			old.expect([]byte("and here"))
			if n := len(w.reactor.listeners); n != 0 {
				t.Errorf("%d listeners are remembered", n)
			}
		})
	}
}

func TestListenersComeAndGo(t *testing.T) {
	w := start(t, 2, hooks{}, nil)
	before := descriptors(t)
	for i := range 20 {
		li, err := w.reactor.Listen(ListenOptions{Name: "more", Network: "tcp", Address: "127.0.0.1:0", Tag: i})
		if err != nil {
			t.Fatal(err)
		}
		w.talk(li.Addr().String())
		if li.Options().Tag != i || li.Total() != 1 {
			t.Error("the listener is not described")
		}
		li.Close(t.Context())
	}
	w.eventually("no descriptor is left", func() bool { return descriptors(t) == before })
}

// talk makes a connection to an address and ends it.
func (w *world) talk(address string) {
	w.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		w.Error(err)
		return
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	x := &client{TB: w.TB, Conn: c}
	x.send(hello(1))
	x.expect(hello(1))
	c.Close()
}

func TestAddressInUse(t *testing.T) {
	for _, loops := range [][2]int{{1, 1}, {1, 4}, {4, 1}, {4, 4}} {
		w := start(t, loops[0], hooks{}, nil)
		other := start(t, loops[1], hooks{}, nil)
		_, err := other.reactor.Listen(ListenOptions{Network: "tcp", Address: w.listener.Addr().String()})
		if err == nil || !strings.Contains(err.Error(), "address already in use") || strings.Count(err.Error(), "cannot listen") != 1 {
			t.Errorf("%v loops: %v", loops, err)
		}
		w.connect(0)
		other.connect(0)
	}
}

func TestListenFails(t *testing.T) {
	w := start(t, 2, hooks{}, nil)
	before := descriptors(t)
	for _, o := range []ListenOptions{
		{Network: "tcp", Address: "127.0.0.1"},
		{Network: "tcp", Address: "192.0.2.1:0"},
		{Network: "carrier pigeon", Address: "127.0.0.1:0"},
		{Network: "unix", Address: filepath.Join(t.TempDir(), "no", "such", "directory")},
	} {
		if li, err := w.reactor.Listen(o); err == nil {
			li.Close(t.Context())
			t.Errorf("%v: no error", o)
		}
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
}

// Without a host a listener takes IPv4, whatever the number of loops.
func TestEveryAddress(t *testing.T) {
	for _, loops := range []int{1, 4} {
		w := start(t, loops, hooks{}, func(_ *Config, o *ListenOptions) { o.Address = ":0" })
		port := strconv.Itoa(w.listener.Addr().(*net.TCPAddr).Port)
		if port == "0" {
			t.Fatal("the port is not told")
		}
		for range 8 { // all loops' sockets
			w.talk("127.0.0.1:" + port)
		}
		if hasIPv6() {
			w.talk("[::1]:" + port)
		}
	}
}

func hasIPv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func TestIPv6(t *testing.T) {
	if !hasIPv6() {
		t.Skip("no IPv6")
	}
	peer := make(chan string, 1)
	w := start(t, 4, hooks{opened: func(_ *handler, c *Conn) { peer <- c.Peer().String() }}, func(_ *Config, o *ListenOptions) {
		o.Network, o.Address = "tcp6", "[::1]:0"
	})
	c := w.connect(1)
	if p := <-peer; p != c.LocalAddr().String() {
		t.Errorf("the peer is %s", p)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close() // leaves the file
	w := start(t, 2, hooks{opened: func(_ *handler, c *Conn) {
		if c.Peer().IsValid() {
			t.Error("a unix socket has no peer address")
		}
	}}, func(_ *Config, o *ListenOptions) { o.Network, o.Address = "unix", path })
	for loop := range 2 {
		c := w.connect(loop)
		c.send([]byte("hello"))
		c.expect([]byte("hello"))
	}
	_, err = w.reactor.Listen(ListenOptions{Network: "unix", Address: path})
	if err == nil || !strings.Contains(err.Error(), "address already in use") || strings.Count(err.Error(), "cannot listen") != 1 {
		t.Errorf("second listener: %v", err)
	}
	w.listener.Close(t.Context())
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = w.reactor.Listen(ListenOptions{Network: "unix", Address: path}); err == nil {
		t.Error("a file that is no socket was replaced")
	}
}

// Connections spread over the loops' sockets and find their homes.
func TestPortZeroWithLoops(t *testing.T) {
	w := start(t, 4, hooks{}, nil)
	for i := range 40 {
		w.connect(i)
	}
	accepted := 0
	for _, l := range w.reactor.loops {
		if l.stats.accepted.n.Load() > 0 {
			accepted++
		}
	}
	if accepted < 2 {
		t.Errorf("%d loops have accepted", accepted)
	}
}
