package trie

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"weak"
)

// What a goroutine has acquired is matched at once, and no more once it is
// released, whatever others do.
func TestMemoConcurrent(t *testing.T) {
	t.Parallel()
	rounds, size := churn()
	x := NewIndex[int]()
	var all sync.WaitGroup
	for g := range 3 {
		all.Go(func() {
			memo := NewMemo(x)
			filter := fmt.Sprintf("d/%d/+", g)
			topic := fmt.Appendf(nil, "d/%d/x", g)
			for i := range rounds * size {
				if got := memo.Match("", topic); len(got) != 0 {
					t.Errorf("%d filters match after %d rounds, want none", len(got), i)
					return
				}
				n := x.Acquire("", filter)
				for range 2 {
					if got := memo.Match("", topic); len(got) != 1 || got[0] != n {
						t.Errorf("%v match after %d rounds, want %p", got, i, n)
						return
					}
				}
				x.Release(n)
				if i%size == 0 {
					memo.Forget()
				}
			}
		})
	}
	all.Wait()
}

// A memo stays aside where it is of no use, looks again at times, and is there
// again when topics repeat.
func TestMemoStaysAside(t *testing.T) {
	t.Parallel()
	x := NewIndex[int]()
	x.Acquire("", "a/+")
	memo := NewMemo(x)
	looked := 0
	for i := range 100_000 {
		if memo.aside == 0 {
			looked++
		}
		if got := memo.Match("", fmt.Appendf(nil, "a/%d", i)); len(got) != 1 {
			t.Fatalf("%d filters match, want 1", len(got))
		}
	}
	if most := 100_000 * memoMisses / memoAside; looked > most {
		t.Errorf("looked up %d topics, want at most %d", looked, most)
	}
	for i := range 10_000 {
		memo.Match("", fmt.Appendf(nil, "a/%d", i%10))
	}
	if memo.aside > 0 {
		t.Errorf("aside for %d matches", memo.aside)
	}
}

func TestMemoLimits(t *testing.T) {
	t.Parallel()
	x := NewIndex[int]()
	memo := NewMemo(x)
	long := strings.Repeat("x", memoTopic+1)
	x.Acquire("", long)
	deep := "0/1/2/3/4/5"
	for plus := range memoNodes * 2 { // every choice of levels
		levels := strings.Split(deep, "/")
		for i := range levels {
			if plus&(1<<i) != 0 {
				levels[i] = "+"
			}
		}
		x.Acquire("", strings.Join(levels, "/"))
	}
	for range 2 {
		if got := memo.Match("", []byte(long)); len(got) != 1 {
			t.Errorf("%d filters match the long topic, want 1", len(got))
		}
		if got := memo.Match("", []byte(deep)); len(got) != memoNodes*2 {
			t.Errorf("%d filters match, want %d", len(got), memoNodes*2)
		}
	}
	for _, p := range memo.places {
		if len(p.nodes) > 0 || len(p.topic) > memoTopic {
			t.Errorf("%q is remembered with %d nodes", p.topic, len(p.nodes))
		}
	}
}

// Forget lets go of filters that have left the index.
func TestMemoForgets(t *testing.T) {
	t.Parallel()
	x := NewIndex[[1024]byte]()
	memo := NewMemo(x)
	left := func() weak.Pointer[Node[[1024]byte]] {
		n := x.Acquire("", "a/b")
		memo.Match("", []byte("a/b"))
		x.Release(n)
		return weak.Make(n)
	}()
	memo.Forget()
	runtime.GC()
	if left.Value() != nil {
		t.Error("the node is kept")
	}
	runtime.KeepAlive(memo)
}

func BenchmarkMemo(b *testing.B) {
	x := NewIndex[value]()
	x.Acquire("", "m/+/t")
	memo := NewMemo(x)
	run := func(name string, topics int, change bool) {
		names := make([][]byte, topics)
		for i := range names {
			names[i] = fmt.Appendf(nil, "m/sensor-%d/t", i)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if change {
					x.version.Add(1)
				}
				memo.Match("", names[i%topics])
			}
		})
	}
	run("one", 1, false)
	run("hundred", 100, false)
	run("many", 100_000, false)
	run("changing", 1, true)
}
