package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vernemq/codec"
	"vernemq/reactor"
	"vernemq/reactor/tlstest"
	"vernemq/server/config"
	"vernemq/server/hooks"
)

// startListener makes a listener as vmq-admin would and starts it.
func startListener(t *testing.T, b *Broker, transport, address string, options map[string]string) ListenerInfo {
	t.Helper()
	before := map[string]bool{}
	for _, i := range b.ShowListeners() {
		before[i.Address+strconv.Itoa(i.Port)] = true
	}
	c, err := b.config.Load().NewListener(transport, "added", address, options)
	if err != nil {
		t.Fatal(err)
	}
	c.AllowAnonymous = true
	if err := b.StartListener(&c); err != nil {
		t.Fatal(err)
	}
	for _, i := range b.ShowListeners() {
		if !before[i.Address+strconv.Itoa(i.Port)] {
			return i
		}
	}
	t.Fatal("it is not shown")
	return ListenerInfo{}
}

// dialAt connects an MQTT 5 client to a listener.
func dialAt(t *testing.T, i ListenerInfo, id string) *peer {
	t.Helper()
	p, err := tryAt(t, i, id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tryAt(t *testing.T, i ListenerInfo, id string) (*peer, error) {
	network, address := "tcp", net.JoinHostPort(i.Address, strconv.Itoa(i.Port))
	if path, ok := strings.CutPrefix(i.Address, "local:"); ok {
		network, address = "unix", path
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	p := &peer{t: t, conn: conn, r: bufio.NewReader(conn)}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write(codec.AppendConnect(nil, &codec.Connect{Version: codec.V5, CleanStart: true, ClientID: []byte(id), RequestProblemInfo: true})); err != nil {
		return nil, err
	}
	f, err := p.read()
	if err == nil && (f.Type() != codec.CONNACK || f.Body[1] != 0) {
		err = errors.New("refused")
	}
	return p, err
}

var five = map[string]string{"allowed_protocol_versions": "3,4,5"}

// TestListenersComeAndGo changes one listener while a client of another stays.
func TestListenersComeAndGo(t *testing.T) {
	b := startBroker(t, testConfig(2))
	stays := connect(t, b, "stays")
	ping := func() {
		t.Helper()
		stays.send([]byte{0xc0, 0})
		if f := stays.next(); f.Type() != codec.PINGRESP {
			t.Fatal(f)
		}
	}
	i := startListener(t, b, "tcp", "127.0.0.1:0", five)
	if i.Type() != "mqtt" || i.Suspended || i.Config.MaxConnections != 10000 || i.Port == 0 {
		t.Errorf("%+v", i)
	}
	again := *i.Config
	again.Address = net.JoinHostPort(i.Address, strconv.Itoa(i.Port))
	if err := b.StartListener(&again); !errors.Is(err, ErrListenerExists) {
		t.Error(err)
	}
	one, two := dialAt(t, i, "one"), dialAt(t, i, "two")
	ctx := context.Background()
	for range 2 { // what is so already is no error
		if err := b.SuspendListener(ctx, i.Address, i.Port, false); err != nil {
			t.Fatal(err)
		}
	}
	one.send([]byte{0xc0, 0})
	if f := one.next(); f.Type() != codec.PINGRESP {
		t.Fatal(f)
	}
	shown := func() ListenerInfo {
		for _, x := range b.ShowListeners() {
			if x.Port == i.Port {
				return x
			}
		}
		return ListenerInfo{}
	}
	if x := shown(); !x.Suspended || x.Active != 2 || x.Total != 2 {
		t.Errorf("%+v", x)
	}
	for range 2 {
		if err := b.ResumeListener(i.Address, i.Port); err != nil {
			t.Fatal(err)
		}
	}
	dialAt(t, i, "three")
	waiting, err := net.Dial("tcp", again.Address) // says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	if err := b.DeleteListener(ctx, i.Address, i.Port); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*peer{one, two} {
		if f := p.next(); f.Type() != codec.DISCONNECT || f.Body[0] != byte(codec.AdministrativeAction) {
			t.Errorf("%v % x", f.Type(), f.Body)
		}
		if _, err := p.read(); err != io.EOF {
			t.Error(err)
		}
	}
	_ = waiting.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := waiting.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, unix.ECONNRESET) {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", again.Address); err == nil {
		c.Close()
		t.Error("the deleted listener accepts")
	}
	if len(b.ShowListeners()) != 1 {
		t.Errorf("%+v", b.ShowListeners())
	}
	if err := b.ResumeListener(i.Address, i.Port); !errors.Is(err, ErrListenerUnknown) {
		t.Error(err)
	}
	ping()
	if err := b.StartListener(&again); err != nil { // at the same port
		t.Error(err)
	}
	dialAt(t, i, "four")
	if err := b.SuspendListener(ctx, i.Address, i.Port, true); err != nil || len(b.ShowListeners()) != 1 {
		t.Error(err)
	}
	ping()
}

// TestListenerErrors has the words of the reference.
func TestListenerErrors(t *testing.T) {
	b := startBroker(t, testConfig(2))
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for address, want := range map[string]string{other.Addr().String(): "eaddrinuse", "192.0.2.1:1883": "eaddrnotavail"} {
		c, err := b.config.Load().NewListener("tcp", "x", address, five)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.StartListener(&c); err == nil || Reason(err) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	c, err := b.config.Load().NewListener("ssl", "x", "127.0.0.1:0", map[string]string{"certfile": "/nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.StartListener(&c); err == nil || !strings.Contains(err.Error(), "cannot read /nowhere") {
		t.Error(err)
	}
	if n := len(b.ShowListeners()); n != 1 {
		t.Errorf("%d listeners", n)
	}
}

// TestSocketListener is shown and found by its path.
func TestSocketListener(t *testing.T) {
	b := startBroker(t, testConfig(2))
	path := filepath.Join(t.TempDir(), "mqtt.sock")
	i := startListener(t, b, "tcp", "local:"+path+":0", five)
	if i.Address != "local:"+path || i.Port != 0 {
		t.Errorf("%+v", i)
	}
	again := *i.Config
	if err := b.StartListener(&again); !errors.Is(err, ErrListenerExists) {
		t.Error(err)
	}
	dialAt(t, i, "one")
	if err := b.DeleteListener(context.Background(), i.Address, 0); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket stays")
	}
}

// TestListenerLimit lets the next client wait until one leaves.
func TestListenerLimit(t *testing.T) {
	b := startBroker(t, testConfig(2))
	i := startListener(t, b, "tcp", "127.0.0.1:0", map[string]string{"max_connections": "2", "allowed_protocol_versions": "5"})
	one := dialAt(t, i, "one")
	dialAt(t, i, "two")
	let := make(chan error, 1)
	go func() { _, err := tryAt(t, i, "three"); let <- err }()
	time.Sleep(50 * time.Millisecond)
	select {
	case err := <-let:
		t.Fatalf("the third is let in: %v", err)
	default:
	}
	one.conn.Close()
	if err := <-let; err != nil {
		t.Error(err)
	}
}

// TestReloadTLS takes new files when it is told to.
func TestReloadTLS(t *testing.T) {
	b := startBroker(t, testConfig(1))
	ca, dir := tlstest.New(t, "authority"), t.TempDir()
	cert, key := ca.Issue("one", nil).Files(dir, "server")
	i := startListener(t, b, "ssl", "127.0.0.1:0", map[string]string{"certfile": cert, "keyfile": key, "tls_version": "tlsv1.3"})
	serving := func() string {
		c, err := tls.Dial("tcp", net.JoinHostPort(i.Address, strconv.Itoa(i.Port)), &tls.Config{RootCAs: ca.Pool()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if name := serving(); name != "one" || i.Type() != "mqtts" {
		t.Error(name, i.Type())
	}
	next := ca.Issue("two", nil)
	next.Files(dir, "server")
	if err := b.ReloadTLS(); err != nil {
		t.Error(err)
	}
	if name := serving(); name != "two" || b.TLSSources()[0].Leaf().Subject.CommonName != "two" {
		t.Error(name)
	}
	tlstest.Write(t, dir, "server.key", ca.Issue("other", nil).KeyPEM())
	if err := b.ReloadTLS(); err == nil || !strings.Contains(err.Error(), "listener added: ") {
		t.Error(err)
	}
	if name := serving(); name != "two" {
		t.Error(name)
	}
}

// homeOnly is a handler that only looks at who comes.
type homeOnly struct {
	seen chan codec.Connect
}

func (h *homeOnly) Home(c *reactor.Conn, f codec.Frame) (int, []byte, error) {
	who := listenerOf(c).identityOf(c)
	var p codec.Connect
	if err := codec.DecodeConnect(f, &p); err != nil {
		return 0, nil, err
	}
	who.impose(&p)
	h.seen <- codec.Connect{HasUsername: p.HasUsername, Username: append([]byte(nil), p.Username...)}
	return 0, nil, errors.New("seen")
}
func (*homeOnly) Opened(*reactor.Conn)                  {}
func (*homeOnly) Data(*reactor.Conn, []byte) (int, int) { return 0, 0 }
func (*homeOnly) Writable(*reactor.Conn)                {}
func (*homeOnly) Closed(*reactor.Conn, error)           {}
func (*homeOnly) Tick(uint32)                           {}
func (*homeOnly) EndTurn()                              {}

// TestUsernames finds out which user name a client gets.
func TestUsernames(t *testing.T) {
	ca, dir := tlstest.New(t, "authority"), t.TempDir()
	cert, key := ca.Issue("server", nil).Files(dir, "server")
	secure := map[string]string{"certfile": cert, "keyfile": key, "cafile": tlstest.Write(t, dir, "ca.pem", ca.PEM()), "require_certificate": "on"}
	named := map[string]string{"use_identity_as_username": "on"}
	for k, v := range secure {
		named[k] = v
	}
	for name, x := range map[string]struct {
		transport string
		options   map[string]string
		cn        string
		want      string // "none" for no user name
	}{
		"own":          {"ssl", secure, "device", "me"},
		"certificate":  {"ssl", named, "device", "device"},
		"without name": {"ssl", named, "", "none"},
		"plain":        {"tcp", nil, "", "me"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(chan codec.Connect, 1)
			r, err := reactor.New(reactor.Config{Loops: 1, Log: slog.New(slog.DiscardHandler),
				NewHandler: func(*reactor.Loop) reactor.Handler { return &homeOnly{seen: seen} }})
			if err != nil {
				t.Fatal(err)
			}
			r.Start()
			defer func() { _ = r.Stop(context.Background()) }()
			c, err := (&config.Config{}).NewListener(x.transport, "x", "127.0.0.1:0", x.options)
			if err != nil {
				t.Fatal(err)
			}
			li := newListener(&config.Config{}, &c, 0)
			b := &Broker{log: slog.New(slog.DiscardHandler)}
			b.config.Store(&config.Config{})
			if err := li.openTLS(b); err != nil {
				t.Fatal(err)
			}
			defer li.closeTLS()
			l, err := r.Listen(li.options(0))
			if err != nil {
				t.Fatal(err)
			}
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if x.transport == "ssl" {
				conn = tls.Client(conn, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{ca.Issue(x.cn, nil).TLS()}})
			}
			if _, err := conn.Write(codec.AppendConnect(nil, &codec.Connect{Version: codec.V311, CleanStart: true, ClientID: []byte("x"), HasUsername: true, Username: []byte("me")})); err != nil {
				t.Fatal(err)
			}
			got := <-seen
			if x.want == "none" && got.HasUsername || x.want != "none" && string(got.Username) != x.want {
				t.Errorf("user name %q", got.Username)
			}
		})
	}
}

// TestForwardedCertificate tells auth_on_register about the certificate of a
// client.
func TestForwardedCertificate(t *testing.T) {
	b := startBroker(t, closedConfig(1))
	told := make(chan []byte, 1)
	h := welcome()
	h.AuthOnRegister.Now = func(r *hooks.Register) hooks.RegisterAnswer {
		told <- r.Connection.ClientCert
		return hooks.RegisterAnswer{Result: hooks.OK}
	}
	plug(t, b, "p", h)
	ca, dir := tlstest.New(t, "authority"), t.TempDir()
	cert, key := ca.Issue("server", nil).Files(dir, "server")
	li, err := b.config.Load().NewListener("ssl", "added", "127.0.0.1:0", map[string]string{"certfile": cert, "keyfile": key,
		"cafile": tlstest.Write(t, dir, "ca.pem", ca.PEM()), "require_certificate": "on", "forward_connection_opts": "on"})
	if err != nil {
		t.Fatal(err)
	}
	li.AllowAnonymous = false
	if err := b.StartListener(&li); err != nil {
		t.Fatal(err)
	}
	own := ca.Issue("device", nil).TLS()
	c, err := tls.Dial("tcp", b.Listeners()[1].Addr().String(), &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{own}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(codec.AppendConnect(nil, asClient(codec.V311, "x", "", ""))); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-told:
		if !bytes.Equal(got, own.Certificate[0]) {
			t.Errorf("%d bytes, want %d", len(got), len(own.Certificate[0]))
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody was asked")
	}
}

// TestDeleteWhileAsked deletes a listener while plugins think about a client of it:
// the client does not come in any more.
func TestDeleteWhileAsked(t *testing.T) {
	for _, loops := range []int{1, 3} {
		b := startBroker(t, closedConfig(loops))
		g := newGate(t, b)
		p := knock(t, b, asClient(codec.V5, "x", "", ""))
		<-g.asked
		info := b.ShowListeners()[0]
		if err := b.DeleteListener(t.Context(), info.Address, info.Port); err != nil {
			t.Fatal(err)
		}
		g.release <- hooks.RegisterAnswer{Result: hooks.OK}
		p.gone()
	}
}
