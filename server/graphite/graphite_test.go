package graphite

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vernemq/server/config"
	"vernemq/server/metrics"
)

// carbon takes lines as Graphite does.
type carbon struct {
	net.Listener
	lines chan string
	conns chan net.Conn
}

func newCarbon(t *testing.T, address string) *carbon {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c := &carbon{l, make(chan string, 100000), make(chan net.Conn, 10)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.conns <- conn
			go func() {
				for s := bufio.NewScanner(conn); s.Scan(); {
					c.lines <- s.Text()
				}
			}()
		}
	}()
	return c
}

func (c *carbon) await(t *testing.T, start string) string {
	t.Helper()
	end := time.After(10 * time.Second)
	for {
		select {
		case l := <-c.lines:
			if strings.HasPrefix(l, start) {
				return l
			}
		case <-end:
			t.Fatalf("no line %s", start)
		}
	}
}

var lineFormat = regexp.MustCompile(`^key\.pre\.fix\.[a-z0-9.]+(\.[a-zA-Z0-9_-]+)? [0-9]+ [0-9]{10}$`)

// TestPush sends to a receiver that breaks the connection, is away for a
// while, and comes back; then switches it off and on.
func TestPush(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	set := new(metrics.Set)
	r := metrics.New([]*metrics.Set{set})
	set.IncVersion(metrics.ConnectReceived, false)
	set.Publish()
	c := newCarbon(t, "127.0.0.1:0")
	address := c.Addr().String()
	var settings atomic.Pointer[config.Graphite]
	on := config.Graphite{Enabled: true, Host: "127.0.0.1", Port: c.Addr().(*net.TCPAddr).Port, Interval: 20 * time.Millisecond,
		ConnectTimeout: time.Second, ReconnectTimeout: 10 * time.Millisecond, Prefix: "pre.fix", APIKey: "key"}
	settings.Store(&on)
	p := &Pusher{Registry: r, Settings: func() config.Graphite { return *settings.Load() }, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	defer func() { cancel(); <-done; c.Close() }()

	for range 1000 {
		if l := <-c.lines; !lineFormat.MatchString(l) {
			t.Fatalf("strange line %q", l)
		}
	}
	if l := c.await(t, "key.pre.fix.mqtt.connect.received "); strings.Fields(l)[1] != "1" {
		t.Error(l)
	}
	c.Close()
	(<-c.conns).Close()
	for len(c.lines) > 0 {
		<-c.lines
	}
	c = newCarbon(t, address)
	c.await(t, "key.pre.fix.socket.open ")

	off := on
	off.Enabled = false
	settings.Store(&off)
	first := <-c.conns
	first.SetReadDeadline(time.Now().Add(10 * time.Second))
	// The receiver's own goroutine reads until the end, which comes soon.
	labels := on
	labels.IncludeLabels = true
	time.AfterFunc(1500*time.Millisecond, func() { settings.Store(&labels) })
	if l := c.await(t, "key.pre.fix.mqtt.connect.received.mqtt_version_4 "); strings.Fields(l)[1] != "1" {
		t.Error(l)
	}
	(<-c.conns).Close()
}

// TestPaths holds that no path comes twice in one push, with labels and without.
func TestPaths(t *testing.T) {
	r := metrics.New([]*metrics.Set{new(metrics.Set)})
	r.Source(func(emit metrics.Emit) {
		emit("listener_connections", 3, metrics.Label{Key: "listener", Value: "a b.c"}, metrics.Label{Key: "type", Value: "mqtt"})
	})
	for _, labels := range []bool{false, true} {
		seen := map[string]bool{}
		for _, l := range strings.Split(strings.TrimSpace(string(Lines(r, &config.Graphite{IncludeLabels: labels}, 1700000000))), "\n") {
			path := strings.Fields(l)[0]
			if seen[path] {
				t.Errorf("%s comes twice", path)
			}
			seen[path] = true
		}
		for path, want := range map[string]bool{"listener.connections": true, "listener.connections.listener_a_b_c": labels,
			"mqtt.connack.sent.reason_code_banned": labels, "storage.read.microseconds.bucket.inf": true, "storage.read.microseconds.bucket.1000000": true} {
			if seen[path] != want {
				t.Errorf("%s: %v with labels %v", path, seen[path], labels)
			}
		}
	}
}

// TestIdle: a receiver that closes a connection when nothing comes for a while,
// which is shorter than the interval, gets every push all the same.
func TestIdle(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c := newCarbon(t, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(context.Background())
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for {
			select {
			case conn := <-c.conns:
				time.AfterFunc(20*time.Millisecond, func() { conn.Close() })
			case <-ctx.Done():
				return
			}
		}
	}()
	s := config.Graphite{Enabled: true, Host: "127.0.0.1", Port: c.Addr().(*net.TCPAddr).Port, Interval: 100 * time.Millisecond,
		ConnectTimeout: time.Second, ReconnectTimeout: 10 * time.Millisecond}
	p := &Pusher{Registry: metrics.New([]*metrics.Set{new(metrics.Set)}), Settings: func() config.Graphite { return s }, Log: slog.New(slog.DiscardHandler)}
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	for range 3 {
		c.await(t, "socket.open ")
	}
	cancel()
	<-done
	<-closed
	c.Close()
}
