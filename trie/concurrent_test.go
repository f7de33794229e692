package trie

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// churn is how much the writers below do; enough for tables to grow and shrink many times.
func churn() (rounds, size int) {
	if testing.Short() || raceEnabled {
		return 8, 1000
	}
	return 20, 4000
}

// TestIndexConcurrent matches stable filters, each of which must be found
// exactly once, while others come and go around them.
func TestIndexConcurrent(t *testing.T) {
	t.Parallel()
	const stable = 100
	rounds, size := churn()
	x := NewIndex[int]()
	nodes := make([]*Node[int], stable)
	for i := range nodes {
		nodes[i] = x.Acquire("", fmt.Sprintf("d/s%d/x", i))
	}
	every, all := x.Acquire("", "d/+/x"), x.Acquire("", "#")

	var writers, readers sync.WaitGroup
	var done atomic.Bool
	for w := range 2 {
		writers.Go(func() {
			for round := range rounds {
				var held []*Node[int]
				for i := range size >> (round % 4) {
					held = append(held, x.Acquire("", fmt.Sprintf("d/w%d-%d/x", w, i)))
					if i%16 == 0 { // beside and above the stable ones, from both writers
						held = append(held,
							x.Acquire("", "d/#"), x.Acquire("", "+/#"),
							x.Acquire("", fmt.Sprintf("d/s%d", i%stable)),
							x.Acquire("", fmt.Sprintf("d/s%d/+", i%stable)))
					}
				}
				for _, n := range held {
					x.Release(n)
				}
			}
		})
	}
	for r := range 2 {
		readers.Go(func() {
			var dst []*Node[int]
			for i := r; !done.Load(); i++ {
				want := nodes[i%stable]
				dst = x.Match("", []byte(want.Filter()), dst[:0])
				for _, n := range []*Node[int]{want, every, all} {
					if c := count(dst, n); c != 1 {
						t.Errorf("%v was found %d times for %v", placeOf(n), c, placeOf(want))
						return
					}
				}
				for _, n := range dst {
					if !naiveMatch(n.Filter(), want.Filter()) {
						t.Errorf("%v was found for %v", placeOf(n), placeOf(want))
						return
					}
				}
				if x.Find("", want.Filter()) != want {
					t.Errorf("%v was not found", placeOf(want))
					return
				}
			}
		})
	}
	readers.Go(func() {
		for !done.Load() {
			visited := slices.Collect(x.All)
			for _, n := range nodes {
				if c := count(visited, n); c != 1 {
					t.Errorf("All visited %v %d times", placeOf(n), c)
					return
				}
			}
		}
	})
	writers.Wait()
	done.Store(true)
	readers.Wait()

	for _, n := range append(nodes, every, all) {
		x.Release(n)
	}
	if left, err := x.check(); left != 0 || err != nil || x.Len() != 0 {
		t.Errorf("%d nodes are left, Len is %d: %v", left, x.Len(), err)
	}
}

func count[T comparable](s []T, v T) (n int) {
	for _, e := range s {
		if e == v {
			n++
		}
	}
	return n
}

// TestTopicsConcurrent is the same for topics: wildcards must find every stable
// value exactly once while others come and go.
func TestTopicsConcurrent(t *testing.T) {
	t.Parallel()
	const stable = 100
	rounds, size := churn()
	topics := NewTopics[int]()
	for i := range stable {
		topics.Put("", fmt.Sprintf("d/s%d/x", i), i)
	}
	var writers, readers sync.WaitGroup
	var done atomic.Bool
	for w := range 2 {
		writers.Go(func() {
			for round := range rounds {
				n := size >> (round % 4)
				for i := range n {
					topics.Put("", fmt.Sprintf("d/w%d-%d/x", w, i), -1)
					topics.Put("", fmt.Sprintf("d/s%d", i%stable), -1) // from both writers
				}
				for i := range n {
					topics.Delete("", fmt.Sprintf("d/w%d-%d/x", w, i))
					topics.Delete("", fmt.Sprintf("d/s%d", i%stable))
				}
			}
		})
	}
	for _, filter := range []string{"d/+/x", "d/#", "#", "+/+/+"} {
		readers.Go(func() {
			for !done.Load() {
				seen := make([]int, stable)
				for _, v := range topics.Match("", filter, nil) {
					if v >= 0 {
						seen[v]++
					}
				}
				if i := slices.IndexFunc(seen, func(n int) bool { return n != 1 }); i >= 0 {
					t.Errorf("%q found value %d %d times", filter, i, seen[i])
					return
				}
				if v, ok := topics.Get("", "d/s7/x"); v != 7 || !ok {
					t.Errorf("Get returns %d, %v, want 7", v, ok)
					return
				}
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()

	for i := range stable {
		topics.Delete("", fmt.Sprintf("d/s%d/x", i))
		topics.Delete("", fmt.Sprintf("d/s%d", i))
	}
	if left, err := topics.check(); left != 0 || err != nil || topics.Len() != 0 {
		t.Errorf("%d nodes are left, Len is %d: %v", left, topics.Len(), err)
	}
}

// TestChildrenConcurrent looks for stable children while their table is resized all the time.
func TestChildrenConcurrent(t *testing.T) {
	t.Parallel()
	const stable = 64
	rounds := 1500
	if testing.Short() || raceEnabled {
		rounds = 200
	}
	child := func(i int) *Node[int] {
		level := fmt.Sprint(i)
		return &Node[int]{level: level, hash: hashName(level)}
	}
	var c children[int]
	nodes := make([]*Node[int], stable)
	for i := range nodes {
		nodes[i] = child(i)
		c.insert(nodes[i])
	}
	var readers sync.WaitGroup
	var done atomic.Bool
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				for _, n := range nodes {
					if found := c.find(n.hash, n.level); found != n {
						t.Errorf("found %p for %q, want %p", found, n.level, n)
						return
					}
				}
			}
		})
	}
	for range rounds {
		var others []*Node[int]
		for i := range 6 * stable {
			n := child(stable + i)
			others = append(others, n)
			c.insert(n)
		}
		for _, n := range others {
			c.remove(n)
		}
	}
	done.Store(true)
	readers.Wait()
	if err := c.check(); err != nil || c.count() != stable {
		t.Errorf("%d children, want %d: %v", c.count(), stable, err)
	}
}
