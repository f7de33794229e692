package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// downtime is a time that ends what lasts a second.
const downtime = 2300 * time.Millisecond

func init() {
	// What was acknowledged to a publisher survives, and the subscription too.
	each("queue", func(l *life, v int) {
		c, topic := l.subscriber(v, 1)
		numbered(l.clean(v), topic, 50)
		l.restart(0)
		to := l.resume(c)
		for i := range 50 {
			to.take(to.wantPub(publish{topic: topic, payload: fmt.Sprint(i + 1), qos: 1}))
		}
		to.quiet()
		numbered(l.clean(v), topic, 1)
		to.take(to.wantPub(publish{topic: topic, payload: "1", qos: 1}))
	})
	each("queue of QoS 2", func(l *life, v int) {
		c, topic := l.subscriber(v, 2)
		from := l.clean(v)
		for i := range 30 {
			from.pub(publish{topic: topic, payload: fmt.Sprint(i), qos: byte(i%2 + 1)})
		}
		l.restart(0)
		to := l.resume(c)
		for i := range 30 {
			to.take(to.wantPub(publish{topic: topic, payload: fmt.Sprint(i), qos: byte(i%2 + 1)}))
		}
		l.restart(0)
		l.resume(c).quiet()
	})
	each("unacknowledged", func(l *life, v int) {
		c := persistent(v, unique("to"))
		topic := unique("t/")
		to := l.connect(c)
		to.subscribe(1, topic)
		numbered(l.clean(v), topic, 5)
		for i := range 5 {
			p := to.wantPub(publish{topic: topic, payload: fmt.Sprint(i + 1), qos: 1})
			if i < 2 {
				to.puback(p.id)
			}
		}
		to.quiet()
		time.Sleep(50 * time.Millisecond) // an acknowledgement may be lost in a crash, but not these
		l.restart(0)
		wantAll(l.resume(c), "3", "4", "5")
	})
	each("unsubscribed", func(l *life, v int) {
		c := persistent(v, unique("to"))
		keep, leave := unique("t/"), unique("t/")
		to := l.connect(c)
		to.subscribe(1, keep, leave)
		to.unsubscribe(leave)
		l.restart(0)
		to = l.resume(c)
		from := l.clean(v)
		numbered(from, leave, 1)
		numbered(from, keep, 1)
		to.take(to.wantPub(publish{topic: keep, payload: "1", qos: 1}))
		if codes := to.unsubscribe(leave); v == 5 && codes[0] != 0x11 {
			l.t.Errorf("UNSUBACK % x, want 11", codes)
		}
	})
	each("replaced subscription", func(l *life, v int) {
		c, topic := l.subscriber(v, 2)
		l.connect(c).subscribe(0, topic)
		l.restart(0)
		to := l.resume(c)
		l.clean(v).pub(publish{topic: topic, payload: "m", qos: 2})
		to.wantPub(publish{topic: topic, payload: "m"})
	})
	each("clean session", func(l *life, v int) {
		c, topic := connect{v: v, id: unique("none")}, unique("t/")
		r := l.connect(c)
		r.subscribe(2, topic)
		l.clean(v).pub(publish{topic: topic, payload: "unanswered", qos: 1})
		r.wantPub(publish{topic: topic, payload: "unanswered", qos: 1})
		l.restart(0)
		again := l.connect(persistent(v, c.id))
		if again.present {
			l.t.Error("there is a session")
		}
		l.clean(v).pub(publish{topic: topic, payload: "m", qos: 1})
		again.quietFor(100 * time.Millisecond)
	})
	each("clean start over a session", func(l *life, v int) {
		c, topic := l.subscriber(v, 1)
		numbered(l.clean(v), topic, 3)
		fresh := persistent(v, c.id)
		fresh.keep = false
		l.connect(fresh).quiet()
		l.restart(0)
		again := l.connect(c)
		if again.present != (v == 5) { // MQTT 3 has said that nothing shall be kept
			l.t.Errorf("session present: %v", again.present)
		}
		numbered(l.clean(v), topic, 1)
		again.quietFor(100 * time.Millisecond)
	})
	each("offline limit", func(l *life, v int) {
		c, topic := l.subscriber(v, 1)
		numbered(l.clean(v), topic, 40)
		l.restart(0)
		eventually(l.t, "the queue is counted", func() bool { // until then the limit counts what comes
			return l.broker.done(l.t, "session show --offline_messages --format=csv --client_id="+c.id) == "offline_messages\r\n40\r\n"
		})
		numbered(l.clean(v), topic, 40)
		var want []string
		for i := range 60 { // of the configuration
			want = append(want, fmt.Sprint(i%40+1))
		}
		wantAll(l.resume(c), want...)
	})
	each("shared subscription", func(l *life, v int) {
		topic := unique("t/")
		filter := "$share/group/" + topic
		members := []connect{persistent(v, unique("one")), persistent(v, unique("two")), persistent(v, unique("three"))}
		for _, c := range members {
			r := l.connect(c)
			r.subscribe(2, filter)
			r.leave()
		}
		from := l.clean(v)
		for i := range 20 {
			from.pub(publish{topic: topic, payload: fmt.Sprint(i + 10), qos: byte(1 + i%2)})
		}
		l.restart(0)
		from = l.clean(v)
		for i := 20; i < 40; i++ {
			from.pub(publish{topic: topic, payload: fmt.Sprint(i + 10), qos: byte(1 + i%2)})
		}
		var all []string
		for _, c := range members {
			mine := payloadsOf(l.resume(c), 1)
			if len(mine) == 0 || !slices.IsSorted(mine) {
				l.t.Errorf("%s got %v", c.id, mine)
			}
			all = append(all, mine...)
		}
		slices.Sort(all)
		if len(all) != 40 || len(slices.Compact(all)) != 40 {
			l.t.Errorf("the group got %v", all)
		}
	})
	only5("subscription options", func(l *life) {
		c, topic := persistent(5, unique("to")), unique("t/")
		to := l.connect(c)
		for i, options := range []byte{1 | 4, 1 | 8, 2} { // no local, retain as published, neither
			n := to.nextID()
			to.send(to.subscribePacket(n, []byte{0x0B, byte(i + 1)}, options, fmt.Sprint(topic, "/", i)))
			to.suback(0x90, n)
		}
		l.restart(0)
		to = l.resume(c)
		for i := range 3 {
			topic, id := fmt.Sprint(topic, "/", i), string([]byte{0x0B, byte(i + 1)})
			to.send(publish{topic: topic, payload: "mine", id: 100, qos: 1}.bytes(5))
			if i > 0 { // may come before or after the acknowledgement
				p := to.next()
				if early := p; p.head>>4 == 3 {
					p = to.next()
					to.early = append(to.early, early)
				}
				if k, n, code := p.ack(); k != 0x40 || n != 100 || code != 0 {
					l.t.Fatalf("got %v, want PUBACK", p)
				}
				to.take(to.wantPub(publish{topic: topic, payload: "mine", qos: 1, props: id}))
			} else {
				to.wantAck(0x40, 100, 0)
			}
			l.clean(5).pub(publish{topic: topic, payload: "theirs", qos: 2, retain: true})
			to.take(to.wantPub(publish{topic: topic, payload: "theirs", qos: min(2, byte(1+i/2)), retain: i == 1, props: id}))
		}
		to.quiet()
	})
	only5("session expiry", func(l *life) {
		short, long := persistent(5, unique("short")), persistent(5, unique("long"))
		changed := persistent(5, unique("changed"))
		short.props = sessionExpiry(1)
		l.connect(short).leave()
		l.connect(long).leave()
		r := l.connect(changed)
		r.send(pkt(0xE0, 0, props(sessionExpiry(1)))) // DISCONNECT
		r.closed()
		three := persistent(4, unique("three"))
		l.connect(three).leave()
		ended := persistent(5, unique("ended"))
		r = l.connect(ended)
		r.send(pkt(0xE0, 0, props(sessionExpiry(0))))
		r.closed()
		l.restart(downtime)
		for c, want := range map[string]bool{short.id: false, long.id: true, changed.id: false, ended.id: false} {
			if r := l.connect(persistent(5, c)); r.present != want {
				l.t.Errorf("%s: session present %v, want %v", c, r.present, want)
			}
		}
		l.resume(three)
	})
	// The connection was to end the session.
	only5("resumed with expiry 0", func(l *life) {
		c, topic := l.subscriber(5, 1)
		numbered(l.clean(5), topic, 2)
		last := c
		last.props = nil
		r := l.resume(last)
		r.recv()
		l.restart(0)
		if r := l.connect(c); r.present {
			l.t.Error("there is a session")
		}
		numbered(l.clean(5), topic, 1)
		l.connect(c).quietFor(100 * time.Millisecond)
	})
	// What it had of a shared subscription goes to those who stay.
	only5("shared, resumed with expiry 0", func(l *life) {
		topic := unique("t/")
		leaves, stays := persistent(5, unique("leaves")), persistent(5, unique("stays"))
		l.connect(leaves).subscribe(1, "$share/g/"+topic)
		numbered(l.clean(5), topic, 40)
		last := leaves
		last.props = nil
		r := l.resume(last)
		l.connect(stays).subscribe(1, "$share/g/"+topic)
		r.recv()
		l.restart(0)
		to := l.resume(stays)
		for range 40 { // in the second in which the session ends
			to.take(to.recv())
		}
		to.quiet()
	})
	// What the client may have got of QoS 2 goes to nobody else.
	only5("shared, ended in the middle of a QoS 2 exchange", func(l *life) {
		topic := unique("t/")
		leaves, stays := persistent(5, unique("leaves")), persistent(5, unique("stays"))
		leaves.props = sessionExpiry(1)
		r := l.connect(leaves)
		r.subscribe(2, "$share/g/"+topic)
		l.clean(5).pub(publish{topic: topic, payload: "begun", qos: 2})
		r.wantPub(publish{topic: topic, payload: "begun", qos: 2})
		r.drop()
		to := l.connect(stays)
		to.subscribe(2, "$share/g/"+topic)
		l.restart(2 * time.Second)
		to = l.resume(stays)
		to.quietFor(2500 * time.Millisecond) // the session of the other one ends
		l.clean(5).pub(publish{topic: topic, payload: "later", qos: 2})
		to.take(to.wantPub(publish{topic: topic, payload: "later", qos: 2}))
	})
}

// TestRestartManyTimes checks that a queue outlives restart after restart.
func TestRestartManyTimes(t *testing.T) {
	oursOnly(t, "it saves at intervals")
	t.Parallel()
	b := startBroker(t, 2)
	c := persistent(4, "to")
	to := b.connect(t, c)
	to.subscribe(2, "t")
	to.leave()
	want := 0
	for range 6 {
		from := b.connect(t, connect{v: 4, id: "from"})
		for range 5 {
			from.pub(publish{topic: "t", payload: fmt.Sprint(want), qos: byte(1 + want%2)})
			want++
		}
		b.kill()
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
	}
	to = b.connect(t, c)
	for i := range want {
		if p := to.recv(); p.payload != fmt.Sprint(i) {
			t.Fatalf("got %q, want %d", p.payload, i)
		} else {
			to.take(p)
		}
	}
	to.quiet()
}
