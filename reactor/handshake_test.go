package reactor

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/reactor/tlstest"
)

// TestFieldsOfConn notices a version of Go in which connections would take
// more memory.
func TestFieldsOfConn(t *testing.T) {
	if f := slim; f.rawInput == 0 || f.hand == 0 || f.certificates == 0 || f.chains == 0 {
		t.Errorf("fields of tls.Conn are not where they were: %+v", f)
	}
}

// TestWholeRecords cuts a stream of records.
func TestWholeRecords(t *testing.T) {
	record := append([]byte{23, 3, 3, 0, 7}, "seven.."...)
	empty := []byte{22, 3, 1, 0, 0}
	for _, x := range []struct {
		in   []byte
		want int
	}{
		{nil, 0}, {record[:4], 0}, {record[:11], 0}, {record, 12}, {empty, 5},
		{append(bytes.Repeat(record, 3), record[:8]...), 36},
		{[]byte("GET / HTTP/1.1"), 14},
		{[]byte{23, 3, 3, 0x48, 1, 0}, 6}, // larger than a record may be
	} {
		if n := wholeRecords(x.in); n != x.want {
			t.Errorf("% x: %d, not %d", x.in, n, x.want)
		}
	}
}

func FuzzWholeRecords(f *testing.F) {
	f.Add([]byte{23, 3, 3, 0, 2, 1, 2, 22, 3, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := wholeRecords(b)
		if n < 0 || n > len(b) {
			t.Fatal(n)
		}
		if rest := b[n:]; wholeRecords(rest) != 0 {
			t.Fatalf("% x is left over and has a record", rest)
		}
	})
}

// clientHello is what a client sends first.
func clientHello(t *testing.T) []byte {
	var b bytes.Buffer
	_ = tls.Client(recorder{w: &b}, &tls.Config{InsecureSkipVerify: true}).Handshake()
	if b.Len() < 100 {
		t.Fatalf("% x", b.Bytes())
	}
	return b.Bytes()
}

type recorder struct {
	net.Conn
	w io.Writer
}

func (r recorder) Write(b []byte) (int, error) { return r.w.Write(b) }
func (recorder) Read([]byte) (int, error)      { return 0, io.EOF }

// TestBadHandshakes ends each of them, with an alert where TLS wants one, and
// nobody else is disturbed.
func TestBadHandshakes(t *testing.T) {
	hello := clientHello(t)
	broken := bytes.Clone(hello)
	broken[9] = 0x99 // version
	broken[50] ^= 0xff
	long := bytes.Clone(hello)
	long[6], long[7] = 0xff, 0xff
	for name, b := range map[string][]byte{
		"http":              []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"mqtt":              packet(0x10, make([]byte, 20)...),
		"zeros":             make([]byte, 100),
		"sslv2":             {0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10},
		"alert first":       {21, 3, 1, 0, 2, 2, 40},
		"application data":  {23, 3, 3, 0, 2, 2, 40},
		"empty records":     bytes.Repeat([]byte{22, 3, 1, 0, 0}, 100),
		"too large a hello": append(long, make([]byte, 60000)...),
		"twice":             append(bytes.Clone(hello), hello...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := door{tls: tls.VersionTLS13}
			w := d.open(t, 1, hooks{}, nil)
			c := w.dial()
			c.send(b)
			c.expectEnd()
			if err := w.ended(); err == nil || errors.Is(err, errShakeTimeout) {
				t.Errorf("cause %v", err)
			}
			if n := w.reactor.Stats().HandshakeErrors; n != 1 {
				t.Errorf("%d handshakes are counted", n)
			}
			other := d.enter(w)
			other.send(packet(0x10, 0))
			other.expect(packet(0x10, 0))
		})
	}
}

// TestSlowDoors lets the time run out in each layer, for those who say nothing
// and for those who say a byte from time to time.
func TestSlowDoors(t *testing.T) {
	tooLong := errors.New("no CONNECT in time")
	request := []byte(upgradeRequest)
	for name, x := range map[string]struct {
		door  door
		sent  []byte
		slow  []byte // a byte at a time
		cause string
	}{
		"silence before PROXY": {door{proxy: 1}, nil, nil, tooLong.Error()},
		"half a PROXY line":    {door{proxy: 1}, []byte("PROXY TCP4 1"), []byte("11.111.111"), tooLong.Error()},
		"silence before TLS":   {door{tls: tls.VersionTLS13}, nil, nil, errShakeTimeout.Error()},
		"half a record":        {door{tls: tls.VersionTLS13}, clientHello(t)[:50], clientHello(t)[50:], errShakeTimeout.Error()},
		"half a handshake":     {door{tls: tls.VersionTLS13}, clientHello(t), nil, errShakeTimeout.Error()},
		"silence in HTTP":      {door{framed: true}, nil, nil, tooLong.Error()},
		"half a request":       {door{framed: true}, request[:20], request[20:], tooLong.Error()},
		"half a frame":         {door{framed: true}, append(append(request, "\r\n"...), 0x82, 0x90), []byte{1, 2, 3, 4, 0x11, 9, 9, 9}, tooLong.Error()},
		"pings":                {door{framed: true}, append(append(request, "\r\n"...), clientFrame(0x89, nil)...), bytes.Repeat(clientFrame(0x89, nil), 100), tooLong.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := x.door.open(t, 1, hooks{}, func(cfg *Config, o *ListenOptions) {
				cfg.ConnectTimeout = func() time.Duration { return 300 * time.Millisecond }
				o.HandshakeTimeout = 300 * time.Millisecond
			})
			c := w.dial()
			c.send(x.sent)
			go func() {
				for _, b := range x.slow {
					time.Sleep(10 * time.Millisecond)
					if _, err := c.Write([]byte{b}); err != nil {
						return
					}
				}
			}()
			c.expectEnd()
			if err := w.ended(); err == nil || err.Error() != x.cause {
				t.Errorf("cause %v", err)
			}
		})
	}
}

// TestFullLobbyOfHandshakes evicts those that wait longest.
func TestFullLobbyOfHandshakes(t *testing.T) {
	t.Parallel()
	d := door{tls: tls.VersionTLS12}
	w := d.open(t, 1, hooks{}, func(cfg *Config, _ *ListenOptions) { cfg.LobbySize = 8 })
	hello := clientHello(t)
	var slow []*client
	for range 8 {
		c := w.dial()
		c.send(hello)
		slow = append(slow, c)
	}
	for range 8 {
		c := d.enter(w)
		c.send(packet(0x10, 0))
		c.expect(packet(0x10, 0))
	}
	for _, c := range slow[:1] {
		c.expectEnd()
	}
}

// TestStopAmidHandshakes ends the reactor while clients are silent in the
// middle of theirs.
func TestStopAmidHandshakes(t *testing.T) {
	t.Parallel()
	d := door{tls: tls.VersionTLS12}
	w := d.open(t, 2, hooks{}, nil)
	hello := clientHello(t)
	for range 20 {
		w.dial().send(hello)
	}
	w.dial().reset()
	w.eventually("they are accepted", func() bool { return w.reactor.Stats().Accepted == 21 })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.reactor.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// TestPanicInHandshake is contained.
func TestPanicInHandshake(t *testing.T) {
	t.Parallel()
	d := door{tls: tls.VersionTLS13}
	w := d.open(t, 1, hooks{}, func(_ *Config, o *ListenOptions) {
		bad := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { panic("test") }}
		o.TLS = func() *tls.Config { return bad }
	})
	c := w.dial()
	if err := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil {
		t.Error("no error")
	}
	if err := w.ended(); !errors.Is(err, errPanic) {
		t.Error(err)
	}
}

// TestBrokenRecord ends a connection whose bytes were changed on their way.
func TestBrokenRecord(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			d := door{tls: version}
			w := d.open(t, 1, hooks{}, nil)
			c := d.enter(w)
			c.send(hello(0))
			c.expect(hello(0))
			raw := c.Conn.(*tls.Conn).NetConn()
			if _, err := raw.Write([]byte{23, 3, 3, 0, 40}); err != nil {
				t.Fatal(err)
			}
			if _, err := raw.Write(pattern(40)); err != nil {
				t.Fatal(err)
			}
			_, err := c.Read(make([]byte, 1))
			if err == nil || !strings.Contains(err.Error(), "bad record MAC") {
				t.Errorf("the client sees %v", err)
			}
			if err := w.ended(); err == nil || !strings.Contains(err.Error(), "bad record MAC") {
				t.Errorf("cause %v", err)
			}
		})
	}
}

// TestCertificateOfClient is known when the client is looked at, and after the
// resumption of a session.
func TestCertificateOfClient(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "authority")
	serving := &tls.Config{Certificates: []tls.Certificate{ca.Issue("server", nil).TLS()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()}
	seen := make(chan *Identity, 1)
	w := start(t, 2, hooks{home: func(h *handler, c *Conn, f codec.Frame) (int, []byte, error) {
		seen <- c.Identity()
		return int(f.Body[0]), nil, nil
	}, opened: func(_ *handler, c *Conn) {
		if c.Identity() != nil {
			t.Error("the identity is kept")
		}
	}}, func(_ *Config, o *ListenOptions) {
		o.TLS, o.HandshakeTimeout = func() *tls.Config { return serving }, patience
	})
	cfg := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{ca.Issue("device-7", nil).TLS()},
		ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for i := range 3 {
		c := w.dial()
		secure := tls.Client(c.Conn, cfg)
		c.Conn = secure
		c.send(hello(i % 2))
		c.expect(hello(i % 2))
		if id := <-seen; id == nil || id.Certificate == nil || id.Certificate.Subject.CommonName != "device-7" {
			t.Errorf("identity %+v", id)
		}
		if resumed := secure.ConnectionState().DidResume; resumed != (i > 0) {
			t.Errorf("connection %d: resumed is %v", i, resumed)
		}
		c.Close()
	}
	c := w.dial()
	stranger := tls.Client(c.Conn, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"})
	err := stranger.Handshake()
	if err == nil {
		_, err = stranger.Read(make([]byte, 1)) // TLS 1.3 tells later
	}
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without a certificate: %v", err)
	}
	w.eventually("a cause", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, err := range w.causes {
			if err != nil && strings.Contains(err.Error(), "TLS handshake: ") {
				return true
			}
		}
		return false
	})
}

// TestConfigurationChanges gives new connections the new certificate; those that
// are open go on.
func TestConfigurationChanges(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "authority")
	var mu sync.Mutex
	serving := &tls.Config{Certificates: []tls.Certificate{ca.Issue("one", nil).TLS()}}
	w := start(t, 1, hooks{}, func(_ *Config, o *ListenOptions) {
		o.HandshakeTimeout = patience
		o.TLS = func() *tls.Config { mu.Lock(); defer mu.Unlock(); return serving }
	})
	dial := func() (*client, *x509.Certificate) {
		c := w.dial()
		secure := tls.Client(c.Conn, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"})
		c.Conn = secure
		c.send(hello(0))
		c.expect(hello(0))
		return c, secure.ConnectionState().PeerCertificates[0]
	}
	first, cert := dial()
	if cert.Subject.CommonName != "one" {
		t.Error(cert.Subject)
	}
	mu.Lock()
	serving = &tls.Config{Certificates: []tls.Certificate{ca.Issue("two", nil).TLS()}}
	mu.Unlock()
	if _, cert = dial(); cert.Subject.CommonName != "two" {
		t.Error(cert.Subject)
	}
	first.send(pattern(1000))
	first.expect(pattern(1000))
}
