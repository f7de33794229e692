package reactor

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestInbox has many writers: each one's items keep their order.
func TestInbox(t *testing.T) {
	type item struct{ writer, n int }
	var got [4][]int
	var total atomic.Int64
	cfg := Config{Loops: 1, ConnectTimeout: func() time.Duration { return time.Second }, NewHandler: func(*Loop) Handler { return &echoHandler{bench: &bench{}} }}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	box := NewInbox(r.loops[0], func(items []item) {
		for _, x := range items {
			got[x.writer] = append(got[x.writer], x.n)
		}
		total.Add(int64(len(items)))
	})
	r.Start()
	const each = 20000
	var wg sync.WaitGroup
	for w := range got {
		wg.Go(func() {
			for n := 0; n < each; n += 2 {
				box.Put(item{w, n})
				box.PutAll([]item{{w, n + 1}})
			}
		})
	}
	wg.Wait()
	until(t, "all items came", func() bool { return total.Load() == each*int64(len(got)) })
	if err := r.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	for w := range got {
		for n, x := range got[w] {
			if x != n {
				t.Fatalf("writer %d: item %d at place %d", w, x, n)
			}
		}
	}
	if box.Len() != 0 {
		t.Errorf("%d items are left", box.Len())
	}
}

func BenchmarkInbox(b *testing.B) {
	var total atomic.Int64
	cfg := Config{Loops: 1, ConnectTimeout: func() time.Duration { return time.Second }, NewHandler: func(*Loop) Handler { return &echoHandler{bench: &bench{}} }}
	r, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	box := NewInbox(r.loops[0], func(items []int) { total.Add(int64(len(items))) })
	r.Start()
	batch := make([]int, 64)
	b.ReportAllocs()
	sent := int64(0)
	for b.Loop() {
		box.PutAll(batch)
		sent += int64(len(batch))
		for box.Len() > 4096 {
			time.Sleep(time.Microsecond)
		}
	}
	until(b, "all items came", func() bool { return total.Load() == sent })
	if err := r.Stop(b.Context()); err != nil {
		b.Error(err)
	}
}
