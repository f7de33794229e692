package reactor

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vernemq/codec"
)

// TestPlaceIsTaken measures how long a connection waits for a place that has
// become free: an end counts, not the clock. There are never too many.
func TestPlaceIsTaken(t *testing.T) {
	const rounds, places = 40, 2
	b := (&bench{}).start(t, Config{Loops: 2}, ListenOptions{Network: "tcp4", Address: "127.0.0.1:0", MaxConnections: places})
	begin := time.Now()
	var inside []net.Conn
	for range rounds {
		if len(inside) == places {
			inside[0].Close()
			inside = inside[1:]
		}
		c := b.dial(t)
		send(t, c, greeting(1), frameOf([]byte("x")))
		expect(t, c, frameOf([]byte("x")))
		inside = append(inside, c)
		if n := b.li.Active(); n > places {
			t.Fatalf("%d connections are active, want at most %d", n, places)
		}
	}
	if d := time.Since(begin); d > rounds*quarterSecond/4 {
		t.Errorf("%v for %d changes", d, rounds)
	}
}

// TestUnixSocketBusy finds a listener with a full backlog at the address: its
// socket is not stale.
func TestUnixSocketBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds no room
		if c, err := net.DialTimeout("unix", path, 20*time.Millisecond); err == nil {
			defer c.Close()
		}
	}
	b := (&bench{}).start(t, Config{}, ListenOptions{})
	if _, err := b.r.Listen(ListenOptions{Network: "unix", Address: path}); err == nil {
		t.Error("the address of a busy server was taken")
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket of a busy server is gone: %v", err)
	}
}

// TestLobbyForgets connects and leaves without a word, as health checks do: the
// lobby does not count those who have left.
func TestLobbyForgets(t *testing.T) {
	b := (&bench{}).start(t, Config{LobbySize: 4}, ListenOptions{})
	for i := range 10 {
		b.dial(t).Close()
		until(t, "it has ended", func() bool { return b.r.Stats().Closed == uint64(i+1) })
	}
	first, second := b.dial(t), b.dial(t)
	until(t, "both wait", func() bool { return b.r.Stats().Accepted == 12 })
	for _, c := range []net.Conn{first, second} {
		send(t, c, greeting(0), frameOf([]byte("x")))
		expect(t, c, frameOf([]byte("x")))
	}
	if n := b.r.Stats().LobbyEvicted; n != 0 {
		t.Errorf("%d evicted from an empty lobby", n)
	}
}

// TestHomeOutOfRange has a handler that names loops that do not exist.
func TestHomeOutOfRange(t *testing.T) {
	b := &bench{home: func(_ *Conn, f codec.Frame) (int, []byte, error) { return int(int8(f.Body[0])), nil, nil }}
	b.start(t, Config{Loops: 2}, ListenOptions{})
	for _, loop := range []byte{2, 100, 255} {
		c := b.dial(t)
		send(t, c, greeting(loop))
		expectEnd(t, c)
		c.Close()
	}
	until(t, "nobody is left", func() bool { return b.li.Active() == 0 })
}
