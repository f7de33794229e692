package server

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/config"
)

// change puts a changed copy of the configuration in force.
func change(t *testing.T, b *Broker, f func(*config.Config)) {
	t.Helper()
	c := *b.config.Load()
	f(&c)
	if err := b.Reconfigure(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
}

// connect3 connects a client of MQTT 3.1.1.
func connect3(t *testing.T, b *Broker, id string, clean bool) *peer {
	t.Helper()
	p := &peer{t: t}
	p.dial(b, &codec.Connect{Version: codec.V311, CleanStart: clean, ClientID: []byte(id)})
	return p
}

// TestWiderWindow lets a connected client have more at once as soon as the
// setting says so, and fewer.
func TestWiderWindow(t *testing.T) {
	cfg := testConfig(2)
	cfg.MaxInflightMessages = 1
	b := startBroker(t, cfg)
	p := connect3(t, b, "slow", true)
	p.send(codec.AppendSubscribe(nil, codec.V311, 1, 0, []codec.Filter{{Filter: []byte("t"), QoS: 1}}))
	p.next()
	q := connect(t, b, "q")
	for i := range 6 {
		q.publish("t", fmt.Sprint(i), 1, uint16(i+1))
		q.next()
	}
	p.next() // the first, which is not acknowledged
	change(t, b, func(c *config.Config) { c.MaxInflightMessages = 3 })
	p.next()
	p.next()
	change(t, b, func(c *config.Config) { c.MaxInflightMessages = 1 })
	p.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := p.r.ReadByte(); err == nil {
		t.Error("more than the window")
	}
}

// TestRateChange holds a connected client back, and lets it go.
func TestRateChange(t *testing.T) {
	b := startBroker(t, testConfig(2))
	p := connect(t, b, "fast")
	sub := connect(t, b, "sub")
	sub.subscribe("t", 0)
	change(t, b, func(c *config.Config) { c.MaxMessageRate = 2 })
	start := time.Now()
	for i := range 200 { // a hundred seconds at that rate
		p.publish("t", "x", 0, uint16(i+1))
	}
	sub.payloads(2)
	change(t, b, func(c *config.Config) { c.MaxMessageRate = 0 })
	sub.payloads(198)
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

// TestToldStays keeps to what a client was told when it connected.
func TestToldStays(t *testing.T) {
	cfg := testConfig(1)
	cfg.TopicAliasMaxClient, cfg.AllowAnonymous = 5, true
	b := startBroker(t, cfg)
	p := connect(t, b, "p")
	change(t, b, func(c *config.Config) {
		c.TopicAliasMaxClient, c.ReceiveMaxBroker, c.MaxSubscriptionsPerClient = 0, 1, 1
	})
	for i := range 3 { // more QoS 2 messages than are allowed now, and an alias
		p.send([]byte{0x34, 10, 0, 1, 't', 0, byte(i + 1), 3, 0x23, 0, 5, 'x'})
		if f := p.next(); f.Type() != codec.PUBREC {
			t.Fatalf("%v % x", f.Type(), f.Body)
		}
	}
	p.subscribe("a", 0)
	p.send(codec.AppendSubscribe(nil, codec.V5, 1, 0, []codec.Filter{{Filter: []byte("b")}}))
	if f := p.next(); f.Body[len(f.Body)-1] != byte(codec.QuotaExceeded) {
		t.Errorf("a second subscription: % x", f.Body)
	}
	var mu sync.Mutex
	limits := map[any]bool{}
	for i := range 5 { // more of them share their limits
		connect(t, b, fmt.Sprint("other", i))
	}
	change(t, b, func(c *config.Config) { c.MaxOnlineMessages = 9 })
	b.everywhere(t.Context(), func(l *loop) {
		for c := range l.clients.all {
			mu.Lock()
			limits[c.session.Limits()] = true
			mu.Unlock()
		}
	})
	if len(limits) != 2 {
		t.Errorf("%d kinds of limits", len(limits))
	}
}

// TestAnonymousChange opens and closes the door.
func TestAnonymousChange(t *testing.T) {
	cfg := testConfig(2)
	cfg.AllowAnonymous = true
	open := cfg.Listeners[0]
	open.AnonymousOverride = true
	cfg.Listeners = append(cfg.Listeners, open)
	b := startBroker(t, cfg)
	connect(t, b, "in")
	try := func(listener int) byte {
		t.Helper()
		conn, err := net.Dial("tcp", b.Listeners()[listener].Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		p := &peer{t: t, conn: conn, r: bufio.NewReader(conn)}
		p.send(codec.AppendConnect(nil, &codec.Connect{Version: codec.V311, CleanStart: true, ClientID: []byte("x")}))
		return p.next().Body[1]
	}
	change(t, b, func(c *config.Config) { c.AllowAnonymous = false })
	if a, b := try(0), try(1); a != codec.ReturnNotAuthorized || b != 0 {
		t.Errorf("closed: %d, %d", a, b)
	}
	change(t, b, func(c *config.Config) { c.AllowAnonymous = true })
	if a := try(0); a != 0 {
		t.Errorf("open: %d", a)
	}
}

// TestExpiryChange ends the session of an absent client once the setting says
// so.
func TestExpiryChange(t *testing.T) {
	b := startBroker(t, testConfig(2))
	p := connect3(t, b, "away", false)
	p.send([]byte{0xE0, 0})
	if _, err := p.read(); err == nil {
		t.Fatal("still there")
	}
	change(t, b, func(c *config.Config) { c.PersistentClientExpiration = time.Second })
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var left atomic.Bool
		b.everywhere(t.Context(), func(l *loop) {
			if l.find("", "away") != nil {
				left.Store(true)
			}
		})
		if !left.Load() {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the session does not end")
		}
	}
}
