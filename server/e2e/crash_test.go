package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A broker under load is killed at random moments and started again, many
// times. Its clients behave as the standard wants it of real ones and know what
// they were promised. Nothing of that may break.

var (
	crashCycles = flag.Int("crash.cycles", 0, "kill the broker so often in each part of TestCrash; 0: as often as there is time")
	crashTime   = flag.Duration("crash.time", 9*time.Second, "how long each part of TestCrash takes when -crash.cycles is 0")
)

func TestCrash(t *testing.T) {
	oursOnly(t, "it saves at intervals")
	t.Parallel()
	for _, p := range []struct {
		name  string
		loops []int // in turn
		sync  string
	}{
		{"1_loop", []int{1}, "off"}, {"4_loops", []int{4}, "off"},
		{"1_loop,sync", []int{1}, "on"}, {"4_loops,sync", []int{4}, "on"},
		{"1_to_4_loops", []int{1, 4, 2, 3}, "off"},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := startBroker(t, p.loops[0], "leveldb.sync="+p.sync, "max_online_messages=-1", "max_offline_messages=-1")
			r := newRig(t, b)
			r.run(p.loops)
			r.finish()
			t.Log(r.figures())
		})
	}
}

// rig is a broker and its clients.
type rig struct {
	t     *testing.T
	b     *broker
	rnd   *rand.Rand
	began time.Time

	publishers  []*publisher
	subscribers []*subscriber
	churn       *churner

	cycle    atomic.Int64
	gate     atomic.Bool // publishers may connect
	produce  atomic.Bool // they send new messages
	drain    atomic.Bool // subscribers stay connected and answer at once
	over     atomic.Bool
	robots   sync.WaitGroup
	outside  atomic.Int64 // publishers that have no connection and know of nothing more to come
	repeats  atomic.Int64 // messages of QoS 1 that came again
	ignored  atomic.Int64 // messages of QoS 2 that came again and were known
	arrived  atomic.Int64
	restarts []time.Duration
	kills    [3]int // in service, while starting, orderly

	mu     sync.Mutex
	faults []string
}

const seldom = 8 // one in so many cycles ends in order, one in half of it twice

func newRig(t *testing.T, b *broker) *rig {
	r := &rig{t: t, b: b, rnd: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), began: time.Now()}
	for i, v := range []int{4, 5, 4, 5} {
		r.publishers = append(r.publishers, newPublisher(r, v, i))
	}
	group := func(filter string) *tally { return &tally{filter: filter, counts: map[string][]uint8{}} }
	g, h := group("$share/g/t/#"), group("$share/h/t/+/1")
	r.addSubscriber(4, online, wish{"t/#", 2, 0, nil})
	r.addSubscriber(5, online, wish{"t/#", 2, 1, nil}, wish{"t/+/2", 2, 2, nil}, wish{"t/0/1", 1, 3, nil})
	r.addSubscriber(4, away, wish{"t/#", 2, 0, nil})
	r.addSubscriber(5, away, wish{"t/+/2", 1, 1, nil})
	r.addSubscriber(5, slow, wish{"t/#", 2, 1, nil})
	r.addSubscriber(4, slow, wish{"t/1/#", 1, 0, nil})
	r.addSubscriber(4, online, wish{"$share/g/t/#", 2, 0, g})
	r.addSubscriber(5, away, wish{"$share/g/t/#", 2, 1, g})
	r.addSubscriber(5, slow, wish{"$share/g/t/#", 2, 1, g}, wish{"$share/h/t/+/1", 1, 2, h})
	r.addSubscriber(4, away, wish{"$share/h/t/+/1", 1, 0, h})
	r.churn = newChurner(r)
	r.gate.Store(true)
	r.produce.Store(true)
	for _, s := range r.subscribers {
		r.robots.Go(s.live)
	}
	for _, p := range r.publishers {
		r.robots.Go(p.live)
	}
	t.Cleanup(func() {
		r.over.Store(true)
		r.robots.Wait()
	})
	return r
}

// fault notes something that must not happen.
func (r *rig) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf("cycle %d: ", r.cycle.Load())+fmt.Sprintf(format, args...))
}

func (r *rig) judge() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) > 0 {
		r.over.Store(true)
		r.t.Fatalf("%d faults, %s\n%s", len(r.faults), r.figures(), strings.Join(r.faults[:min(len(r.faults), 20)], "\n"))
	}
}

func (r *rig) run(loops []int) {
	end := r.began.Add(*crashTime)
	if testing.Short() {
		end = r.began.Add(*crashTime / 3)
	}
	for n := 1; n <= *crashCycles || *crashCycles == 0 && time.Now().Before(end); n++ {
		r.cycle.Store(int64(n))
		stop := r.churn.begin()
		time.Sleep(time.Duration(r.rnd.IntN(250)) * time.Millisecond)
		r.end()
		stop()
		r.gate.Store(false)
		eventually(r.t, "the publishers see the end", func() bool { return r.outside.Load() == int64(len(r.publishers)) })
		r.b.loops = loops[n%len(loops)]
		r.start()
		r.checkRetained()
		r.churn.check()
		r.gate.Store(true)
		r.judge()
	}
}

// end ends the broker, mostly with kill -9.
func (r *rig) end() {
	if r.rnd.IntN(seldom) > 0 {
		r.kills[0]++
		r.b.kill()
		return
	}
	r.kills[2]++
	if err := r.b.terminate(); err != nil {
		r.t.Fatal(err)
	}
}

// start starts the broker, and sometimes kills it before it is there.
func (r *rig) start() {
	for r.rnd.IntN(seldom/2) == 0 {
		r.kills[1]++
		if err := r.b.launch(); err != nil {
			r.t.Fatal(err)
		}
		time.Sleep(time.Duration(r.rnd.IntN(60)) * time.Millisecond)
		r.b.kill()
	}
	began := time.Now()
	if err := r.b.start(); err != nil {
		r.t.Fatal(err)
	}
	r.restarts = append(r.restarts, time.Since(began))
}

// finish lets everything come to its end and looks whether all is there.
func (r *rig) finish() {
	r.produce.Store(false)
	r.drain.Store(true)
	open := func() (left []string) {
		for _, p := range r.publishers {
			left = append(left, p.missing()...)
		}
		for _, s := range r.subscribers {
			left = append(left, s.missing()...)
		}
		return left
	}
	// A slow one may have far to go: it is given up when nothing comes any more.
	for came, end := r.arrived.Load(), time.Now().Add(patience); len(open()) > 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		r.judge()
		if n := r.arrived.Load(); n != came {
			came, end = n, time.Now().Add(patience)
		}
	}
	for _, x := range open() {
		r.fault("at the end: %s", x)
	}
	time.Sleep(200 * time.Millisecond) // for what may come twice
	r.judge()
}

func (r *rig) figures() string {
	var sent, slowest, total int64
	for _, p := range r.publishers {
		for _, s := range p.streams {
			s.mu.Lock()
			sent += int64(s.sent)
			s.mu.Unlock()
		}
	}
	for _, d := range r.restarts {
		slowest = max(slowest, d.Milliseconds())
		total += d.Milliseconds()
	}
	return fmt.Sprintf("crash: %d cycles (%d kills in service, %d while starting, %d stops) in %.1f s; %d messages published, %d received, "+
		"%d of QoS 1 repeated, %d of QoS 2 repeated and known; %d ms to start, %d at most",
		r.cycle.Load(), r.kills[0], r.kills[1], r.kills[2], time.Since(r.began).Seconds(), sent, r.arrived.Load(),
		r.repeats.Load(), r.ignored.Load(), total/max(int64(len(r.restarts)), 1), slowest)
}
