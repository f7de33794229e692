package reactor

import (
	"errors"
	"testing"
	"time"

	"vernemq/codec"
)

func TestFirstPacketByteByByte(t *testing.T) {
	w := start(t, 2, hooks{}, nil)
	for loop := range 2 {
		c := w.dial()
		all := append(packet(0x10, append([]byte{byte(loop)}, pattern(200)...)...), 0xc0, 0)
		for i := range all {
			c.send(all[i : i+1])
		}
		c.expect(all)
	}
}

func TestFirstPacketIsRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"type 0":        {0, 0},
		"a publish":     packet(0x30, 0, 1, 'a'),
		"a long length": {0x10, 0xff, 0xff, 0xff, 0xff, 0xff},
		"too large":     {0x10, 0xc9, 1}, // 201
		"http":          []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, 1, hooks{}, func(cfg *Config, _ *ListenOptions) {
				cfg.MaxRemaining = func(*Listener) int { return 200 }
			})
			c := w.dial()
			c.send(b)
			c.expectEnd()
			if w.ended() == nil {
				t.Error("no cause")
			}
			if n := w.reactor.Stats().LobbyGarbage; n != 1 {
				t.Errorf("%d are counted", n)
			}
			w.connect(0).send(packet(0xc0))
		})
	}
}

func TestLobbyHasItsOwnLimit(t *testing.T) {
	w := start(t, 1, hooks{}, nil)
	c := w.dial()
	c.send([]byte{0x10, 0x81, 0x80, 0x40}) // 1 MiB and 1
	c.expectEnd()
}

func TestLobbyTimeout(t *testing.T) {
	t.Parallel()
	w := start(t, 1, hooks{}, func(cfg *Config, _ *ListenOptions) {
		cfg.ConnectTimeout = func() time.Duration { return 300 * time.Millisecond }
	})
	good := w.connect(0)
	silent, slow := w.dial(), w.dial()
	slow.send([]byte{0x10, 5, 0})
	begin := time.Now()
	silent.expectEnd()
	slow.expectEnd()
	if d := time.Since(begin); d < 200*time.Millisecond || d > 5*time.Second {
		t.Errorf("closed after %v", d)
	}
	for range 2 {
		if err := w.ended(); !errors.Is(err, errLobbyTimeout) {
			t.Errorf("cause: %v", err)
		}
	}
	if n := w.reactor.Stats().LobbyTimeouts; n != 2 {
		t.Errorf("%d are counted", n)
	}
	good.send([]byte("still here"))
	good.expect([]byte("still here"))
}

func TestFullLobbyEvictsTheOldest(t *testing.T) {
	w := start(t, 1, hooks{}, func(cfg *Config, _ *ListenOptions) { cfg.LobbySize = 3 })
	var cs []*client
	for i := range 5 {
		cs = append(cs, w.dial())
		cs[i].send([]byte{0x10})
		w.eventually("accepted", func() bool { return w.listener.Total() == uint64(i+1) })
	}
	cs[0].expectEnd()
	cs[1].expectEnd()
	for range 2 {
		if err := w.ended(); !errors.Is(err, errLobbyEvicted) {
			t.Errorf("cause: %v", err)
		}
	}
	for _, c := range cs[2:] {
		c.send([]byte{1, 0})
		c.expect(hello(0))
	}
	if n := w.reactor.Stats().LobbyEvicted; n != 2 {
		t.Errorf("%d were evicted", n)
	}
}

// Whoever leaves the lobby makes room, in whatever way it leaves.
func TestLobbyCountsItsGuests(t *testing.T) {
	w := start(t, 2, hooks{home: func(h *handler, c *Conn, f codec.Frame) (int, []byte, error) {
		switch f.Body[0] {
		case 'r':
			return 0, []byte("no"), errors.New("refused")
		case 'p':
			panic("home")
		case 'c':
			c.Close(nil)
		case 'd':
			c.CloseAfterFlush(nil, time.Second)
		case 'x':
			return 7, nil, nil
		}
		return int(f.Body[0]), nil, nil
	}}, func(cfg *Config, _ *ListenOptions) { cfg.LobbySize = 8 })
	for i := range 6 {
		w.dial().Close()
		w.dial().reset()
		c := w.dial()
		c.send([]byte{0x10})
		c.reset()
		for _, b := range []byte("rpcdx") {
			c := w.dial()
			c.send(packet(0x10, b))
			c.expectEnd()
			c.Close()
		}
		c = w.dial()
		c.send([]byte{0, 0})
		c.expectEnd()
		w.connect(i % 2).Close()
		n := uint64(10 * (i + 1))
		w.eventually("all have gone", func() bool { return w.reactor.Stats().Closed >= n })
	}
	for i := range 2 {
		w.on(i, func() {
			if n := w.reactor.Loops()[i].lobby.size; n != 0 {
				t.Errorf("loop %d: %d in the lobby", i, n)
			}
		})
	}
	if n := w.reactor.Stats().LobbyEvicted; n != 0 {
		t.Errorf("%d were evicted", n)
	}
	if n := w.reactor.Stats().Panics; n != 12 {
		t.Errorf("%d panics", n)
	}
}

func TestRefusalArrives(t *testing.T) {
	refused := errors.New("refused")
	w := start(t, 2, hooks{home: func(*handler, *Conn, codec.Frame) (int, []byte, error) {
		return 0, []byte("no entrance"), refused
	}}, nil)
	c := w.dial()
	c.send(append(hello(0), pattern(100_000)...)) // more than is looked at
	c.expect([]byte("no entrance"))
	c.expectEOF()
	c.Close()
	if err := w.ended(); err != refused {
		t.Errorf("cause: %v", err)
	}
}

// What Home appends to the output goes along to the other loop.
func TestOutputOfHomeMoves(t *testing.T) {
	w := start(t, 2, hooks{home: func(h *handler, c *Conn, _ codec.Frame) (int, []byte, error) {
		out := c.Output()
		out.B = append(out.B, "welcome "...)
		return 1 - h.loop.Index(), nil, nil
	}, data: func(_ *handler, _ *Conn, in []byte) (int, int) { return len(in), 0 }}, nil)
	for range 8 {
		c := w.dial()
		c.send(hello(0))
		c.expect([]byte("welcome "))
	}
}

func TestPauseBeforeTheFirstPacket(t *testing.T) {
	for name, h := range map[string]hooks{
		"in Opened": {opened: func(_ *handler, c *Conn) { c.PauseRead() }},
		"in Home": {home: func(h *handler, c *Conn, f codec.Frame) (int, []byte, error) {
			c.PauseRead()
			return int(f.Body[0]), nil, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var conn *Conn
			opened := h.opened
			h.opened = func(h *handler, c *Conn) {
				if conn = c; opened != nil {
					opened(h, c)
				}
			}
			w := start(t, 2, h, nil)
			for loop := range 2 {
				c := w.dial()
				c.send(hello(loop))
				w.eventually("Opened", func() bool { return w.opened.Load() == int64(loop)+1 })
				c.send([]byte("more"))
				reads := w.reactor.Stats().Reads
				if loop == 1 {
					w.handlers[loop].idle(t)
				}
				if n := w.reactor.Stats().Reads - reads; n > 4 {
					t.Errorf("%d reads while paused", n)
				}
				w.on(loop, func() { conn.ResumeRead() })
				c.expect(append(hello(loop), "more"...))
			}
		})
	}
}
