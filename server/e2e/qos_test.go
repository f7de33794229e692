package e2e

import (
	"testing"
	"time"
)

// persistent returns a CONNECT of a session that outlives its connection.
func persistent(v int, name string) connect {
	c := connect{v: v, id: name, keep: true}
	if v == 5 {
		c.props = sessionExpiry(120)
	}
	return c
}

// 3.1 behaves as 3.1.1 in all of this.
var levels45 = []int{4, 5}

func TestDeliveryQoS(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			from := b.connect(t, connect{v: v, id: unique("from")})
			for sub := byte(0); sub <= 2; sub++ {
				topic := unique("min")
				to := b.connect(t, connect{v: v, id: unique("to")})
				to.subscribe(sub, topic)
				for qos := byte(0); qos <= 2; qos++ {
					from.pub(publish{topic: topic, payload: "p", qos: qos})
					p := to.wantPub(publish{topic: topic, payload: "p", qos: min(qos, sub)})
					to.take(p)
				}
			}
		})
	})
}

func TestQoS2DuplicateRoutedOnce(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "2.0.11 loses a message repeated on one connection")
		versions(t, func(t *testing.T, v int) {
			topic := unique("dup")
			to := b.connect(t, connect{v: v, id: unique("to")})
			to.subscribe(0, topic)
			from := b.connect(t, connect{v: v, id: unique("from")})
			first := publish{topic: topic, payload: "one", qos: 2, id: 9}
			again := first
			again.dup = true
			for _, p := range []publish{first, again, again} {
				from.send(p.bytes(v))
				from.wantAck(0x50, 9, 0)
			}
			for range 2 { // the second finds the identifier free again
				from.send(pkt(0x62, id(9)))
				if k, i, c := from.next().ack(); k != 0x70 || i != 9 || c != 0 && c != 0x92 {
					t.Fatalf("answer to PUBREL: kind %02x id %d code %02x", k, i, c)
				}
			}
			from.send(publish{topic: topic, payload: "two", qos: 2, id: 9}.bytes(v))
			from.wantAck(0x50, 9, 0)
			to.wantPub(publish{topic: topic, payload: "one"})
			to.wantPub(publish{topic: topic, payload: "two"})
			to.quiet()
		})
	})
}

// The receiver's side of QoS 2 is session state too.
func TestQoS2PublisherAcrossReconnect(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			topic := unique("q2")
			to := b.connect(t, connect{v: v, id: unique("to")})
			to.subscribe(0, topic)
			c := persistent(v, unique("from"))
			p := publish{topic: topic, payload: "once", qos: 2, id: 5}
			from := b.connect(t, c)
			from.send(p.bytes(v))
			from.wantAck(0x50, 5, 0)
			from.drop()
			from = b.connect(t, c)
			p.dup = true
			from.send(p.bytes(v))
			from.wantAck(0x50, 5, 0)
			from.send(pkt(0x62, id(5)))
			from.wantAck(0x70, 5, 0)
			from.pub(publish{topic: topic, payload: "end"})
			to.wantPub(publish{topic: topic, payload: "once"})
			to.wantPub(publish{topic: topic, payload: "end"})
		}, levels45...)
	})
}

// Unacknowledged messages come again with DUP and the same packet identifiers.
func TestInflightResentAfterReconnect(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			topic := unique("again")
			c := persistent(v, unique("to"))
			to := b.connect(t, c)
			to.subscribe(2, topic)
			from := b.connect(t, connect{v: v, id: unique("from")})
			var sent []publish
			for i, qos := range []byte{1, 2, 1, 2} {
				from.pub(publish{topic: topic, payload: string(rune('a' + i)), qos: qos})
				sent = append(sent, to.recv())
			}
			// The third is done, the fourth half done.
			to.puback(sent[2].id)
			to.send(pkt(0x50, id(sent[3].id)))
			to.wantAck(0x62, sent[3].id, 0)
			for range 2 { // a second loss changes nothing
				to.drop()
				to = b.connect(t, c)
				if !to.present {
					t.Fatal("no session present")
				}
				got := map[uint16]publish{}
				pubrel := 0
				for range 3 {
					p := to.next()
					if k, i, _ := p.ack(); k == 0x62 && i == sent[3].id {
						pubrel++
						continue
					}
					again, err := p.publish(v)
					if err != nil {
						t.Fatal(err)
					}
					got[again.id] = again
				}
				for _, want := range sent[:2] {
					want.dup = true
					if got[want.id] != want {
						t.Errorf("got %+v, want %+v", got[want.id], want)
					}
				}
				if pubrel != 1 {
					t.Errorf("%d PUBREL, want 1", pubrel)
				}
				to.quiet()
			}
			to.send(pkt(0x70, id(sent[3].id)))
			to.take(sent[0])
			to.take(sent[1])
			to.quiet() // so that the broker has read them
			to.drop()
			b.connect(t, c).quiet()
		}, levels45...)
	})
}

func TestResentAfterTakeover(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		c := persistent(4, unique("to"))
		topic := unique("taken")
		old := b.connect(t, c)
		old.subscribe(1, topic)
		from := b.connect(t, connect{v: 4, id: unique("from")})
		from.pub(publish{topic: topic, payload: "m", qos: 1})
		p := old.recv()
		to := b.connect(t, c)
		old.closed()
		p.dup = true
		to.wantPub(p)
		// A clean session forgets it.
		c.keep = false
		clean := b.connect(t, c)
		to.closed()
		if clean.present {
			t.Error("session present with a clean session")
		}
		clean.quiet()
	})
}

func TestInflightWindow(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "2.0.11 lets two out for one acknowledgement")
		for _, qos := range []byte{1, 2} {
			topic := unique("window")
			to := b.connect(t, connect{v: 4, id: unique("to")})
			to.subscribe(qos, topic)
			from := b.connect(t, connect{v: 4, id: unique("from")})
			const n = 8
			for i := range n {
				from.pub(publish{topic: topic, payload: string(rune('0' + i)), qos: qos})
			}
			var window []publish
			for i := range n {
				if len(window) == 3 {
					to.quiet()
					to.take(window[0])
					window = window[1:]
				}
				window = append(window, to.wantPub(publish{topic: topic, payload: string(rune('0' + i)), qos: qos}))
			}
		}
	}, "max_inflight_messages=3")
}

// On v5 the client's Receive Maximum is the window.
func TestReceiveMaximumWindow(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic := unique("rm")
		to := b.connect(t, connect{v: 5, id: unique("to"), props: join(0x21, id(2))})
		to.subscribe(1, topic)
		from := b.connect(t, connect{v: 5, id: unique("from")})
		for range 5 {
			from.pub(publish{topic: topic, payload: "m", qos: 1})
		}
		from.pub(publish{topic: topic, payload: "qos 0", qos: 0})
		held := []publish{to.recv(), to.recv()}
		for seen := 2; seen < 5; seen++ {
			to.puback(held[0].id)
			p := to.recv()
			for p.qos == 0 { // may pass the waiting ones
				p = to.recv()
			}
			held = append(held[1:], p)
		}
	})
}

func TestRetryInterval(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		from := b.connect(t, connect{v: 4, id: unique("from")})
		topic := unique("retry")
		five := b.connect(t, connect{v: 5, id: unique("five")})
		five.subscribe(1, topic)
		to := b.connect(t, connect{v: 4, id: unique("to")})
		to.subscribe(2, topic)
		from.pub(publish{topic: topic, payload: "two", qos: 2})
		start := time.Now()
		p := to.wantPub(publish{topic: topic, payload: "two", qos: 2})
		five.recv()
		p.dup = true
		to.wantPub(p)
		if took := time.Since(start); took < 900*time.Millisecond {
			t.Errorf("PUBLISH again after %v, want 1 s or more", took)
		}
		to.send(pkt(0x50, id(p.id)))
		to.wantAck(0x62, p.id, 0)
		start = time.Now()
		to.wantAck(0x62, p.id, 0)
		if took := time.Since(start); took < 900*time.Millisecond {
			t.Errorf("PUBREL again after %v, want 1 s or more", took)
		}
		to.send(pkt(0x70, id(p.id)))
		to.quietFor(2200 * time.Millisecond)
		five.quiet() // v5 knows no retry
	}, "retry_interval=1")
}

func TestUnknownPacketIDs(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "it closes on some of these")
		four := b.connect(t, connect{v: 4, id: unique("four")})
		five := b.connect(t, connect{v: 5, id: unique("five")})
		for _, r := range []*raw{four, five} {
			code := byte(0)
			if r.v == 5 {
				code = 0x92
			}
			r.send(pkt(0x62, id(77))) // PUBREL
			r.wantAck(0x70, 77, code)
			r.send(pkt(0x40, id(77)), pkt(0x70, id(77))) // PUBACK, PUBCOMP: ignored
			r.quiet()
		}
		five.send(pkt(0x50, id(77))) // PUBREC
		five.wantAck(0x62, 77, 0x92)
		four.send(pkt(0x50, id(77)), pingreq) // answered with PUBREL or ignored
		p := four.next()
		if k, i, _ := p.ack(); k == 0x62 && i == 77 {
			p = four.next()
		}
		if p.head != pingresp[0] {
			t.Errorf("got %v, want PINGRESP", p)
		}
	})
}

// An error in PUBREC ends the exchange: no PUBREL, no re-send.
func TestPubrecWithError(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic := unique("refuse")
		c := persistent(5, unique("to"))
		to := b.connect(t, c)
		to.subscribe(2, topic)
		b.connect(t, connect{v: 5, id: unique("from")}).pub(publish{topic: topic, payload: "m", qos: 2})
		p := to.recv()
		to.send(pkt(0x50, id(p.id), 0x97, 0))
		to.quiet()
		to.drop()
		b.connect(t, c).quiet()
	})
}

func TestReceiveMaximumOfBroker(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		r := b.connect(t, connect{v: 5, id: unique("rmb")})
		for i := uint16(1); i <= 4; i++ {
			r.send(publish{topic: "rmb", payload: "m", qos: 2, id: i}.bytes(5))
			if i < 4 {
				r.wantAck(0x50, i, 0)
			}
		}
		r.closed(0x93)
	}, "receive_max_broker=3")
}
