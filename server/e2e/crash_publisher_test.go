package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// stream is what one publisher sends to one topic: the numbers from 1 on.
type stream struct {
	topic  string
	qos    byte
	retain bool

	mu    sync.Mutex
	sent  int     // the latest number
	acked int     // the latest that was acknowledged: PUBACK or PUBREC
	born  []int64 // cycle in which each was sent, from 0 on
}

// cleared tells that a number of a retained topic is published as an empty
// message, which removes it.
func (s *stream) cleared(n int) bool { return s.retain && n%5 == 0 }

func (s *stream) state() (sent, acked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent, s.acked
}

// bornIn is the cycle in which a number was sent.
func (s *stream) bornIn(n int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 1 || n > len(s.born) {
		return -1
	}
	return s.born[n-1]
}

// publisher has a persistent session. It keeps what is not acknowledged and
// sends it again, in order, after it has connected again.
type publisher struct {
	rig     *rig
	c       connect
	known   bool // it has a session
	streams []*stream
	window  int
	rnd     *rand.Rand

	pending []*outgoing
	lastID  uint16
	open    atomic.Int64 // of pending
}

// outgoing is a message that is not acknowledged to its end.
type outgoing struct {
	*stream
	n        int
	id       uint16
	released bool // PUBREC has come
	size     int
}

func newPublisher(r *rig, v, i int) *publisher {
	p := &publisher{rig: r, c: lasting(v, fmt.Sprint("publisher", i), 0), window: 5 + 10*i, rnd: rand.New(rand.NewPCG(rand.Uint64(), 1))}
	for qos := byte(1); qos <= 2; qos++ {
		p.streams = append(p.streams, &stream{topic: fmt.Sprintf("t/%d/%d", i, qos), qos: qos}, &stream{topic: fmt.Sprintf("r/%d/%d", i, qos), qos: qos, retain: true})
	}
	return p
}

func (p *publisher) live() {
	for outside := false; !p.rig.over.Load(); {
		if !p.rig.gate.Load() {
			if !outside {
				outside = true
				p.rig.outside.Add(1)
			}
			time.Sleep(2 * time.Millisecond)
			continue
		}
		if outside {
			outside = false
			p.rig.outside.Add(-1)
		}
		w, err := p.rig.open(p.c, p.known)
		if err != nil {
			time.Sleep(2 * time.Millisecond)
			continue
		}
		p.known = true
		p.work(w)
		w.close()
	}
}

// work is one connection.
func (p *publisher) work(w *wire) {
	for _, o := range p.pending {
		w.send(o.again(w.v))
	}
	for !p.rig.over.Load() {
		wait := time.Duration(p.rnd.IntN(4)) * time.Millisecond
		for k := p.rnd.IntN(p.window); k > 0 && len(p.pending) < p.window && p.rig.produce.Load(); k-- {
			w.send(p.next().bytes(w.v, false))
		}
		for timer := time.After(wait); timer != nil; {
			select {
			case a, ok := <-w.in:
				if !ok {
					return
				}
				p.answer(w, a)
			case <-timer:
				timer = nil
			}
		}
	}
}

// next makes a message.
func (p *publisher) next() *outgoing {
	s := p.streams[p.rnd.IntN(len(p.streams))]
	for p.lastID++; p.lastID == 0 || p.find(p.lastID) >= 0; p.lastID++ {
	}
	size := p.rnd.IntN(100)
	if p.rnd.IntN(50) == 0 {
		size = 10_000 // is not copied by the broker
	}
	s.mu.Lock()
	s.sent++
	s.born = append(s.born, p.rig.cycle.Load())
	o := &outgoing{stream: s, n: s.sent, id: p.lastID, size: size}
	s.mu.Unlock()
	p.pending = append(p.pending, o)
	p.open.Store(int64(len(p.pending)))
	return o
}

func (p *publisher) find(id uint16) int {
	for i, o := range p.pending {
		if o.id == id {
			return i
		}
	}
	return -1
}

func (o *outgoing) bytes(v int, dup bool) []byte {
	m := publish{topic: o.topic, qos: o.qos, id: o.id, dup: dup, retain: o.retain}
	if !o.cleared(o.n) {
		m.payload = fmt.Sprint(o.n, " ", strings.Repeat("x", o.size))
	}
	return m.bytes(v)
}

func (o *outgoing) again(v int) []byte {
	if o.released {
		return pkt(0x62, id(o.id))
	}
	return o.bytes(v, true)
}

func (p *publisher) answer(w *wire, a packet) {
	if code, _ := disconnectCode(a); code == 0x8B { // the server stops
		return
	}
	kind, n, code := a.ack()
	i := p.find(n)
	switch {
	case kind == 0x70 && i < 0 && code == 0x92: // of a PUBREL whose PUBCOMP was lost
		return
	case i < 0:
		p.rig.fault("%s: got %v, which nothing waits for", p.c.id, a)
		return
	}
	o := p.pending[i]
	switch {
	case kind == 0x40 && o.qos == 1 && code == 0:
		o.took()
		p.drop(i)
	case kind == 0x50 && o.qos == 2 && code == 0:
		if !o.released {
			o.took()
		}
		o.released = true
		w.send(pkt(0x62, id(o.id)))
	case kind == 0x70 && o.released && (code == 0 || code == 0x92):
		p.drop(i)
	default:
		p.rig.fault("%s: got %v for %s %d", p.c.id, a, o.topic, o.n)
	}
}

func (p *publisher) drop(i int) {
	p.pending = append(p.pending[:i:i], p.pending[i+1:]...)
	p.open.Store(int64(len(p.pending)))
}

// took notes that the broker has taken responsibility.
func (o *outgoing) took() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.acked = max(o.acked, o.n)
}

func (p *publisher) missing() []string {
	if n := p.open.Load(); n > 0 {
		return []string{fmt.Sprintf("%s: %d messages are not acknowledged", p.c.id, n)}
	}
	return nil
}
