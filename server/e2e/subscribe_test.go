package e2e

import (
	"fmt"
	"testing"
)

// One copy for each matching subscription, with its own QoS.
func TestOverlappingSubscriptions(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "it merges overlapping subscriptions")
		versions(t, func(t *testing.T, v int) {
			topic := unique("over")
			to := b.connect(t, connect{v: v, id: unique("to")})
			to.subscribe(0, topic+"/a")
			to.subscribe(1, topic+"/+")
			to.subscribe(2, topic+"/#")
			b.connect(t, connect{v: v, id: unique("from")}).pub(publish{topic: topic + "/a", payload: "m", qos: 2})
			var got [3]int
			for range 3 {
				p := to.recv()
				got[p.qos]++
			}
			if got != [3]int{1, 1, 1} {
				t.Errorf("copies by QoS: %v, want one of each", got)
			}
		})
	})
}

// A subscription again replaces the old one and brings retained messages again.
func TestResubscribe(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			topic := unique("re")
			from := b.connect(t, connect{v: v, id: unique("from")})
			from.pub(publish{topic: topic, payload: "kept", qos: 1, retain: true})
			to := b.connect(t, connect{v: v, id: unique("to")})
			for _, qos := range []byte{0, 1} {
				to.subscribe(qos, topic)
				p := to.wantPub(publish{topic: topic, payload: "kept", qos: qos, retain: true})
				to.take(p)
			}
			from.pub(publish{topic: topic, payload: "live", qos: 2})
			to.take(to.wantPub(publish{topic: topic, payload: "live", qos: 1}))
			to.quiet()
			from.pub(publish{topic: topic, retain: true})
		})
	})
}

func TestWildcardMatching(t *testing.T) {
	cases := []struct {
		filter      string
		match, miss []string
	}{
		{"+", []string{"a"}, []string{"/a", "a/b"}},
		{"a/#", []string{"a", "a/b", "a/b/c", "a/"}, []string{"ab", "A/b"}},
		{"a/+", []string{"a/b", "a/"}, []string{"a", "a/b/c"}},
		{"a/+/c", []string{"a/b/c", "a//c"}, []string{"a/c"}},
		{"/+", []string{"/a"}, []string{"a"}},
		{"+/+", []string{"/a", "a/b"}, []string{"a"}},
		{"#", []string{"a", "/"}, []string{"$x/a"}},
		{"+/x", []string{"a/x"}, []string{"$x/x"}},
	}
	forLoops(t, func(t *testing.T, b *broker) {
		from := b.connect(t, connect{v: 4, id: "from"})
		for i, c := range cases {
			to := b.connect(t, connect{v: 4, id: fmt.Sprint("to", i)})
			to.subscribe(0, c.filter, "end/mark")
			for _, topic := range append(c.miss, c.match...) {
				from.pub(publish{topic: topic, payload: "m", qos: 1})
			}
			for _, topic := range c.match {
				if p := to.recv(); p.topic != topic {
					t.Fatalf("%s: got %s, want %s", c.filter, p.topic, topic)
				}
			}
			to.leave()
		}
	}, "max_inflight_messages=20") // own broker: other tests' messages would match
}

func TestRetainedRules(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			topic := unique("ret")
			from := b.connect(t, connect{v: v, id: unique("from")})
			early := b.connect(t, connect{v: v, id: unique("early")})
			early.subscribe(2, topic+"/#")
			for qos := byte(0); qos <= 2; qos++ {
				name := fmt.Sprint(topic, "/", qos)
				from.pub(publish{topic: name, payload: "old", qos: qos, retain: true})
				from.pub(publish{topic: name, payload: "new", qos: qos, retain: true})
				from.pub(publish{topic: name, payload: "live", qos: qos})
				for _, payload := range []string{"old", "new", "live"} {
					early.take(early.wantPub(publish{topic: name, payload: payload, qos: qos}))
				}
			}
			late := b.connect(t, connect{v: v, id: unique("late")})
			late.subscribe(1, topic+"/+")
			got := map[string]publish{}
			for range 3 {
				p := late.recv()
				late.take(p)
				p.id = 0
				got[p.topic] = p
			}
			for qos := byte(0); qos <= 2; qos++ {
				name := fmt.Sprint(topic, "/", qos)
				want := publish{topic: name, payload: "new", qos: min(qos, 1), retain: true}
				if got[name] != want {
					t.Errorf("got %+v, want %+v", got[name], want)
				}
				from.pub(publish{topic: name, qos: 1, retain: true}) // delete
				late.take(late.wantPub(publish{topic: name, qos: 1}))
			}
			after := b.connect(t, connect{v: v, id: unique("after")})
			after.subscribe(1, topic+"/#")
			after.quiet()
		})
	})
}

// Levels 131 and 132 are bridges: no echo, and RETAIN as published.
func TestBridgeLevels(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		for _, v := range []int{131, 132} {
			topic := unique("bridge")
			bridge := b.connect(t, connect{v: v, id: unique("bridge")})
			bridge.subscribe(0, topic)
			bridge.pub(publish{topic: topic, payload: "own", qos: 1})
			other := b.connect(t, connect{v: 4, id: unique("other")})
			other.pub(publish{topic: topic, payload: "kept", retain: true})
			bridge.wantPub(publish{topic: topic, payload: "kept", retain: true})
		}
	})
}

// Every message goes to exactly one member of a group, and a group is a name
// with a filter.
func TestSharedSubscription(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			if v == 3 {
				oursOnly(t, "no shared subscriptions on 3.1")
			}
			topic := unique("shared")
			from := b.connect(t, connect{v: v, id: unique("from")})
			from.pub(publish{topic: topic, payload: "kept", qos: 1, retain: true}) // not for groups
			one, two := b.connect(t, connect{v: v, id: unique("one")}), b.connect(t, connect{v: v, id: unique("two")})
			plain := b.connect(t, connect{v: v, id: unique("plain")})
			one.subscribe(1, "$share/g/"+topic)
			two.subscribe(1, "$share/g/"+topic)
			plain.subscribe(1, topic, "$share/h/"+topic)
			plain.take(plain.wantPub(publish{topic: topic, payload: "kept", qos: 1, retain: true}))
			const n = 40
			numbered(from, topic, n)
			seen := map[string]int{}
			for _, r := range []*raw{one, two} {
				got := takeAll(r)
				if len(got) == 0 {
					t.Error("a member got nothing")
				}
				for _, p := range got {
					seen[p]++
				}
			}
			for i := range n {
				if c := seen[fmt.Sprint(i+1)]; c != 1 {
					t.Errorf("message %d came %d times", i+1, c)
				}
			}
			if mosquitto() { // sends it to members too
				delete(seen, "kept")
			}
			if len(seen) != n {
				t.Errorf("the group got %v", seen)
			}
			if got := takeAll(plain); len(got) != 2*n && !mosquitto() {
				t.Errorf("plain and alone in a group: %d messages, want %d", len(got), 2*n)
			}
			from.pub(publish{topic: topic, retain: true})
		})
	})
}

// A group with a member online does not queue for one that is away.
func TestSharedPrefersOnline(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic := unique("online")
		c := persistent(4, unique("away"))
		away := b.connect(t, c)
		away.subscribe(1, "$share/g/"+topic)
		away.leave()
		here := b.connect(t, connect{v: 4, id: unique("here")})
		here.subscribe(1, "$share/g/"+topic)
		from := b.connect(t, connect{v: 4, id: unique("from")})
		numbered(from, topic, 20)
		oursOnly(t, "it takes turns whoever is there")
		if got := takeAll(here); len(got) != 20 {
			t.Errorf("the member online got %v, want 1 to 20", got)
		}
		here.leave()
		numbered(from, topic, 3)
		if got := fmt.Sprint(takeAll(b.connect(t, c))); got != "[1 2 3]" {
			t.Errorf("the member that was away got %v, want [1 2 3]", got)
		}
	})
}
