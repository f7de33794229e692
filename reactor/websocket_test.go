package reactor

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"vernemq/codec"
	"vernemq/reactor/proxy"
	"vernemq/reactor/ws"
)

// TestRequestsThatAreRefused get the answer of HTTP, over TLS too.
func TestRequestsThatAreRefused(t *testing.T) {
	for name, x := range map[string]struct {
		request string
		status  int
	}{
		"no upgrade": {"GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n", 426},
		"path":       {strings.Replace(upgradeRequest, "/mqtt", "/", 1) + "\r\n", 404},
		"method":     {strings.Replace(upgradeRequest, "GET", "POST", 1) + "\r\n", 405},
		"protocol":   {strings.Replace(upgradeRequest, "Protocol: mqtt", "Protocol: chat", 1) + "\r\n", 400},
		"field":      {upgradeRequest + "X: " + strings.Repeat("x", 5000) + "\r\n\r\n", 431},
		"line":       {"GET /" + strings.Repeat("x", 9000), 414},
		"no request": {"\x10\x0e\x00\x04MQTT", 400},
	} {
		for _, d := range []door{{framed: true}, {framed: true, tls: tls.VersionTLS13}} {
			t.Run(name+" "+d.String(), func(t *testing.T) {
				t.Parallel()
				w := d.open(t, 1, hooks{}, nil)
				c := w.dial()
				if d.tls > 0 {
					c.Conn = tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
				}
				c.send([]byte(x.request))
				answer, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				if answer.StatusCode != x.status {
					t.Errorf("status %d", answer.StatusCode)
				}
				if _, err := io.ReadAll(answer.Body); err != nil {
					t.Error(err)
				}
				c.expectEnd()
				if w.ended() == nil {
					t.Error("no cause")
				}
			})
		}
	}
}

// TestFramesThatAreRefused get a Close frame with its code, after the answers
// to what came before.
func TestFramesThatAreRefused(t *testing.T) {
	for name, x := range map[string]struct {
		raw  []byte
		code byte // above 1000
	}{
		"not masked":     {[]byte{0x82, 1, 0}, 2},
		"text":           {clientFrame(0x81, []byte("hello")), 3},
		"reserved bit":   {clientFrame(0xc2, []byte{0}), 2},
		"opcode":         {clientFrame(0x83, nil), 2},
		"continuation":   {clientFrame(0x80, nil), 2},
		"too large":      {clientFrame(0x82, pattern(70000)), 9},
		"half a reason":  {clientFrame(0x88, []byte{3}), 2},
		"fragmented":     {clientFrame(0x09, nil), 2},
		"long ping":      {append([]byte{0x89, 0x80 | 126, 0, 126}, make([]byte, 130)...), 2},
		"no short form":  {[]byte{0x82, 0x80 | 126, 0, 5, 1, 2, 3, 4}, 2},
		"reason no text": {clientFrame(0x88, []byte{3, 0xe8, 0xff}), 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := door{framed: true}
			w := d.open(t, 1, hooks{}, func(_ *Config, o *ListenOptions) { o.WebSocket.MaxFrame = 65536 })
			c := d.enter(w)
			f := c.Conn.(*framer)
			if _, err := f.Conn.Write(append(clientFrame(0x82, append(hello(0), 1, 2, 3)), x.raw...)); err != nil {
				t.Fatal(err)
			}
			c.expect(append(hello(0), 1, 2, 3))
			c.expectEOF()
			if len(f.control) != 1 || f.control[0][0] != 0x88 || f.control[0][2] != 0xe8+x.code {
				t.Errorf("control frames % x", f.control)
			}
			if err := w.ended(); err == nil || !strings.HasPrefix(err.Error(), "websocket: ") {
				t.Errorf("cause %v", err)
			}
		})
	}
}

// TestForwarded believes what a proxy says that is trusted, and nobody else.
func TestForwarded(t *testing.T) {
	local := netip.MustParseAddr("127.0.0.1")
	for name, x := range map[string]struct {
		o      WebSocket
		fields []string
		peer   string // "" for the socket's
		cn     string
		status int
	}{
		"trusted":         {WebSocket{Forwarded: true, Trusted: []netip.Addr{local}}, []string{"X-Forwarded-For: 192.0.2.9, 10.0.0.1"}, "192.0.2.9", "", 101},
		"IPv6":            {WebSocket{Forwarded: true, Trusted: []netip.Addr{local}}, []string{"X-Forwarded-For: 2001:db8::1"}, "2001:db8::1", "", 101},
		"not an address":  {WebSocket{Forwarded: true, Trusted: []netip.Addr{local}}, []string{"X-Forwarded-For: somebody"}, "", "", 101},
		"not trusted":     {WebSocket{Forwarded: true, Trusted: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}, []string{"X-Forwarded-For: 192.0.2.9"}, "", "", 101},
		"switched off":    {WebSocket{Trusted: []netip.Addr{local}}, []string{"X-Forwarded-For: 192.0.2.9"}, "", "", 101},
		"name":            {WebSocket{Forwarded: true, RequireCN: true, Trusted: []netip.Addr{local}, Rules: ws.Rules{CNField: "x-ssl-client-cn"}}, []string{"X-SSL-Client-CN: device"}, "", "device", 101},
		"no name":         {WebSocket{Forwarded: true, RequireCN: true, Trusted: []netip.Addr{local}, Rules: ws.Rules{CNField: "x-ssl-client-cn"}}, nil, "", "", 403},
		"name of anybody": {WebSocket{Forwarded: true, RequireCN: true, Rules: ws.Rules{CNField: "x-ssl-client-cn"}}, []string{"X-SSL-Client-CN: device"}, "", "", 403},
		"two names":       {WebSocket{Forwarded: true, RequireCN: true, Trusted: []netip.Addr{local}, Rules: ws.Rules{CNField: "x-ssl-client-cn"}}, []string{"X-SSL-Client-CN: a\r\nx-ssl-client-cn: b"}, "", "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			type seen struct {
				peer netip.AddrPort
				cn   string
			}
			got := make(chan seen, 1)
			w := door{framed: true}.open(t, 1, hooks{home: func(_ *handler, c *Conn, _ codec.Frame) (int, []byte, error) {
				s := seen{peer: c.Peer()}
				if id := c.Identity(); id != nil {
					s.cn = id.CommonName
				}
				got <- s
				return 0, nil, nil
			}}, func(_ *Config, o *ListenOptions) { o.WebSocket = &x.o })
			c := w.dial()
			if x.status == 101 {
				c.Conn = upgrade(t, c.Conn, x.fields...)
				c.send(hello(0))
				s := <-got
				want := netip.MustParseAddrPort(c.LocalAddr().String())
				if x.peer != "" {
					want = netip.AddrPortFrom(netip.MustParseAddr(x.peer), want.Port())
				}
				if s.peer != want || s.cn != x.cn {
					t.Errorf("%+v, not %v and %q", s, want, x.cn)
				}
				return
			}
			c.send([]byte(upgradeRequest + strings.Join(append(x.fields, "\r\n"), "\r\n")))
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || answer.StatusCode != x.status {
				t.Errorf("%v %+v", err, answer)
			}
		})
	}
}

// TestProxyHeaders takes names only from headers that tell of a certificate
// that was verified, and ends connections without a header.
func TestProxyHeaders(t *testing.T) {
	header := func(h proxy.Header) []byte {
		h.Source, h.Destination = testClient, netip.MustParseAddrPort("192.0.2.1:1883")
		return proxy.AppendV2(nil, &h, true)
	}
	verified := proxy.TLS{Present: true, Client: proxy.ClientTLS | proxy.ClientCertConn, CommonName: []byte("device")}
	failed := verified
	failed.Verify = 1
	for name, x := range map[string]struct {
		sent  []byte
		useCN bool
		cn    string
		local bool // the socket's own address holds
		bad   bool
	}{
		"name":           {header(proxy.Header{TLS: verified}), true, "device", false, false},
		"not wanted":     {header(proxy.Header{TLS: verified}), false, "", false, false},
		"not verified":   {header(proxy.Header{TLS: failed}), true, "", false, false},
		"local":          {proxy.AppendV2(nil, &proxy.Header{Local: true}, false), true, "", true, false},
		"unknown":        {[]byte("PROXY UNKNOWN\r\n"), true, "", true, false},
		"none":           {nil, true, "", false, true},
		"wrong checksum": {append(header(proxy.Header{})[:30], 0, 0, 0, 0, 0), true, "", false, true},
		"garbage":        {[]byte("PROXY me\r\n"), true, "", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			type seen struct {
				peer netip.AddrPort
				cn   string
			}
			got := make(chan seen, 1)
			w := door{proxy: 2}.open(t, 1, hooks{home: func(_ *handler, c *Conn, _ codec.Frame) (int, []byte, error) {
				s := seen{peer: c.Peer()}
				if id := c.Identity(); id != nil {
					s.cn = id.CommonName
				}
				got <- s
				return 0, nil, nil
			}}, func(_ *Config, o *ListenOptions) { o.ProxyCN = x.useCN })
			c := w.dial()
			c.send(append(x.sent, hello(0)...))
			if x.bad {
				c.expectEnd()
				if err := w.ended(); err == nil || !strings.HasPrefix(err.Error(), "PROXY header: ") {
					t.Errorf("cause %v", err)
				}
				return
			}
			c.expect(hello(0))
			want := testClient
			if x.local {
				want = netip.MustParseAddrPort(c.LocalAddr().String())
			}
			if s := <-got; s.peer != want || s.cn != x.cn {
				t.Errorf("%+v, not %v and %q", s, want, x.cn)
			}
		})
	}
}
