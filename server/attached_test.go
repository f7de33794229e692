package server

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vernemq/codec"
	"vernemq/server/config"
	"vernemq/server/hooks"
)

// several starts a broker that lets a client have several connections.
func several(t *testing.T, balance bool) (*Broker, *config.Config) {
	cfg := testConfig(4)
	cfg.AllowMultipleSessions, cfg.QueueBalance = true, balance
	return startBroker(t, cfg), cfg
}

// again connects a client once more.
func again(t *testing.T, b *Broker, c *codec.Connect, present byte) *peer {
	t.Helper()
	p := &peer{t: t}
	p.open(b)
	p.send(codec.AppendConnect(nil, c))
	if f := p.next(); f.Type() != codec.CONNACK || f.Body[0] != present || f.Body[1] != 0 {
		t.Fatalf("%v % x", f.Type(), f.Body)
	}
	return p
}

func named(id string) *codec.Connect {
	return &codec.Connect{Version: codec.V5, CleanStart: true, ClientID: []byte(id), RequestProblemInfo: true}
}

// connections waits until a client has so many connections.
func (b *Broker) connections(t *testing.T, id string, want int) {
	t.Helper()
	n := 0
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		var sum atomic.Int32
		b.everywhere(t.Context(), func(l *loop) {
			for c := range l.clients.all {
				if c.session.ID == id && c.session.Online() {
					sum.Add(int32(1 + len(c.others())))
				}
			}
		})
		if n = int(sum.Load()); n == want {
			return
		}
	}
	t.Fatalf("%s has %d connections, want %d", id, n, want)
}

// TestFanout lets every connection of a client have every message, whoever
// subscribed.
func TestFanout(t *testing.T) {
	b, _ := several(t, false)
	one := again(t, b, named("c"), 0)
	one.subscribe("t", 1)
	two, three := again(t, b, named("c"), 1), again(t, b, named("c"), 1)
	pub := connect(t, b, "pub")
	pub.publish("t", "x", 1, 1)
	for i, p := range []*peer{one, two, three} {
		if got := p.payloads(1); got[0] != "x" {
			t.Errorf("connection %d got %q", i, got)
		}
	}
	one.conn.Close() // another takes its place
	b.connections(t, "c", 2)
	pub.publish("t", "y", 1, 2)
	for i, p := range []*peer{two, three} {
		if got := p.payloads(1); got[0] != "y" {
			t.Errorf("connection %d got %q", i, got)
		}
	}
	three.subscribe("u", 0)
	three.conn.Close()
	two.publish("u", "z", 0, 0)
	if got := two.payloads(1); got[0] != "z" {
		t.Errorf("got %q", got)
	}
	two.conn.Close()
	b.connections(t, "c", 0)
	for end := time.Now().Add(10 * time.Second); b.index.Len() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d filters are left", b.index.Len())
		}
	}
}

// TestBalance gives each message to one connection; what a connection has not
// acknowledged when it leaves, the others get.
func TestBalance(t *testing.T) {
	b, _ := several(t, true)
	lazy := again(t, b, named("c"), 0)
	lazy.subscribe("t", 1)
	busy := again(t, b, named("c"), 1)
	pub := connect(t, b, "pub")
	const messages = 100
	for i := range messages {
		pub.publish("t", fmt.Sprint(i), 1, uint16(i+1))
		pub.next()
	}
	seen := map[string]int{}
	take := func(n int) {
		for _, s := range busy.payloads(n) {
			seen[s]++
		}
	}
	take(1)
	lazy.conn.Close()
	take(messages - 1)
	if len(seen) != messages {
		t.Errorf("%d of %d messages came", len(seen), messages)
	}
}

// TestBalanceStored has a connection of a persistent session leave more behind
// than the other one keeps in memory: that gets all of it.
func TestBalanceStored(t *testing.T) {
	b, _ := several(t, true)
	c := named("c")
	c.CleanStart, c.SessionExpiry, c.ReceiveMax = false, 1000, 1
	lazy := again(t, b, c, 0)
	lazy.subscribe("t", 1)
	busy := again(t, b, c, 1)
	pub := connect(t, b, "pub")
	const messages = 900
	for i := range messages {
		pub.publish("t", fmt.Sprint(i), 1, uint16(i+1))
		pub.next()
	}
	lazy.conn.Close()
	b.connections(t, "c", 1)
	seen := map[string]int{}
	for _, s := range busy.payloads(messages) {
		if seen[s]++; seen[s] > 1 {
			t.Errorf("%s came twice", s)
		}
	}
}

// TestLastConnection makes the session what the last connection wants it to
// be: the backlog is there when the client comes back.
func TestLastConnection(t *testing.T) {
	b, cfg := several(t, false)
	persistent := named("c")
	persistent.SessionExpiry = 100
	one := again(t, b, named("c"), 0)
	one.subscribe("t", 1)
	two := again(t, b, persistent, 1)
	one.conn.Close()
	b.connections(t, "c", 1)
	two.conn.Close()
	b.connections(t, "c", 0)
	pub := connect(t, b, "pub")
	pub.publish("t", "kept", 1, 1)
	pub.next()
	persistent.CleanStart = false
	three := again(t, b, persistent, 1)
	if got := three.payloads(1); got[0] != "kept" {
		t.Errorf("got %q", got)
	}
	four := again(t, b, persistent, 1)
	// Once the setting is off, a new connection takes over from all.
	off := *cfg
	off.AllowMultipleSessions = false
	b.config.Store(&off)
	five := again(t, b, persistent, 1)
	for i, p := range []*peer{three, four} {
		if f := p.next(); f.Type() != codec.DISCONNECT || f.Body[0] != byte(codec.SessionTakenOver) {
			t.Errorf("connection %d: %v % x", i, f.Type(), f.Body)
		}
	}
	pub.publish("t", "last", 1, 1)
	if got := five.payloads(1); got[0] != "last" {
		t.Errorf("got %q", got)
	}
}

// TestWillsOfSeveral publishes the will of each connection that is lost.
func TestWillsOfSeveral(t *testing.T) {
	b, _ := several(t, false)
	watch := connect(t, b, "watch")
	watch.subscribe("will/#", 0)
	for i := range 3 {
		c := named("c")
		c.HasWill, c.Will = true, codec.Will{Topic: fmt.Appendf(nil, "will/%d", i), Payload: fmt.Append(nil, i)}
		p := again(t, b, c, byte(min(i, 1)))
		defer p.conn.Close()
		if i == 1 {
			p.conn.Close()
			if got := watch.payloads(1); got[0] != "1" {
				t.Errorf("got %q", got)
			}
		}
	}
	go b.Stop(context.Background())
	got := watch.payloads(2)
	if got[0] == got[1] || got[0] == "1" || got[1] == "1" {
		t.Errorf("got %q", got)
	}
}

// TestSeveralChurn connects and cuts the connections of few clients while
// messages flow: nothing is left behind.
func TestSeveralChurn(t *testing.T) {
	b, _ := several(t, true)
	pub := connect(t, b, "pub")
	for round := range 30 {
		var all []*peer
		for i := range 6 {
			p := &peer{t: t}
			p.dial(b, named(fmt.Sprintf("c%d", i%2)))
			p.send(codec.AppendSubscribe(nil, codec.V5, 1, 0,
				[]codec.Filter{{Filter: []byte("t"), QoS: byte(i % 3)}, {Filter: []byte("$share/g/t"), QoS: 1}}))
			all = append(all, p)
		}
		for i := range 5 {
			pub.publish("t", "x", 1, uint16(round*5+i+1))
			pub.next()
		}
		for _, p := range all {
			p.conn.Close()
		}
	}
	for end := time.Now().Add(10 * time.Second); b.index.Len() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d filters are left", b.index.Len())
		}
	}
	b.everywhere(t.Context(), func(l *loop) {
		used := 0
		for _, s := range l.timers {
			if s != nil {
				used++
			}
		}
		if used != l.clients.used {
			t.Errorf("loop %d: %d timers for %d clients", l.index, used, l.clients.used)
		}
	})
}

// TestMuchInherited has a connection with a long queue inherit what is in the
// store: it gets all of it.
func TestMuchInherited(t *testing.T) {
	cfg := testConfig(2)
	cfg.AllowMultipleSessions, cfg.QueueBalance = true, true
	cfg.ReceiveMaxClient = 5
	b := startBroker(t, cfg)
	one := again(t, b, persistent("c"), 0)
	one.subscribe("t", 1)
	c := persistent("c")
	two := again(t, b, c, 1)
	pub := connect(t, b, "pub")
	const messages = 900
	for i := range messages {
		pub.publish("t", fmt.Sprint(i), 1, uint16(i+1))
		pub.next()
	}
	one.conn.Close()
	b.connections(t, "c", 1)
	seen := map[string]bool{}
	for len(seen) < messages {
		f, err := two.read()
		if err != nil {
			t.Fatalf("%d messages: %v", len(seen), err)
		}
		var m codec.Publish
		if codec.DecodePublish(codec.V5, f, &m) == nil {
			seen[string(m.Payload)] = true
			two.send(codec.AppendAck(nil, codec.V5, codec.PUBACK, m.PacketID, codec.Success, ""))
		}
	}
}

// TestStoredLater has a connection whose session is kept take the place of one
// whose session is not: a restart finds the subscriptions.
func TestStoredLater(t *testing.T) {
	fs := vfs.NewMem()
	cfg := testConfig(2)
	cfg.AllowMultipleSessions = true
	b, stop := bootOn(t, fs, cfg)
	one := again(t, b, named("c"), 0)
	one.subscribe("t", 1)
	two := again(t, b, persistent("c"), 1)
	one.conn.Close()
	b.connections(t, "c", 1)
	_ = two
	stop()
	b, _ = bootOn(t, fs, cfg)
	q := again(t, b, persistent("c"), 1)
	q.publish("t", "x", 0, 0)
	if got := q.payloads(1); got[0] != "x" {
		t.Error(got)
	}
}

// TestOwnDeliverMode has a plugin give a client another deliver mode than the
// configuration does; a change of settings leaves it.
func TestOwnDeliverMode(t *testing.T) {
	for _, balance := range []bool{true, false} {
		cfg := closedConfig(2)
		cfg.AllowMultipleSessions, cfg.QueueBalance = true, !balance
		b := startBroker(t, cfg)
		h, mode := welcome(), "fanout"
		if balance {
			mode = "balance"
		}
		h.AuthOnRegisterM5.Now = func(*hooks.Register) hooks.RegisterAnswer {
			return hooks.RegisterAnswer{Result: hooks.OK, Modifiers: &hooks.RegisterModifiers{QueueDeliverMode: &mode}}
		}
		plug(t, b, "p", h)
		all := []*peer{again(t, b, named("c"), 0), again(t, b, named("c"), 1)}
		all[0].subscribe("t", 0)
		changed := *cfg
		changed.MaxInflightMessages++
		if err := b.Reconfigure(t.Context(), &changed); err != nil {
			t.Fatal(err)
		}
		const messages = 40
		for i := range messages {
			all[0].publish("t", fmt.Sprint(i), 0, 0)
		}
		sum := 0
		for _, p := range all {
			p.send(codec.AppendPingreq(nil))
			for f := p.next(); f.Type() == codec.PUBLISH; f = p.next() {
				sum++
			}
		}
		if want := map[bool]int{true: messages, false: 2 * messages}[balance]; sum != want {
			t.Errorf("%s: %d messages came, want %d", mode, sum, want)
		}
	}
}
