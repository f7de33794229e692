package reactor

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"vernemq/codec"
)

func TestLobbyTimeout(t *testing.T) {
	var timeout atomic.Int64
	timeout.Store(int64(300 * time.Millisecond))
	b := new(bench).start(t, Config{ConnectTimeout: func() time.Duration { return time.Duration(timeout.Load()) }}, ListenOptions{})
	good, silent, half := b.dial(t), b.dial(t), b.dial(t)
	send(t, good, hello(0))
	send(t, half, hello(0)[:2])
	start := time.Now()
	expectEnd(t, silent)
	expectEnd(t, half)
	if d := time.Since(start); d < 250*time.Millisecond || d > 5*time.Second {
		t.Errorf("closed after %v", d)
	}
	send(t, good, frameOf(nil))
	expect(t, good, frameOf(nil))
	if n := b.r.Stats().LobbyTimeouts; n != 2 {
		t.Errorf("%d timeouts", n)
	}
}

// TestLobbyEviction lets more connections wait than there is room for: the
// oldest goes, and a client that speaks gets through.
func TestLobbyEviction(t *testing.T) {
	b := new(bench).start(t, Config{LobbySize: 3}, ListenOptions{})
	var waiting []net.Conn
	for i := range 4 {
		waiting = append(waiting, b.dial(t))
		until(t, "it was accepted", func() bool { return b.r.Stats().Accepted == uint64(i+1) })
	}
	expectEnd(t, waiting[0])
	for range 5 {
		c := b.dial(t)
		send(t, c, hello(0), frameOf(nil))
		expect(t, c, frameOf(nil))
	}
	if n := b.r.Stats().LobbyEvicted; n < 1 || n > 6 {
		t.Errorf("%d evictions", n)
	}
}

func TestGarbage(t *testing.T) {
	b := new(bench).start(t, Config{MaxRemaining: func(*Listener) int { return 100 }}, ListenOptions{})
	for name, bytes := range map[string][]byte{
		"http": []byte("GET / HTTP/1.1\r\n\r\n"), "type 0": {0, 0}, "publish": {0x30, 0}, "length": {0x10, 0xff, 0xff, 0xff, 0xff}, "too large": {0x10, 101},
	} {
		c := b.dial(t)
		send(t, c, bytes)
		t.Run(name, func(t *testing.T) { expectEnd(t, c) })
	}
	if n := b.r.Stats().LobbyGarbage; n != 5 {
		t.Errorf("%d garbage", n)
	}
	if b.opens.Load() != 0 {
		t.Error("garbage was opened")
	}
}

// TestRefused sends the answer of a refusal before the end.
func TestRefused(t *testing.T) {
	no := errors.New("no")
	b := &bench{home: func(*Conn, codec.Frame) (int, []byte, error) { return 0, []byte("refused"), no }}
	b.start(t, Config{Loops: 2}, ListenOptions{})
	c := b.dial(t)
	send(t, c, hello(0), make([]byte, 1000))
	expect(t, c, []byte("refused"))
	expectEnd(t, c)
	c.Close()
	until(t, "the cause is told", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.causes) == 1 && b.causes[0] == no
	})
}

// TestLobbyIsCounted lets connections leave the lobby in every way: the place
// of each is free again.
func TestLobbyIsCounted(t *testing.T) {
	b := new(bench).start(t, Config{LobbySize: 100, ConnectTimeout: func() time.Duration { return 500 * time.Millisecond }}, ListenOptions{})
	for i := range 60 {
		c := b.dial(t)
		switch i % 4 {
		case 0:
			c.Close()
		case 1:
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		case 2:
			send(t, c, []byte("garbage"))
		case 3:
			send(t, c, hello(0))
		}
	}
	until(t, "the lobby is empty", func() (empty bool) {
		on(b.r.loops[0], func() { empty = b.r.loops[0].lobby.size == 0 })
		return empty && b.r.Stats().Accepted == 60
	})
	if n := b.r.Stats().LobbyEvicted; n != 0 {
		t.Errorf("%d evictions", n)
	}
}
