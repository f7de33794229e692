package e2e

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// restarts are the ways in which a broker comes to an end and back.
var restarts = []struct {
	name  string
	crash bool
	loops []int // of each life, the last for all that follow
}{
	{"stop,1_loop", false, []int{1}},
	{"stop,4_loops", false, []int{4}},
	{"crash,1_loop", true, []int{1}},
	{"crash,4_loops", true, []int{4}},
	{"crash,4_to_1_to_3_loops", true, []int{4, 1, 3}},
	{"stop,1_to_4_loops", false, []int{1, 4}},
}

// TestRestart runs all scenarios against one broker for each way to restart it.
// A restart happens when every scenario that still runs has asked for one.
func TestRestart(t *testing.T) {
	oursOnly(t, "it saves at intervals")
	t.Parallel()
	for _, how := range restarts {
		t.Run(how.name, func(t *testing.T) {
			t.Parallel()
			b := startBroker(t, how.loops[0], "max_offline_messages=60")
			l := &lives{broker: b, crash: how.crash, loops: how.loops, running: len(scenarios)}
			l.more.L = &l.mu
			var done sync.WaitGroup
			for name, run := range scenarios {
				done.Go(func() {
					defer l.leave()
					t.Run(name, func(t *testing.T) { run(t, &life{t: t, lives: l, broker: b}) })
				})
			}
			done.Wait()
		})
	}
}

// scenarios are straight stories: what clients do, a restart, what they find.
// Their clients have names and topics of their own.
var scenarios = map[string]func(*testing.T, *life){}

// each adds a scenario for MQTT 3.1.1 and for 5.
func each(name string, run func(l *life, v int)) {
	for _, v := range levels45 {
		scenarios[fmt.Sprintf("%s,v%d", name, v)] = func(_ *testing.T, l *life) { run(l, v) }
	}
}

// only5 adds a scenario for MQTT 5.
func only5(name string, run func(l *life)) {
	scenarios[name] = func(_ *testing.T, l *life) { run(l) }
}

// lives restarts a broker for several scenarios at the same time.
type lives struct {
	broker *broker
	crash  bool
	loops  []int

	mu      sync.Mutex
	more    sync.Cond
	running int // scenarios
	waiting int // of those, how many want a restart
	down    time.Duration
	life    int
	err     error
}

// life is the broker as one scenario sees it.
type life struct {
	*broker
	t     *testing.T
	lives *lives
}

// restart waits for the others and until the broker is there again. It was away
// for that long at least.
func (l *life) restart(down time.Duration) {
	l.t.Helper()
	x := l.lives
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiting++
	x.down = max(x.down, down)
	if this := x.life; x.waiting < x.running {
		for x.life == this {
			x.more.Wait()
		}
	} else {
		x.next()
	}
	if x.err != nil {
		l.t.Fatal(x.err)
	}
}

func (x *lives) leave() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.running--; x.running > 0 && x.waiting == x.running {
		x.next()
	}
}

func (x *lives) next() {
	if x.crash {
		x.broker.kill()
	} else {
		x.err = x.broker.terminate()
	}
	time.Sleep(x.down)
	x.life++
	x.broker.loops = x.loops[min(x.life, len(x.loops)-1)]
	if x.err == nil {
		x.err = x.broker.start()
	}
	x.waiting, x.down = 0, 0
	x.more.Broadcast()
}

// connect connects a client that stays when the scenario does not wait for it.
func (l *life) connect(c connect) *raw { l.t.Helper(); return l.broker.connect(l.t, c) }

// clean connects a client that leaves nothing behind.
func (l *life) clean(v int) *raw { l.t.Helper(); return l.connect(connect{v: v, id: unique("clean")}) }

// resume connects a client whose session must be there.
func (l *life) resume(c connect) *raw {
	l.t.Helper()
	r := l.connect(c)
	if !r.present {
		l.t.Fatalf("the session of %s is gone", c.id)
	}
	return r
}

// subscriber makes a persistent session with a subscription of its own topic
// and leaves it.
func (l *life) subscriber(v int, options byte) (c connect, topic string) {
	l.t.Helper()
	c, topic = persistent(v, unique("to")), unique("t/")
	r := l.connect(c)
	r.subscribe(options, topic)
	r.leave()
	return c, topic
}

// wantAll fails unless exactly this waits for a client.
func wantAll(r *raw, payloads ...string) {
	r.t.Helper()
	if g, w := fmt.Sprint(payloadsOf(r, len(payloads))), fmt.Sprint(payloads); g != w {
		r.t.Fatalf("got %v, want %v", g, w)
	}
}

// payloadsOf receives and acknowledges what waits for a client, of any QoS:
// that many messages, and more until nothing comes for a while.
func payloadsOf(r *raw, n int) (payloads []string) {
	r.t.Helper()
	for {
		wait := 150 * time.Millisecond
		if len(payloads) < n {
			wait = patience
		} else if raceEnabled {
			wait = time.Second
		}
		p, err := r.try(wait)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return payloads
		}
		if err != nil {
			r.t.Fatal(err)
		}
		switch p.head >> 4 {
		case 3:
			m, err := p.publish(r.v)
			if err != nil {
				r.t.Fatal(err)
			}
			payloads = append(payloads, m.payload)
			r.send(pkt(map[byte]byte{1: 0x40, 2: 0x50}[m.qos], id(m.id)))
		case 6:
			_, n, _ := p.ack()
			r.send(pkt(0x70, id(n)))
		default:
			r.t.Fatalf("got %v", p)
		}
	}
}
