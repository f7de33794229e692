package reactor

import (
	"sync"
	"sync/atomic"
	"testing"
)

type item struct{ writer, n int }

// inboxWorld has an inbox on each loop.
func inboxWorld[T any](t testing.TB, loops int, drain func(loop int, items []T)) (*world, []*Inbox[T]) {
	inboxes := make([]*Inbox[T], loops)
	w := start(t, loops, hooks{}, func(cfg *Config, _ *ListenOptions) {
		made := cfg.NewHandler
		cfg.NewHandler = func(l *Loop) Handler {
			inboxes[l.Index()] = NewInbox(l, func(items []T) { drain(l.Index(), items) })
			return made(l)
		}
	})
	return w, inboxes
}

func TestInboxKeepsTheOrderOfEachWriter(t *testing.T) {
	const writers, each = 8, 5000
	var next [writers]int
	var got atomic.Int64
	w, inboxes := inboxWorld(t, 1, func(_ int, items []item) {
		for _, x := range items {
			if next[x.writer] != x.n {
				t.Errorf("writer %d: %d comes instead of %d", x.writer, x.n, next[x.writer])
			}
			next[x.writer] = x.n + 1
		}
		got.Add(int64(len(items)))
	})
	var wg sync.WaitGroup
	for i := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := 0; n < each; {
				if n%3 == 0 && n+4 <= each {
					inboxes[0].PutAll([]item{{i, n}, {i, n + 1}, {i, n + 2}, {i, n + 3}})
					inboxes[0].PutAll(nil)
					n += 4
				} else {
					inboxes[0].Put(item{i, n})
					n++
				}
			}
		}()
	}
	wg.Wait()
	w.eventually("all have come", func() bool { return got.Load() == writers*each })
	if n := inboxes[0].Len(); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// A panic while draining loses neither the loop nor later items.
func TestPanicInDrain(t *testing.T) {
	var got atomic.Int64
	w, inboxes := inboxWorld(t, 1, func(_ int, items []int) {
		if items[0] == 0 {
			panic("drain")
		}
		got.Add(int64(len(items)))
	})
	inboxes[0].Put(0)
	w.eventually("panic", func() bool { return w.reactor.Stats().Panics == 1 })
	inboxes[0].Put(1)
	w.eventually("item", func() bool { return got.Load() == 1 })
}

// Every wake-up counts: items that are put one at a time, each after the one
// before was handled.
func TestInboxBetweenLoops(t *testing.T) {
	const hops = 5000
	done := make(chan struct{})
	var inboxes []*Inbox[int]
	w, inboxes := inboxWorld(t, 4, func(loop int, items []int) {
		for _, n := range items {
			if n == hops {
				close(done)
				return
			}
			inboxes[(loop+1)%4].Put(n + 1)
		}
	})
	w.on(0, func() {})
	inboxes[0].Put(0)
	<-done
}

// Loops that are kept busy by others, or by themselves, go on to serve their
// connections and their clock.
func TestBusyLoopServesItsConnections(t *testing.T) {
	var stop atomic.Bool
	var inboxes []*Inbox[int]
	w, inboxes := inboxWorld(t, 2, func(loop int, items []int) {
		if !stop.Load() {
			inboxes[loop].PutAll(items)
		}
	})
	defer stop.Store(true)
	c := w.connect(1)
	for _, b := range inboxes {
		b.Put(1)
	}
	for range 100 {
		c.send([]byte("hello"))
		c.expect([]byte("hello"))
	}
	l := w.reactor.Loops()[1]
	now := l.Now()
	w.eventually("clock", func() bool { return l.Now() > now })
	w.connect(0)
}

func TestInboxDoesNotAllocate(t *testing.T) {
	var got atomic.Int64
	w, inboxes := inboxWorld(t, 1, func(_ int, items []item) { got.Add(int64(len(items))) })
	put := func() {
		want := got.Load() + 1000
		for n := range 1000 {
			inboxes[0].Put(item{0, n})
		}
		for got.Load() < want {
			w.on(0, func() {})
		}
	}
	put()
	// A wake-up costs a few, an item none.
	if n := testing.AllocsPerRun(20, put); n > 500 {
		t.Errorf("%v allocations for 1000 items", n)
	}
	b := inboxes[0]
	w.on(0, func() {
		items := make([]item, 100)
		b.PutAll(items)
		b.drainAll()
		b.PutAll(items)
		b.drainAll()
		b.loop.rung.Store(true)
		if n := testing.AllocsPerRun(100, func() { b.PutAll(items); b.Put(item{}); b.drainAll() }); n != 0 {
			t.Errorf("%v allocations in a turn", n)
		}
		b.loop.rung.Store(false)
		b.PutAll(make([]item, 2*inboxKept))
		b.drainAll()
		b.Put(item{})
		b.drainAll()
		if n := cap(b.spare) + cap(b.in); n > 2*inboxKept {
			t.Errorf("room for %d is kept after a burst", n)
		}
	})
}

func BenchmarkInboxAcrossLoops(b *testing.B) {
	for name, batch := range map[string]int{"one by one": 1, "in tens": 10, "in hundreds": 100} {
		b.Run(name, func(b *testing.B) {
			var got atomic.Int64
			done := make(chan struct{})
			w, inboxes := inboxWorld(b, 2, func(_ int, items []int) {
				if got.Add(int64(len(items))) >= int64(b.N) {
					close(done)
				}
			})
			b.ReportAllocs()
			b.ResetTimer()
			w.reactor.Loops()[0].Post(func() {
				for left := b.N; left > 0; left -= batch {
					vs := make([]int, 0, 100)[:min(batch, left)]
					inboxes[1].PutAll(vs)
				}
			})
			<-done
		})
	}
}

// One item at a time, there and back.
func BenchmarkInboxRoundTrip(b *testing.B) {
	done := make(chan struct{})
	var inboxes []*Inbox[int]
	_, inboxes = inboxWorld(b, 2, func(loop int, items []int) {
		for _, n := range items {
			if n == 2*b.N {
				close(done)
				return
			}
			inboxes[1-loop].Put(n + 1)
		}
	})
	b.ReportAllocs()
	b.ResetTimer()
	inboxes[0].Put(0)
	<-done
}

func BenchmarkEcho(b *testing.B) {
	for name, depth := range map[string]int{"one packet": 1, "pipelined": 100} {
		b.Run(name, func(b *testing.B) {
			w := start(b, 1, hooks{data: packets(echo)}, nil)
			c := w.connect(0)
			p := packet(0x30, make([]byte, 64)...)
			var send []byte
			for range depth {
				send = append(send, p...)
			}
			b.ReportAllocs()
			b.SetBytes(int64(len(p)))
			b.ResetTimer()
			for range (b.N + depth - 1) / depth {
				c.send(send)
				c.expectLen(len(send))
			}
		})
	}
}
