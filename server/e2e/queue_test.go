package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// numbered publishes n messages "1", "2", … of QoS 1.
func numbered(from *raw, topic string, n int) {
	from.t.Helper()
	for i := range n {
		from.pub(publish{topic: topic, payload: fmt.Sprint(i + 1), qos: 1})
	}
}

// takeAll receives and acknowledges messages until two PINGREQ in a row bring
// nothing but their answers, the second a while after the first: what is read
// from the store comes later.
func takeAll(to *raw) (payloads []string) {
	to.t.Helper()
	for empty := 0; empty < 2; empty++ {
		if empty > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		to.send(pingreq)
		for p := to.next(); p.head != pingresp[0]; p = to.next() {
			m, err := p.publish(to.v)
			if err != nil {
				to.t.Fatal(err)
			}
			payloads = append(payloads, m.payload)
			to.take(m)
			empty = -1
		}
	}
	return payloads
}

func TestOfflineQueueLimit(t *testing.T) {
	want := map[string]string{
		"fifo": "[1 2 3 4 5]", // the new one is dropped
		"lifo": "[8 7 6 5 4]", // the oldest is dropped, the newest comes first
	}
	for kind, want := range want {
		t.Run(kind, func(t *testing.T) {
			settings := []string{"max_offline_messages=5"}
			if kind == "lifo" {
				settings = append(settings, "queue_type=lifo")
			}
			forLoops(t, func(t *testing.T, b *broker) {
				oursOnly(t, "it counts the in-flight window on top")
				versions(t, func(t *testing.T, v int) {
					topic := unique("off")
					c := persistent(v, unique("to"))
					to := b.connect(t, c)
					to.subscribe(1, topic)
					to.leave()
					numbered(b.connect(t, connect{v: v, id: unique("from")}), topic, 8)
					if got := fmt.Sprint(takeAll(b.connect(t, c))); got != want {
						t.Errorf("got %v, want %v", got, want)
					}
				}, levels45...)
			}, settings...)
		})
	}
}

// A client that does not acknowledge has its window and max_online_messages
// more; the rest is dropped, the newest first.
func TestOnlineQueueLimit(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic := unique("on")
		to := b.connect(t, connect{v: 4, id: unique("to")})
		to.subscribe(1, topic)
		from := b.connect(t, connect{v: 4, id: unique("from")})
		numbered(from, topic, 20)
		// The messages may still be on their way from another loop when the
		// first acknowledgements make room, so that later ones get in too. What
		// must hold: at least 8 (3 in flight, 5 waiting), those first, in order.
		got := takeAll(to)
		last := 0
		for i, p := range got {
			n, err := strconv.Atoi(p)
			if err != nil || n <= last || i < 8 && n != i+1 {
				t.Fatalf("got %v, want 1 to 8, in order", got)
			}
			last = n
		}
		if len(got) < 8 || len(got) > 15 {
			t.Fatalf("got %v, want 1 to 8 (3 in flight, 5 waiting)", got)
		}
		numbered(from, topic, 1)
		if got := fmt.Sprint(takeAll(to)); got != "[1]" {
			t.Errorf("got %v after the queue was emptied, want [1]", got)
		}
	}, "max_inflight_messages=3", "max_online_messages=5")
}

// Only what is delivered with QoS 1 or more waits for an absent client.
func TestOfflineKeepsQoS(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			topic := unique("kept")
			c := persistent(v, unique("to"))
			to := b.connect(t, c)
			for sub := byte(0); sub <= 2; sub++ {
				to.subscribe(sub, fmt.Sprint(topic, "/", sub))
			}
			to.leave()
			from := b.connect(t, connect{v: v, id: unique("from")})
			want := map[string]byte{}
			for sub := byte(0); sub <= 2; sub++ {
				for qos := byte(0); qos <= 2; qos++ {
					p := fmt.Sprintf("%d to %d", qos, sub)
					from.pub(publish{topic: fmt.Sprint(topic, "/", sub), payload: p, qos: qos})
					if sub > 0 && qos > 0 {
						want[p] = min(sub, qos)
					}
				}
			}
			to = b.connect(t, c)
			for len(want) > 0 {
				p := to.recv()
				if q, ok := want[p.payload]; !ok || q != p.qos || p.dup || p.retain {
					t.Fatalf("got %+v, still waiting for %v", p, want)
				}
				delete(want, p.payload)
			}
			to.quiet()
		}, levels45...)
	})
}
