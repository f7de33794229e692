package reactor

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMaxConnections leaves connections beyond the limit in the backlog until
// one leaves.
func TestMaxConnections(t *testing.T) {
	b := new(bench).start(t, Config{}, ListenOptions{MaxConnections: 2})
	first, second, third := b.dial(t), b.dial(t), b.dial(t)
	for _, c := range []net.Conn{first, second} {
		send(t, c, hello(0), frameOf(nil))
		expect(t, c, frameOf(nil))
	}
	send(t, third, hello(0), frameOf(nil))
	third.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := third.Read(make([]byte, 1)); err == nil || b.li.Active() != 2 {
		t.Fatalf("the third one got in: %v, %d active", err, b.li.Active())
	}
	third.SetReadDeadline(time.Now().Add(10 * time.Second))
	first.Close()
	expect(t, third, frameOf(nil))
}

func TestSuspend(t *testing.T) {
	b := new(bench).start(t, Config{Loops: 2}, ListenOptions{})
	before := b.dial(t)
	send(t, before, hello(0), frameOf(nil))
	expect(t, before, frameOf(nil))
	b.li.Suspend()
	on(b.r.loops[0], func() {})
	on(b.r.loops[1], func() {})
	late := b.dial(t)
	send(t, late, hello(0), frameOf(nil))
	late.SetReadDeadline(time.Now().Add(400 * time.Millisecond))
	if _, err := late.Read(make([]byte, 1)); err == nil {
		t.Fatal("a suspended listener accepts")
	}
	send(t, before, frameOf(nil))
	expect(t, before, frameOf(nil))
	b.li.Resume()
	late.SetReadDeadline(time.Now().Add(10 * time.Second))
	expect(t, late, frameOf(nil))
	b.li.Close()
	if c, err := net.Dial("tcp", b.li.Addr().String()); err == nil {
		c.Close()
		t.Error("a closed listener accepts")
	}
	send(t, late, frameOf(nil))
	expect(t, late, frameOf(nil))
}

func TestAddressInUse(t *testing.T) {
	for _, loops := range []int{1, 4} {
		b := new(bench).start(t, Config{Loops: loops}, ListenOptions{})
		other := new(bench).start(t, Config{Loops: 4}, ListenOptions{})
		_, err := other.r.Listen(ListenOptions{Network: "tcp4", Address: b.li.Addr().String()})
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("%d loops: %v", loops, err)
		}
		if _, err := other.r.Listen(ListenOptions{Network: "tcp4", Address: "192.0.2.1:1"}); err == nil {
			t.Error("listening on an address of somebody else works")
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mqtt.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close() // leaves its file behind
	b := new(bench).start(t, Config{Loops: 2}, ListenOptions{Network: "unix", Address: path})
	c := b.dial(t)
	send(t, c, hello(1), frameOf(nil))
	expect(t, c, frameOf(nil))
	b.li.Close()
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket's file is left behind")
	}
}

func TestIPv6(t *testing.T) {
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skipf("this host has no IPv6 on loopback: %v", err)
	} else {
		l.Close()
	}
	b := new(bench)
	peer := make(chan string, 1)
	b.opened = func(c *Conn) { peer <- c.Peer().String() }
	b.start(t, Config{Loops: 2}, ListenOptions{Network: "tcp6", Address: "[::1]:0"})
	c := b.dial(t)
	send(t, c, hello(1), frameOf(nil))
	expect(t, c, frameOf(nil))
	if got := <-peer; got != c.LocalAddr().String() {
		t.Errorf("peer %s, want %s", got, c.LocalAddr())
	}
}

// TestDescriptors runs the reactor in a process of its own that may open few
// files. When it has none left, its connections go on, and new ones get in as
// soon as there is room.
func TestDescriptors(t *testing.T) {
	if os.Getenv("REACTOR_FEW_FILES") == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestDescriptors$", "-test.v")
		cmd.Env = append(os.Environ(), "REACTOR_FEW_FILES=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	b := new(bench).start(t, Config{Loops: 2}, ListenOptions{})
	good := b.dial(t)
	send(t, good, hello(0), frameOf(nil))
	expect(t, good, frameOf(nil))
	// Sockets of this side are opened before the limit falls.
	var waiting []int
	for range 60 {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, fd)
	}
	limit := unix.Rlimit{Cur: uint64(waiting[len(waiting)-1] + 20), Max: uint64(waiting[len(waiting)-1] + 20)}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	port := b.li.Addr().(*net.TCPAddr).Port
	for _, fd := range waiting {
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "descriptors run out", func() bool { return b.r.Stats().AcceptErrors > 0 })
	send(t, good, frameOf([]byte("going on")))
	expect(t, good, frameOf([]byte("going on")))
	for _, fd := range waiting[:len(waiting)-1] {
		unix.Close(fd)
	}
	last := waiting[len(waiting)-1]
	if _, err := unix.Write(last, append(hello(0), frameOf(nil)...)); err != nil {
		t.Fatal(err)
	}
	unix.SetsockoptTimeval(last, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10})
	if n, err := unix.Read(last, make([]byte, 5)); n != 5 || err != nil {
		t.Fatalf("the last one gets nothing: %d, %v", n, err)
	}
}

// TestStopLeavesNothing looks for descriptors that a stopped reactor left
// open.
func TestStopLeavesNothing(t *testing.T) {
	count := func() int {
		d, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(d)
	}
	before := count()
	for range 3 {
		b := &bench{}
		t.Run("", func(t *testing.T) {
			b.start(t, Config{Loops: 3}, ListenOptions{})
			for i := range 30 {
				c := b.dial(t)
				if i%3 > 0 {
					send(t, c, hello(byte(i)), frameOf(nil))
				}
				if i%3 > 1 {
					expect(t, c, frameOf(nil))
				}
			}
		})
		if err := b.r.Stop(context.Background()); err != nil {
			t.Errorf("second Stop: %v", err)
		}
	}
	until(t, "all descriptors are closed", func() bool { return count() <= before })
}

// TestStopFlushes sends what is pending before the end.
func TestStopFlushes(t *testing.T) {
	b := &bench{}
	b.frame = func(c *Conn, _ []byte) { c.Output().B = append(c.Output().B, make([]byte, 4<<20)...) }
	b.start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	send(t, c, hello(0), frameOf(nil))
	expect(t, c, make([]byte, 100))
	go b.r.Stop(context.Background())
	expect(t, c, make([]byte, 4<<20-100))
	expectEnd(t, c)
}
