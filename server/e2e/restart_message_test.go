package e2e

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"
)

// Retained messages, wills and what a message carries, across restarts.

func init() {
	each("retained", func(l *life, v int) {
		topic := unique("r/")
		set := func(name, payload string, qos byte) {
			l.clean(v).pub(publish{topic: topic + name, payload: payload, qos: qos, retain: true})
		}
		set("/set", "one", 1)
		set("/replaced", "one", 1)
		set("/replaced", "two", 2)
		set("/cleared", "one", 1)
		set("/cleared", "", 1)
		set("/later", "one", 2)
		check := func(want map[string]publish) {
			l.t.Helper()
			r := l.clean(v)
			for name, p := range want {
				r.subscribe(2, topic+name)
				if p.topic = topic + name; p.payload != "" {
					p.retain = true
					r.take(r.wantPub(p))
				}
			}
			r.quiet()
		}
		l.restart(0)
		check(map[string]publish{
			"/set": {payload: "one", qos: 1}, "/replaced": {payload: "two", qos: 2}, "/cleared": {}, "/later": {payload: "one", qos: 2},
		})
		set("/cleared", "again", 1)
		set("/later", "", 2)
		l.restart(0)
		check(map[string]publish{
			"/set": {payload: "one", qos: 1}, "/replaced": {payload: "two", qos: 2}, "/cleared": {payload: "again", qos: 1}, "/later": {},
		})
	})
	only5("properties and size", func(l *life) {
		c, topic := l.subscriber(5, 2)
		other := persistent(5, unique("other")) // a second receiver: the body is shared
		l.connect(other).subscribe(1, topic)
		properties := string(join(0x01, 1, 0x03, "text/plain", 0x08, "answer/here", 0x09, "\x00\x01\x02", 0x26, "name", "value", 0x26, "name", "other"))
		large := strings.Repeat("0123456789abcdef", 20_000)
		m := publish{topic: topic, payload: large, qos: 2, retain: true, props: properties}
		l.clean(5).pub(m)
		l.restart(0)
		m.retain = false
		to := l.resume(c)
		to.take(to.wantPub(m))
		m.qos = 1
		to = l.resume(other)
		to.take(to.wantPub(m))
		m.qos, m.retain = 2, true
		late := l.clean(5)
		late.subscribe(2, topic)
		late.take(late.wantPub(m))
	})
	only5("message expiry", func(l *life) {
		c, topic := l.subscriber(5, 1)
		expiry := func(seconds uint32) string { return string(join(0x02, seconds)) }
		from := l.clean(5)
		for name, seconds := range map[string]uint32{"short": 1, "long": 100} {
			from.pub(publish{topic: topic, payload: name, qos: 1, props: expiry(seconds)})
			from.pub(publish{topic: topic + "/" + name, payload: name, qos: 1, retain: true, props: expiry(seconds)})
		}
		l.restart(downtime)
		late := func(p publish) {
			l.t.Helper()
			if p.payload != "long" || len(p.props) != 5 {
				l.t.Fatalf("got %+v", p)
			}
			if left := binary.BigEndian.Uint32([]byte(p.props[1:])); left < 50 || left > 98 {
				l.t.Errorf("expires in %d s", left)
			}
		}
		to := l.resume(c)
		p := to.recv()
		late(p)
		to.take(p)
		to.quiet()
		r := l.clean(5)
		r.subscribe(1, topic+"/#")
		p = r.recv()
		late(p)
		r.take(p)
		r.quiet()
	})
	each("will of a client that is connected", func(l *life, v int) {
		watch, topic := l.subscriber(v, 1)
		c := persistent(v, unique("dies"))
		c.will = &will{topic: topic, payload: "gone", qos: 1}
		l.connect(c)
		l.restart(0)
		r := l.resume(watch) // after a crash it is published at the start
		r.take(r.wantPub(publish{topic: topic, payload: "gone", qos: 1}))
		l.restart(0)
		l.resume(watch).quiet()
	})
	only5("delayed will", func(l *life) {
		watch, topic := l.subscriber(5, 1)
		mortal := func(name string, delay uint32) connect {
			c := persistent(5, unique(name))
			c.will = &will{topic: topic, payload: name, qos: 1, props: join(0x18, delay)}
			return c
		}
		due, later, back := mortal("due", 2), mortal("later", 100), mortal("back", 60)
		ends := mortal("ends", 100) // with its session
		ends.props = sessionExpiry(1)
		for _, c := range []connect{due, later, back, ends} {
			l.connect(c).drop()
		}
		if !l.lives.crash {
			time.Sleep(50 * time.Millisecond) // the broker has seen them go
		}
		l.restart(downtime)
		l.resume(back).leave()
		r := l.resume(watch)
		wills := map[string]int{}
		for range 2 {
			p := r.recv()
			wills[p.payload]++
			r.take(p)
		}
		if wills["due"] != 1 || wills["ends"] != 1 {
			l.t.Errorf("got %v", wills)
		}
		r.quiet()
		r.leave()
		l.restart(0)
		l.resume(watch).quiet()
	})
	scenarios["will at a stop"] = willAtShutdown
}

// Wills are published at a stop too; a retained one is there afterwards.
func willAtShutdown(t *testing.T, l *life) {
	if l.lives.crash {
		return // it is not known any more
	}
	topic := unique("w/")
	watch := persistent(4, unique("watch"))
	l.connect(watch).subscribe(1, topic)
	l.connect(connect{v: 4, id: unique("dies"), will: &will{topic: topic, payload: "stopped", qos: 1, retain: true}})
	l.restart(0)
	r := l.clean(4)
	r.subscribe(1, topic)
	r.wantPub(publish{topic: topic, payload: "stopped", qos: 1, retain: true})
	wantAll(l.resume(watch), "stopped")
}
