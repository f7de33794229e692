package reactor

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"vernemq/reactor/proxy"
	"vernemq/reactor/tlstest"
)

// door is a kind of listener, and how its clients come in.
type door struct {
	proxy   int // version of the header, 0 for none
	tls     uint16
	framed  bool
	chopped bool // the client's bytes come in small pieces
}

func (d door) String() string {
	var parts []string
	if d.proxy > 0 {
		parts = append(parts, fmt.Sprintf("proxy%d", d.proxy))
	}
	if d.tls > 0 {
		parts = append(parts, tls.VersionName(d.tls))
	}
	if d.framed {
		parts = append(parts, "ws")
	}
	if d.chopped {
		parts = append(parts, "chopped")
	}
	return strings.ReplaceAll(strings.Join(parts, "+"), " ", "")
}

// doors are all that a client can come in by.
func doors() (all []door) {
	for p := range 3 {
		for _, v := range []uint16{0, tls.VersionTLS12, tls.VersionTLS13} {
			for _, framed := range []bool{false, true} {
				for _, chopped := range []bool{false, true} {
					all = append(all, door{p, v, framed, chopped})
				}
			}
		}
	}
	return all
}

var testClient = netip.MustParseAddrPort("192.0.2.7:4711")

// open makes a reactor with such a door.
func (d door) open(t testing.TB, loops int, h hooks, change func(*Config, *ListenOptions)) *world {
	ca := tlstest.New(t, "authority")
	leaf := ca.Issue("server", nil).TLS()
	serving := &tls.Config{Certificates: []tls.Certificate{leaf}}
	return start(t, loops, h, func(cfg *Config, o *ListenOptions) {
		o.Proxy, o.HandshakeTimeout = d.proxy > 0, patience
		if d.tls > 0 {
			o.TLS = func() *tls.Config { return serving }
		}
		if d.framed {
			o.WebSocket = &WebSocket{}
		}
		if change != nil {
			change(cfg, o)
		}
	})
}

// enter dials and goes through the door.
func (d door) enter(w *world) *client { return d.pass(w.dial()) }

func (d door) pass(c *client) *client {
	if d.chopped {
		c.Conn = &chopper{Conn: c.Conn, r: rand.New(rand.NewPCG(1, uint64(c.port())))}
	}
	h := &proxy.Header{Source: testClient, Destination: netip.MustParseAddrPort("192.0.2.1:1883")}
	switch d.proxy {
	case 1:
		c.send(proxy.AppendV1(nil, h.Source, h.Destination))
	case 2:
		c.send(proxy.AppendV2(nil, h, true))
	}
	if d.tls > 0 {
		c.Conn = tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true, MinVersion: d.tls, MaxVersion: d.tls})
	}
	if d.framed {
		c.Conn = upgrade(c.TB, c.Conn)
	}
	return c
}

// chopper writes in small pieces.
type chopper struct {
	net.Conn
	r *rand.Rand
}

func (c *chopper) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		k := min(len(b), 1+c.r.IntN(7))
		if len(b) > 4096 {
			k = min(len(b), 1+c.r.IntN(5000))
		}
		var m int
		m, err = c.Conn.Write(b[:k])
		n, b = n+m, b[m:]
		if c.r.IntN(20) == 0 {
			time.Sleep(50 * time.Microsecond)
		}
	}
	return n, err
}

// framer is the client's side of WebSocket.
type framer struct {
	net.Conn
	r       *bufio.Reader
	left    int // of the frame that is being read
	control [][]byte
}

const upgradeRequest = "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n"

func upgrade(t testing.TB, c net.Conn, fields ...string) *framer {
	t.Helper()
	if _, err := io.WriteString(c, upgradeRequest+strings.Join(append(fields, "\r\n"), "\r\n")); err != nil {
		t.Fatal(err)
	}
	f := &framer{Conn: c, r: bufio.NewReader(c)}
	answer, err := http.ReadResponse(f.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != 101 {
		t.Fatalf("%+v", answer)
	}
	return f
}

// clientFrame makes a masked frame.
func clientFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := rand.Uint32()
	b = binary.LittleEndian.AppendUint32(b, key)
	for i, x := range payload {
		b = append(b, x^byte(key>>(8*(i%4))))
	}
	return b
}

// Write sends a message, in fragments and with a ping between them.
func (f *framer) Write(b []byte) (int, error) {
	half := len(b) / 2
	raw := clientFrame(0x02, b[:half])
	raw = append(raw, clientFrame(0x89, []byte("ping"))...)
	raw = append(raw, clientFrame(0x80, b[half:])...)
	_, err := f.Conn.Write(raw)
	return len(b), err
}

func (f *framer) Read(b []byte) (int, error) {
	for f.left == 0 {
		first, size, err := f.head()
		if err != nil {
			return 0, err
		}
		if first == 0x82 {
			f.left = size
			continue
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(f.r, body); err != nil {
			return 0, err
		}
		f.control = append(f.control, append([]byte{first}, body...))
	}
	n, err := f.r.Read(b[:min(len(b), f.left)])
	f.left -= n
	return n, err
}

func (f *framer) head() (first byte, size int, err error) {
	var b [8]byte
	if _, err = io.ReadFull(f.r, b[:2]); err != nil {
		return 0, 0, err
	}
	first, size = b[0], int(b[1])
	switch size {
	case 126:
		_, err = io.ReadFull(f.r, b[:2])
		size = int(binary.BigEndian.Uint16(b[:2]))
	case 127:
		_, err = io.ReadFull(f.r, b[:8])
		size = int(binary.BigEndian.Uint64(b[:8]))
	}
	return first, size, err
}

// TestDoors sends packets of many sizes through every door and back.
func TestDoors(t *testing.T) {
	for _, d := range doors() {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			w := d.open(t, 2, hooks{}, nil)
			for loop := range 2 {
				c := d.enter(w)
				c.send(append(hello(loop), pattern(100)...))
				c.expect(append(hello(loop), pattern(100)...))
				for _, n := range []int{1, 2, 125, 126, 5000, 70000, 300_000} {
					b := pattern(n)
					sent := make(chan error, 1)
					go func() { _, err := c.Write(b); sent <- err }()
					c.expect(b)
					if err := <-sent; err != nil {
						t.Fatal(err)
					}
				}
				c.Close()
			}
			w.eventually("the end", func() bool { return w.closed.Load() == 2 })
		})
	}
}

// TestDoorsTogether has many clients at each door at the same time.
func TestDoorsTogether(t *testing.T) {
	for _, d := range []door{{tls: tls.VersionTLS13}, {framed: true}, {tls: tls.VersionTLS12, framed: true}, {proxy: 2, framed: true}} {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			w := d.open(t, 3, hooks{}, nil)
			done := make(chan error, 40)
			for i := range cap(done) {
				go func() { done <- roundTrips(d, w, i) }()
			}
			for range cap(done) {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func roundTrips(d door, w *world, i int) error {
	c := d.enter(w)
	defer c.Close()
	for k := range 20 {
		b := append(hello(i), pattern(1+(i*k*37)%9000)...)
		if _, err := c.Write(b); err != nil {
			return err
		}
		got := make([]byte, len(b))
		if _, err := io.ReadFull(c, got); err != nil {
			return err
		}
		if !bytes.Equal(got, b) {
			return errors.New("other bytes came back")
		}
	}
	return nil
}

// TestProxyTellsThePeer shows the client's address to the handler.
func TestProxyTellsThePeer(t *testing.T) {
	for _, d := range doors() {
		if d.chopped {
			continue
		}
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			peers := make(chan netip.AddrPort, 1)
			w := d.open(t, 1, hooks{opened: func(_ *handler, c *Conn) { peers <- c.Peer() }}, nil)
			c := d.enter(w)
			c.send(hello(0))
			want := testClient
			if d.proxy == 0 {
				want = netip.MustParseAddrPort(c.LocalAddr().String())
			}
			if got := <-peers; got != want {
				t.Errorf("%v, not %v", got, want)
			}
		})
	}
}

// TestFull sends to a client that reads late, through every door.
func TestDoorsWhenFull(t *testing.T) {
	const total = 4 << 20
	for _, d := range doors() {
		if d.chopped || d.proxy > 0 {
			continue
		}
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			want := pattern(total)
			sent := 0
			var all pieces
			fill := func(c *Conn) {
				for sent < total && !c.Full() {
					n := min(total-sent, 1+sent%30000)
					if sent%2 == 0 {
						out := c.Output()
						out.B = append(out.B, want[sent:sent+n]...)
					} else {
						c.AppendShared(want[sent:sent+n], all.add())
					}
					sent += n
				}
			}
			w := d.open(t, 1, hooks{
				opened:   func(_ *handler, c *Conn) { fill(c) },
				writable: func(_ *handler, c *Conn) { fill(c) },
				data:     func(_ *handler, _ *Conn, in []byte) (int, int) { return len(in), 0 },
			}, func(cfg *Config, _ *ListenOptions) { cfg.HighWater = 100_000 })
			c := d.enter(w)
			c.send(hello(0))
			time.Sleep(20 * time.Millisecond) // the kernel's buffers fill up
			c.expect(want)
			c.Close()
			w.stop()
			all.once(t)
		})
	}
}

// TestOrderlyEnd lets the broker end a connection: TLS and WebSocket say so.
func TestOrderlyEnd(t *testing.T) {
	bye := errors.New("bye")
	for _, cause := range []error{nil, bye} {
		for _, d := range doors() {
			if d.chopped || d.proxy > 0 || d.tls == 0 && !d.framed {
				continue
			}
			t.Run(fmt.Sprint(d, cause), func(t *testing.T) {
				t.Parallel()
				w := d.open(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
					out := c.Output()
					out.B = append(out.B, "last words"...)
					c.CloseAfterFlush(cause, patience)
					return len(in), 0
				}}, nil)
				c := d.enter(w)
				c.send(hello(0))
				c.expect([]byte("last words"))
				c.expectEOF()
				if f, ok := c.Conn.(*framer); ok {
					if want := []byte{0x88, 3, 0xe8}; len(f.control) == 0 || !bytes.Equal(f.control[len(f.control)-1], want) {
						t.Errorf("control frames % x", f.control)
					}
				}
				c.Close()
				if err := w.ended(); err != cause {
					t.Errorf("cause %v", err)
				}
			})
		}
	}
}

// TestClientClosesFrames ends a connection with a Close frame, right behind the
// packets.
func TestClientClosesFrames(t *testing.T) {
	for _, d := range []door{{framed: true}, {framed: true, tls: tls.VersionTLS13}} {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprint(d, together), func(t *testing.T) {
				t.Parallel()
				w := d.open(t, 2, hooks{}, nil)
				c := d.enter(w)
				raw := c.Conn.(*framer).Conn
				if !together {
					c.send(hello(1))
					c.expect(hello(1))
				}
				b := clientFrame(0x82, append(hello(1), pattern(50)...))
				if _, err := raw.Write(append(b, clientFrame(0x88, []byte{3, 0xe8})...)); err != nil {
					t.Fatal(err)
				}
				c.expect(append(hello(1), pattern(50)...))
				c.expectEOF()
				if f := c.Conn.(*framer).control; !bytes.Equal(f[len(f)-1], []byte{0x88, 3, 0xe8}) {
					t.Errorf("control frames % x", f)
				}
				if err := w.ended(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestPausedEnd ends the transport while the handler does not read: what came
// before is still handed over.
func TestPausedEnd(t *testing.T) {
	for _, d := range []door{{framed: true}, {framed: true, tls: tls.VersionTLS12}} {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			var got []byte
			w := d.open(t, 1, hooks{data: func(h *handler, c *Conn, in []byte) (int, int) {
				n := min(len(in), 10)
				got = append(got, in[:n]...)
				c.PauseRead()
				ref := connRef{c, c.Generation()}
				go h.loop.Post(func() {
					if ref.alive() {
						c.ResumeRead()
					}
				})
				return n, 0
			}}, nil)
			c := d.enter(w)
			b := append(hello(0), pattern(107)...)
			raw := append(clientFrame(0x82, b), clientFrame(0x88, nil)...)
			if _, err := c.Conn.(*framer).Conn.Write(raw); err != nil {
				t.Fatal(err)
			}
			c.expectEOF()
			w.eventually("the end", func() bool { return w.closed.Load() == 1 })
			w.on(0, func() {})
			if !bytes.Equal(got, b) {
				t.Errorf("%d bytes of %d came", len(got), len(b))
			}
		})
	}
}

// TestPingsOfOneWhoDoesNotRead are not answered without end.
func TestPingsOfOneWhoDoesNotRead(t *testing.T) {
	t.Parallel()
	d := door{framed: true}
	var conn *Conn
	w := d.open(t, 1, hooks{opened: func(_ *handler, c *Conn) { conn = c }}, func(_ *Config, o *ListenOptions) { o.SndBuf = 4096 })
	c := d.enter(w)
	c.send(hello(0))
	c.expect(hello(0))
	ping := bytes.Repeat(clientFrame(0x89, pattern(125)), 1000)
	for range 40 {
		if _, err := c.Conn.(*framer).Conn.Write(ping); err != nil {
			t.Fatal(err)
		}
	}
	w.on(0, func() {
		if n := conn.Pending(); n > pongLimit+readBuffer {
			t.Errorf("%d bytes of answers wait", n)
		}
	})
}

// TestFramesDoNotKeepAlive counts packets only as a sign of life.
func TestFramesDoNotKeepAlive(t *testing.T) {
	t.Parallel()
	d := door{framed: true}
	var conn *Conn
	w := d.open(t, 1, hooks{opened: func(_ *handler, c *Conn) { conn = c }}, nil)
	c := d.enter(w)
	c.send(hello(0))
	c.expect(hello(0))
	seen := func() (last uint32) { w.on(0, func() { conn.lastSeen--; last = conn.lastSeen }); return last }
	before := seen()
	f := c.Conn.(*framer)
	if _, err := f.Conn.Write(clientFrame(0x89, []byte("here"))); err != nil {
		t.Fatal(err)
	}
	if first, size, err := f.head(); err != nil || first != 0x8a || size != 4 {
		t.Fatal(first, size, err)
	}
	w.on(0, func() {
		if conn.lastSeen != before {
			t.Error("a ping counts as a packet")
		}
	})
}

// BenchmarkDoors echoes packets of 100 bytes, one at a time.
func BenchmarkDoors(b *testing.B) {
	for _, d := range []door{{}, {framed: true}, {tls: tls.VersionTLS12}, {tls: tls.VersionTLS13}, {tls: tls.VersionTLS13, framed: true}} {
		b.Run("through"+d.String(), func(b *testing.B) {
			w := d.open(b, 1, hooks{}, nil)
			c := d.enter(w)
			c.send(hello(0))
			c.expectLen(len(hello(0)))
			packet := pattern(100)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(packet); err != nil {
					b.Fatal(err)
				}
				c.expectLen(len(packet))
			}
		})
	}
}
