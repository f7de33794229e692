package server

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vernemq/codec"
)

// TestUnreleasedOfSeveral ends one of several connections within an exchange of
// QoS 2: a later message with its packet identifier is not taken for a repeat.
func TestUnreleasedOfSeveral(t *testing.T) {
	fs := vfs.NewMem()
	cfg := testConfig(2)
	cfg.AllowMultipleSessions = true
	b, stop := bootOn(t, fs, cfg)
	one := again(t, b, persistent("c"), 0)
	one.publish("t", "x", 2, 7)
	one.expect(codec.PUBREC)
	two := again(t, b, persistent("c"), 1)
	one.conn.Close()
	b.connections(t, "c", 1)
	two.conn.Close()
	b.connections(t, "c", 0)
	stop()
	b, _ = bootOn(t, fs, cfg)
	to := connect(t, b, "to")
	to.subscribe("t", 0)
	again(t, b, persistent("c"), 1).publish("t", "y", 2, 7)
	if got := to.payloads(1); got[0] != "y" {
		t.Error(got)
	}
}

// TestCleanAfterKept has a connection of MQTT 3 whose session is not kept take the
// place of one whose session is: it ends with the process.
func TestCleanAfterKept(t *testing.T) {
	for _, crash := range []bool{false, true} {
		fs := vfs.NewCrashableMem()
		cfg := testConfig(2)
		cfg.AllowMultipleSessions = true
		b, stop := bootOn(t, fs, cfg)
		one := again(t, b, persistent("c"), 0)
		clean := &codec.Connect{Version: codec.V311, ClientID: []byte("c"), CleanStart: true}
		two := again(t, b, clean, 1)
		one.conn.Close()
		b.connections(t, "c", 1)
		two.send([]byte{0x82, 6, 0, 1, 0, 1, 't', 1})
		two.expect(codec.SUBACK) // all is written
		if crash {
			fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
		} else {
			stop()
		}
		b, _ = bootOn(t, fs, cfg)
		again(t, b, persistent("c"), 0)
	}
}

// TestFanoutLongQueue ends the first connection while much waits for it: the other
// one has had that.
func TestFanoutLongQueue(t *testing.T) {
	cfg := testConfig(2)
	cfg.AllowMultipleSessions = true
	cfg.ReceiveMaxClient = 5
	b := startBroker(t, cfg)
	one := again(t, b, persistent("c"), 0)
	one.subscribe("t", 1)
	two := again(t, b, persistent("c"), 1)
	pub := connect(t, b, "pub")
	const messages = 600
	for i := range messages {
		pub.publish("t", fmt.Sprint(i), 1, uint16(i+1))
		pub.next()
		two.payloads(1)
	}
	one.conn.Close()
	b.connections(t, "c", 1)
	two.quiet()
}

// TestFanoutOffline ends the first connection before it has taken what came while
// the client was away: another connection gets that.
func TestFanoutOffline(t *testing.T) {
	cfg := testConfig(2)
	cfg.AllowMultipleSessions = true
	cfg.ReceiveMaxClient = 5
	b := startBroker(t, cfg)
	one := again(t, b, persistent("c"), 0)
	one.subscribe("t", 1)
	one.conn.Close()
	b.connections(t, "c", 0)
	pub := connect(t, b, "pub")
	const messages = 400
	for i := range messages {
		pub.publish("t", fmt.Sprint(i), 1, uint16(i+1))
		pub.next()
	}
	one = again(t, b, persistent("c"), 1)
	one.next()
	two := again(t, b, persistent("c"), 1)
	pub.publish("t", "new", 1, 1000)
	pub.next()
	two.payloads(1)
	one.conn.Close()
	seen := map[string]int{}
	for _, s := range two.payloads(messages) {
		seen[s]++
	}
	if len(seen) != messages || seen["new"] > 0 {
		t.Errorf("%d different messages, %d times the one that it had", len(seen), seen["new"])
	}
	two.quiet()
}

// TestSucceeds has a connection become the client's first one while it has not
// acknowledged what was in memory only: from then on that outlives the process.
func TestSucceeds(t *testing.T) {
	fs := vfs.NewMem()
	cfg := testConfig(1)
	cfg.AllowMultipleSessions = true
	b, stop := bootOn(t, fs, cfg)
	one := again(t, b, persistent("c"), 0)
	one.subscribe("t", 2)
	one.subscribe("$share/g/s", 1)
	two := again(t, b, persistent("c"), 1)
	pub := connect(t, b, "pub")
	pub.publish("t", "1", 1, 1)
	pub.publish("t", "2", 2, 2)
	pub.publish("s", "3", 1, 3)
	one.payloads(3)
	for range 3 {
		two.message()
	}
	one.conn.Close()
	b.connections(t, "c", 1)
	two.conn.Close()
	b.connections(t, "c", 0)
	stop()
	b, _ = bootOn(t, fs, cfg)
	other := again(t, b, persistent("other"), 0)
	other.subscribe("$share/g/s", 1)
	two = again(t, b, persistent("c"), 1)
	seen := map[string]bool{}
	for range 3 {
		m := two.message()
		seen[string(m.Payload)] = true
		if m.QoS == 2 && !m.Dup {
			t.Error("the message of QoS 2 comes as a new one")
		}
	}
	if len(seen) != 3 {
		t.Error(seen)
	}
	two.conn.Close()
	b.connections(t, "c", 0)
	onLoop(b, 0, func(l *loop) { l.find("", "c").disconnect(errAdministrative, true) })
	if got := other.payloads(1); got[0] != "3" {
		t.Error(got)
	}
}
