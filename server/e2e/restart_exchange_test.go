package e2e

import (
	"fmt"
	"time"
)

// QoS 2 exchanges that a restart cuts at each of their steps.

func init() {
	// The publisher's side.
	steps := []struct {
		name            string
		publish, pubrel bool // sent
		answered        bool // to the last of these
	}{
		{"PUBLISH sent", true, false, false},
		{"PUBREC received", true, false, true},
		{"PUBREL sent", true, true, false},
		{"PUBCOMP received", true, true, true},
	}
	for _, s := range steps {
		each("publisher, "+s.name, func(l *life, v int) {
			to, topic := l.subscriber(v, 2)
			c := persistent(v, unique("from"))
			m := publish{topic: topic, payload: "once", qos: 2, id: 77}
			from := l.connect(c)
			from.send(m.bytes(v))
			if s.answered || s.pubrel {
				from.wantAck(0x50, 77, 0)
			}
			if s.pubrel {
				from.send(pkt(0x62, id(77)))
				if s.answered {
					from.wantAck(0x70, 77, 0)
				}
			}
			l.restart(0)
			from = l.resume(c)
			switch {
			case !s.pubrel: // again and again, the same
				m.dup = true
				from.send(m.bytes(v), m.bytes(v))
				from.wantAck(0x50, 77, 0)
				from.wantAck(0x50, 77, 0)
				from.send(pkt(0x62, id(77)))
				from.wantAck(0x70, 77, 0)
			case !s.answered: // it may have been handled
				from.send(pkt(0x62, id(77)))
				if k, n, code := from.next().ack(); k != 0x70 || n != 77 || code != 0 && code != 0x92 {
					l.t.Errorf("got %02x %d %02x, want PUBCOMP", k, n, code)
				}
			default:
				from.send(pkt(0x62, id(77)))
				from.wantAck(0x70, 77, map[int]byte{4: 0, 5: 0x92}[v])
			}
			// The identifier is free now: another message.
			from.send(publish{topic: topic, payload: "next", qos: 2, id: 77}.bytes(v))
			from.wantAck(0x50, 77, 0)
			l.restart(0)
			from = l.resume(c)
			from.send(pkt(0x62, id(77)))
			from.wantAck(0x70, 77, 0)
			wantAll(l.resume(to), "once", "next")
		})
	}
	each("publisher, rejected PUBREL", func(l *life, v int) {
		c := persistent(v, unique("from"))
		l.connect(c).leave()
		l.restart(0)
		from := l.resume(c)
		from.send(pkt(0x62, id(9)))
		from.wantAck(0x70, 9, map[int]byte{4: 0, 5: 0x92}[v])
	})
	// The subscriber's side.
	each("subscriber, PUBLISH received", func(l *life, v int) {
		c, topic, p := l.started(v)
		for range 2 {
			l.restart(0)
			to := l.resume(c)
			to.wantPub(publish{topic: topic, payload: "once", qos: 2, dup: true, id: p.id})
			to.quiet()
		}
		l.restart(0)
		to := l.resume(c)
		to.take(to.wantPub(publish{topic: topic, payload: "once", qos: 2, dup: true, id: p.id}))
		to.quiet()
		time.Sleep(50 * time.Millisecond)
		l.restart(0)
		l.resume(c).quiet()
	})
	each("subscriber, PUBREC sent", func(l *life, v int) {
		c, topic, p := l.started(v)
		to := l.resume(c)
		to.wantPub(publish{topic: topic, payload: "once", qos: 2, dup: true, id: p.id})
		to.send(pkt(0x50, id(p.id)))
		l.restart(0)
		to = l.resume(c)
		switch k := to.next(); k.head {
		case 0x62: // PUBREL
		case 0x3C: // PUBLISH with DUP
			to.send(pkt(0x50, id(p.id)))
			to.wantAck(0x62, p.id, 0)
		default:
			l.t.Fatalf("got %v", k)
		}
		to.send(pkt(0x70, id(p.id)))
		to.quiet()
	})
	each("subscriber, PUBREL received", func(l *life, v int) {
		c, topic, p := l.started(v)
		to := l.resume(c)
		to.wantPub(publish{topic: topic, payload: "once", qos: 2, dup: true, id: p.id})
		to.send(pkt(0x50, id(p.id)))
		to.wantAck(0x62, p.id, 0)
		for range 2 {
			l.restart(0)
			to = l.resume(c)
			to.wantAck(0x62, p.id, 0)
			to.quiet()
		}
		to.send(pkt(0x70, id(p.id)))
		to.quiet()
		// The window is free again.
		l.clean(v).pub(publish{topic: topic, payload: "next", qos: 2})
		to.take(to.wantPub(publish{topic: topic, payload: "next", qos: 2}))
		time.Sleep(50 * time.Millisecond)
		l.restart(0)
		l.resume(c).quiet()
	})
	// Exchanges at different steps, and messages behind them, go on in order.
	// No identifier is used twice.
	each("subscriber, many steps", func(l *life, v int) {
		c, topic := persistent(v, unique("to")), unique("t/")
		if v == 5 { // MQTT 3 has max_inflight_messages
			c.props = join(sessionExpiry(120), 0x21, id(20))
		}
		to, from := l.connect(c), l.clean(v)
		to.subscribe(2, topic)
		var sent []publish
		for i := range 50 { // 20 of them in the window
			from.pub(publish{topic: topic, payload: fmt.Sprint(i), qos: 2})
		}
		for i := range 20 {
			sent = append(sent, to.wantPub(publish{topic: topic, payload: fmt.Sprint(i), qos: 2}))
		}
		for i := 0; i < 20; i += 3 {
			to.send(pkt(0x50, id(sent[i].id)))
			to.wantAck(0x62, sent[i].id, 0)
		}
		l.restart(0)
		to = l.resume(c)
		used := map[uint16]bool{}
		for i, p := range sent {
			used[p.id] = true
			if i%3 == 0 {
				to.wantAck(0x62, p.id, 0)
				continue
			}
			to.wantPub(publish{topic: topic, payload: p.payload, qos: 2, dup: true, id: p.id})
		}
		// PUBREL takes no place in the window: the next come.
		for i := 20; i < 27; i++ {
			p := to.wantPub(publish{topic: topic, payload: fmt.Sprint(i), qos: 2})
			if used[p.id] {
				l.t.Fatalf("identifier %d is in use", p.id)
			}
			used[p.id] = true
			sent = append(sent, p)
		}
		to.quiet()
		for i, p := range sent {
			if i%3 == 0 && i < 20 {
				to.send(pkt(0x70, id(p.id)))
			} else {
				to.take(p)
			}
		}
		for i := 27; i < 50; i++ {
			to.take(to.wantPub(publish{topic: topic, payload: fmt.Sprint(i), qos: 2}))
		}
		to.quiet()
		time.Sleep(50 * time.Millisecond)
		l.restart(0)
		l.resume(c).quiet()
	})
}

// started has a message of QoS 2 sent to a persistent session, which does not
// answer.
func (l *life) started(v int) (c connect, topic string, p publish) {
	l.t.Helper()
	c, topic = l.subscriber(v, 2)
	to := l.resume(c)
	l.clean(v).pub(publish{topic: topic, payload: "once", qos: 2})
	p = to.wantPub(publish{topic: topic, payload: "once", qos: 2})
	to.quiet()
	to.drop()
	return c, topic, p
}
