package server

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"vernemq/codec"
)

// bystander is a client that has nothing to do with the hostile ones. It sees
// all messages.
type bystander struct {
	p       *peer
	n       uint16
	foreign int // messages of others that came, beyond those that should
}

func newBystander(t *testing.T, b *Broker) *bystander {
	by := &bystander{p: connect(t, b, "bystander")}
	by.p.subscribe("#", 0)
	return by
}

// check lets the bystander publish, receive and ping.
func (by *bystander) check(t *testing.T, routed int) {
	t.Helper()
	by.n = by.n%60000 + 1
	by.p.t = t
	by.p.publish("bystander", fmt.Sprint(by.n), 1, by.n)
	by.p.send([]byte{0xc0, 0})
	by.foreign -= routed
	own := fmt.Sprintf("PUBLISH bystander %d", by.n)
	missing := map[string]bool{own: true, fmt.Sprintf("PUBACK %d", by.n): true, "PINGRESP": true}
	for len(missing) > 0 || by.foreign < 0 {
		switch got := describe(codec.V5, by.p.next()); {
		case missing[got]:
			delete(missing, got)
		case strings.HasPrefix(got, "PUBLISH ") && !strings.HasPrefix(got, "PUBLISH bystander "):
			by.foreign++
		default:
			t.Fatalf("the bystander got %s", got)
		}
	}
	if by.foreign > 0 {
		t.Errorf("%d messages that nobody should get", by.foreign)
		by.foreign = 0
	}
}

// awaitEmpty waits until nothing is left of any client.
func awaitEmpty(t *testing.T, b *Broker) {
	t.Helper()
	var left string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if left = leftovers(b); left == "" {
			return
		}
	}
	t.Error(left)
}

// tables counts the clients and timers of a loop.
func (l *loop) tables() (clients, timers int) {
	done := make(chan [2]int)
	l.reactor.Post(func() { done <- [2]int{l.clients.used, len(l.timers) - len(l.spare)} })
	n := <-done
	return n[0], n[1]
}

// leftovers says what is in the broker's tables.
func leftovers(b *Broker) string {
	clients, timers := 0, 0
	for _, l := range b.loops {
		c, t := l.tables()
		clients, timers = clients+c, timers+t
	}
	s := b.reactor.Stats()
	if clients+timers+b.index.Len()+b.retained.Len() == 0 && s.Accepted == s.Closed && s.Panics == 0 {
		return ""
	}
	return fmt.Sprintf("%d clients, %d timers, %d filters, %d retained messages are left, %d of %d connections closed, %d panics",
		clients, timers, b.index.Len(), b.retained.Len(), s.Closed, s.Accepted, s.Panics)
}

// TestHostileMemory repeats everything, some ten thousand connections: the
// heap does not stay larger than it was. Loops keep free buffers for a second
// or two, so it has time to shrink.
func TestHostileMemory(t *testing.T) {
	b := startBroker(t, hostileConfig(&theme{}))
	everything := func() uint64 {
		for _, th := range themes() {
			for _, h := range th.cases {
				for _, v := range h.v {
					conn := dialHostile(t, b)
					conn.Write(h.bytes(codec.Version(v-'0'), th.first))
					conn.Close()
				}
			}
		}
		awaitEmpty(t, b)
		return heap()
	}
	everything()
	before, after := everything(), uint64(0)
	for range 2 {
		after = everything()
	}
	for end := time.Now().Add(10 * time.Second); after > before+512<<10; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the heap grew from %d to %d bytes", before, after)
		}
		after = heap()
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // the second empties the pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
