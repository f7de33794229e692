package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A subscriber that stops reading costs bounded memory, and others nothing.
func TestStalledSubscriber(t *testing.T) {
	total := int64(1 << 30)
	if testing.Short() || raceEnabled {
		total = 64 << 20
	}
	const size, batch = 32 << 10, 32
	forLoopsAlone(t, func(t *testing.T, b *broker) {
		for qos := byte(0); qos <= 1; qos++ {
			t.Run(fmt.Sprintf("qos=%d", qos), func(t *testing.T) {
				share := total
				if qos == 1 { // slower for the publisher, and for mosquitto 40 ms a batch
					share /= 8
				}
				topic := unique("stall")
				stalled := b.connect(t, connect{v: 4, id: unique("stalled")})
				stalled.subscribe(qos, topic) // and never reads again
				stop := b.pingPong(t)
				from := b.connect(t, connect{v: 4, id: unique("from")})
				before, peak := b.rss(t), int64(0)
				payload := strings.Repeat("x", size)
				var packets []byte
				for i := range batch {
					packets = append(packets, publish{topic: topic, payload: payload, qos: qos, id: uint16(i + 1)}.bytes(4)...)
				}
				start := time.Now()
				for sent := int64(0); sent < share; sent += size * batch {
					if time.Since(start) > 40*time.Second {
						t.Fatalf("only %d MB sent in 40 s", sent>>20)
					}
					from.send(packets)
					if qos == 1 {
						for i := range batch {
							from.wantAck(0x40, uint16(i+1), 0)
						}
					}
					peak = max(peak, b.rss(t))
				}
				from.quiet() // the broker has read it all
				peak = max(peak, b.rss(t))
				worst, n := stop()
				t.Logf("%d MB in %v; memory %d + %d MB; %d exchanges of others, the slowest took %v",
					share>>20, time.Since(start).Round(time.Millisecond), before>>20, (peak-before)>>20, n, worst)
				limit := int64(150 << 20)
				if raceEnabled {
					limit *= 3
				}
				if grown := peak - before; int64(grown) > limit {
					t.Errorf("the broker grew by %d MB, want less than %d", grown>>20, limit>>20)
				}
				if worst > 3*time.Second || n == 0 {
					t.Errorf("others: %d exchanges, the slowest took %v", n, worst)
				}
				stalled.drop()
				from.leave()
			})
		}
		b.works(t)
	}, "max_inflight_messages=20") // a broker of its own, for its memory
}

// pingPong exchanges messages between two clients until it is stopped, and
// then returns the slowest round and the number of rounds.
func (b *broker) pingPong(t *testing.T) (stop func() (worst time.Duration, n int)) {
	t.Helper()
	topic := unique("pair")
	to := b.connect(t, connect{v: 4, id: unique("to")})
	to.subscribe(1, topic)
	from := b.connect(t, connect{v: 4, id: unique("from")})
	m := publish{topic: topic, payload: "m", qos: 1, id: 1}
	quit, result := make(chan struct{}), make(chan error, 1)
	var worst time.Duration
	var n int
	round := func() error {
		start := time.Now()
		if _, err := from.c.Write(m.bytes(4)); err != nil {
			return err
		}
		if _, err := from.try(patience); err != nil {
			return fmt.Errorf("no PUBACK: %w", err)
		}
		p, err := to.try(patience)
		if err != nil {
			return fmt.Errorf("no message: %w", err)
		}
		got, err := p.publish(4)
		if err != nil {
			return err
		}
		_, err = to.c.Write(pkt(0x40, id(got.id)))
		worst = max(worst, time.Since(start))
		n++
		return err
	}
	go func() {
		for {
			select {
			case <-quit:
				result <- nil
				return
			case <-time.After(2 * time.Millisecond):
			}
			if err := round(); err != nil {
				result <- err
				return
			}
		}
	}()
	return func() (time.Duration, int) {
		t.Helper()
		close(quit)
		if err := <-result; err != nil {
			t.Errorf("the other clients: %v", err)
		}
		return worst, n
	}
}

// A client that stops reading its own acknowledgements is no better.
func TestStalledPublisher(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		r := b.connect(t, connect{v: 4, id: unique("deaf")})
		pings := bytes.Repeat(pingreq, 32<<10)
		before := b.rss(t)
		for range 256 { // 16 MB of PINGREQ, 16 MB of answers nobody reads
			_ = r.c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
			if _, err := r.c.Write(pings); err != nil {
				break // the broker stopped reading, or closed: both are fine
			}
		}
		if grown := b.rss(t) - before; grown > 100<<20 {
			t.Errorf("the broker grew by %d MB", grown>>20)
		}
		b.works(t)
	}, "max_inflight_messages=20")
}
