package e2e

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"
)

// manner is how a subscriber behaves.
type manner int

const (
	online manner = iota
	away          // it comes now and then for a moment
	slow          // it answers late, and loses its connection now and then
)

// wish is a subscription.
type wish struct {
	filter string
	qos    byte
	id     byte   // Subscription Identifier, MQTT 5 only
	group  *tally // of a shared one
}

// plain is the filter without what makes it shared.
func (w *wish) plain() string {
	if w.group == nil {
		return w.filter
	}
	return strings.SplitN(w.filter, "/", 3)[2]
}

// tally is how often each number of each topic came to a shared group.
type tally struct {
	filter string
	mu     sync.Mutex
	counts map[string][]uint8
}

func (t *tally) add(topic string, n int) (times int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts[topic]
	for len(c) <= n {
		c = append(c, 0)
	}
	c[n]++
	t.counts[topic] = c
	return int(c[n])
}

func (t *tally) missing(s *stream) (lost []int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts[s.topic]
	sent, _ := s.state()
	for n := 1; n <= sent; n++ {
		if n >= len(c) || c[n] == 0 {
			lost = append(lost, n)
		}
	}
	return lost
}

// subscriber has a persistent session and keeps what QoS 2 wants of a receiver.
type subscriber struct {
	rig    *rig
	c      connect
	manner manner
	wishes []wish
	rnd    *rand.Rand
	late   []byte // answers to be sent later

	unreleased map[uint16]string // QoS 2: PUBLISH received, no PUBREL yet

	mu     sync.Mutex
	latest map[string]int // the highest number by wish and topic
}

// addSubscriber makes a subscriber, and its session and subscriptions.
func (r *rig) addSubscriber(v int, m manner, wishes ...wish) {
	receiveMax := 0
	if m == slow {
		receiveMax = 5
	}
	s := &subscriber{rig: r, c: lasting(v, fmt.Sprint("subscriber", len(r.subscribers)), receiveMax), manner: m, wishes: wishes,
		rnd: rand.New(rand.NewPCG(rand.Uint64(), 1)), unreleased: map[uint16]string{}, latest: map[string]int{}}
	c := r.b.connect(r.t, s.c)
	for i := range wishes {
		x, n := &wishes[i], c.nextID()
		var properties []byte
		if v == 5 {
			properties = []byte{0x0B, x.id}
		}
		c.send(c.subscribePacket(n, properties, x.qos, x.filter))
		c.suback(0x90, n)
	}
	c.leave()
	r.subscribers = append(r.subscribers, s)
}

func (s *subscriber) live() {
	for !s.rig.over.Load() {
		if s.manner == away && !s.rig.drain.Load() {
			s.sleep(20 + s.rnd.IntN(300))
		}
		w, err := s.rig.open(s.c, true)
		if err != nil {
			time.Sleep(2 * time.Millisecond)
			continue
		}
		s.work(w)
		w.close()
	}
}

func (s *subscriber) sleep(ms int) {
	for end := time.Now().Add(time.Duration(ms) * time.Millisecond); time.Now().Before(end) && !s.rig.over.Load() && !s.rig.drain.Load(); {
		time.Sleep(2 * time.Millisecond)
	}
}

// work is one connection.
func (s *subscriber) work(w *wire) {
	s.late = nil
	leaves := time.Now().Add(time.Hour)
	if s.manner != online {
		leaves = time.Now().Add(time.Duration(20+s.rnd.IntN(300)) * time.Millisecond)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !s.rig.over.Load() {
		select {
		case p, ok := <-w.in:
			if !ok {
				return
			}
			if answer := s.take(w.v, p); s.manner == slow && !s.rig.drain.Load() {
				s.late = append(s.late, answer...)
			} else if len(answer) > 0 {
				w.send(answer)
			}
		case <-tick.C:
			if len(s.late) > 0 && (s.rnd.IntN(4) == 0 || s.rig.drain.Load()) {
				w.send(s.late)
				s.late = nil
			}
		}
		if !s.rig.drain.Load() && time.Now().After(leaves) {
			if s.rnd.IntN(2) == 0 {
				w.send(disconnect)
			}
			return
		}
	}
}

// take gives the answer to a packet.
func (s *subscriber) take(v int, p packet) []byte {
	switch p.head >> 4 {
	case 3:
		m, err := p.publish(v)
		if err != nil {
			s.rig.fault("%s: %v", s.c.id, err)
			return nil
		}
		return s.publish(&m)
	case 6:
		_, n, _ := p.ack()
		delete(s.unreleased, n)
		return pkt(0x70, id(n))
	case 14:
		if c, _ := disconnectCode(p); c == 0x8B { // the server stops
			return nil
		}
	}
	s.rig.fault("%s: got %v", s.c.id, p)
	return nil
}

func (s *subscriber) publish(m *publish) []byte {
	head, _, _ := strings.Cut(m.payload, " ")
	if m.qos == 1 {
		s.deliver(m, head)
		return pkt(0x40, id(m.id))
	}
	message := m.topic + " " + m.props + " " + head
	switch old, again := s.unreleased[m.id]; {
	case !again:
		s.unreleased[m.id] = message
		s.deliver(m, head)
	case old != message:
		s.rig.fault("%s: identifier %d is in use for %q and comes with %q", s.c.id, m.id, old, message)
	default:
		s.rig.ignored.Add(1)
	}
	return pkt(0x50, id(m.id))
}

// deliver is what the application sees.
func (s *subscriber) deliver(m *publish, number string) {
	r := s.rig
	r.arrived.Add(1)
	n, err := strconv.Atoi(number)
	st, x := r.streamOf(m.topic), s.wishOf(m)
	if err != nil || st == nil || x == nil || m.qos != min(st.qos, x.qos) {
		r.fault("%s: got %+.100v", s.c.id, *m)
		return
	}
	if x.group != nil {
		if k := x.group.add(m.topic, n); k > 1 && m.qos == 2 {
			r.fault("%s: %s %d (of cycle %d) comes to the group %d times", s.c.id, m.topic, n, st.bornIn(n), k)
		} else if k > 1 {
			r.repeats.Add(1)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := x.filter + " " + m.topic
	latest := s.latest[key]
	switch {
	case n > latest+1:
		r.fault("%s by %s: %s %d (of cycle %d) comes after %d (of %d)", s.c.id, x.filter, m.topic, n, st.bornIn(n), latest, st.bornIn(latest))
	case n <= latest && m.qos == 2:
		r.fault("%s by %s: %s %d (of cycle %d) comes again after %d, id %d dup %v", s.c.id, x.filter, m.topic, n, st.bornIn(n), latest, m.id, m.dup)
	case n <= latest:
		r.repeats.Add(1)
	}
	s.latest[key] = max(latest, n)
}

// wishOf is the subscription by which a message came.
func (s *subscriber) wishOf(m *publish) *wish {
	id := byte(0)
	if s.c.v == 5 {
		if len(m.props) != 2 || m.props[0] != 0x0B {
			return nil
		}
		id = m.props[1]
	}
	for i := range s.wishes {
		if x := &s.wishes[i]; matches(x.plain(), m.topic) && (s.c.v != 5 || x.id == id) {
			return x
		}
	}
	return nil
}

func (r *rig) streamOf(topic string) *stream {
	for _, p := range r.publishers {
		for _, s := range p.streams {
			if s.topic == topic {
				return s
			}
		}
	}
	return nil
}

// missing says what the subscriber has not got.
func (s *subscriber) missing() (list []string) {
	for i := range s.wishes {
		x := &s.wishes[i]
		for _, p := range s.rig.publishers {
			for _, st := range p.streams {
				if !matches(x.plain(), st.topic) {
					continue
				}
				if x.group != nil {
					if lost := x.group.missing(st); len(lost) > 0 {
						list = append(list, fmt.Sprintf("%s: %s %d (of cycle %d) and %d more did not come", x.filter, st.topic, lost[0], st.bornIn(lost[0]), len(lost)-1))
					}
					continue
				}
				s.mu.Lock()
				latest := s.latest[x.filter+" "+st.topic]
				s.mu.Unlock()
				if sent, _ := st.state(); latest < sent {
					list = append(list, fmt.Sprintf("%s by %s: %s ends at %d (of cycle %d) instead of %d", s.c.id, x.filter, st.topic, latest, st.bornIn(latest), sent))
				}
			}
		}
	}
	return list
}

// checkRetained compares the retained messages with what was published while
// nobody publishes.
func (r *rig) checkRetained() {
	c := r.b.connect(r.t, connect{v: 4, id: "retained"})
	c.subscribe(0, "r/#")
	found := map[string]int{}
	c.send(pingreq)
	for p := c.next(); p.head != pingresp[0]; p = c.next() {
		m, err := p.publish(4)
		if err != nil {
			r.t.Fatal(err)
		}
		head, _, _ := strings.Cut(m.payload, " ")
		found[m.topic], _ = strconv.Atoi(head)
	}
	c.leave()
	for _, p := range r.publishers {
		for _, s := range p.streams {
			sent, acked := s.state()
			n, ok := found[s.topic], !s.retain
			for i := acked; i <= sent && !ok; i++ {
				ok = n == i || n == 0 && (i == 0 || s.cleared(i))
			}
			if !ok {
				r.fault("%s is %d, but %d was acknowledged (of cycle %d) and %d sent", s.topic, n, acked, s.bornIn(acked), sent)
			}
		}
	}
}
