package trie

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// value has the size of what the broker keeps per filter.
type value [3]*int

// deviceFilter is the i-th filter of the tree that the budgets speak of.
func deviceFilter(i int) string { return fmt.Sprintf("devices/%07d/status", i) }

// heapInUse returns the bytes of live heap.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// bytesPerFilter builds the tree of n filters and returns it with its size.
func bytesPerFilter(n int) (*Index[value], float64) {
	before := heapInUse()
	x := NewIndex[value]()
	for i := range n {
		x.Acquire("", deviceFilter(i))
	}
	return x, float64(heapInUse()-before) / float64(n)
}

// TestMemoryBudget holds the index to 320 B per distinct filter, and to giving them back.
func TestMemoryBudget(t *testing.T) {
	const budget = 320
	filters := 200_000
	if testing.Short() || raceEnabled {
		filters = 30_000
	}
	empty := heapInUse()
	x, size := bytesPerFilter(filters)
	t.Logf("%.0f B per filter at %d", size, filters)
	if size > budget {
		t.Errorf("%.0f B per filter, the budget is %d", size, budget)
	}
	for i := range filters {
		x.Release(x.Find("", deviceFilter(i)))
	}
	if left, err := x.check(); left != 0 || err != nil {
		t.Errorf("%d nodes are left: %v", left, err)
	}
	if left := int64(heapInUse()) - int64(empty); left > 1<<20 {
		t.Errorf("%d B are left of the empty index", left)
	}
	runtime.KeepAlive(x)
}

// TestMillionChildren gives one node a million children and takes them away again.
func TestMillionChildren(t *testing.T) {
	t.Parallel()
	children := 1_000_000
	if testing.Short() || raceEnabled {
		children = 50_000
	}
	x := NewIndex[struct{}]()
	every := x.Acquire("", "devices/+")
	nodes := make([]*Node[struct{}], children)
	topic := func(i int) string { return fmt.Sprintf("devices/%d", i) }
	for i := range nodes {
		nodes[i] = x.Acquire("", topic(i))
	}
	if x.Len() != children+1 {
		t.Fatalf("Len is %d, want %d", x.Len(), children+1)
	}
	var dst []*Node[struct{}]
	for i := 0; i < children; i += 7 {
		dst = x.Match("", []byte(topic(i)), dst[:0])
		if len(dst) != 2 || dst[0] != every || dst[1] != nodes[i] {
			t.Fatalf("%q matches %v", topic(i), places(dst))
		}
	}
	if _, err := x.check(); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		x.Release(n)
	}
	x.Release(every)
	if left, err := x.check(); left != 0 || err != nil {
		t.Errorf("%d nodes are left: %v", left, err)
	}
}

// TestDeepTopics uses the longest topics there are, of as many levels as fit.
func TestDeepTopics(t *testing.T) {
	t.Parallel()
	const longest = 65535
	slashes := strings.Repeat("/", longest)
	letters := strings.Repeat("a/", longest/2) + "a"
	singles := strings.Repeat("+/", longest/2) + "+"
	x := NewIndex[int]()
	filters := []string{
		slashes, letters, singles,
		slashes[:longest-1] + "#", letters[:longest-1] + "#", singles[:longest-1] + "#",
		"a/" + singles[2:], singles[2:] + "/a", "#",
	}
	var nodes []*Node[int]
	for _, filter := range filters {
		n := x.Acquire("", filter)
		if n.Filter() != filter {
			t.Fatalf("a filter of %d bytes comes back with %d", len(filter), len(n.Filter()))
		}
		nodes = append(nodes, n)
	}
	for _, tt := range []struct {
		topic string
		want  int
	}{
		{slashes, 4},             // itself, its '#', the '#' after half as many '+', "#"
		{letters, 7},             // itself, '+', both '#', "a/+…", "+…/a", "#"
		{letters[:longest-2], 3}, // both '#' match their parent too, "#"
		{letters[:longest-4], 1},
	} {
		if got := x.Match("", []byte(tt.topic), nil); len(got) != tt.want {
			t.Errorf("a topic of %d bytes matches %d filters, want %d", len(tt.topic), len(got), tt.want)
		}
	}
	topics := NewTopics[int]()
	topics.Put("", slashes, 1)
	topics.Put("", letters, 2)
	for _, filter := range filters {
		want := 0
		for _, topic := range []string{slashes, letters} {
			if naiveMatch(filter, topic) {
				want++
			}
		}
		if got := topics.Match("", filter, nil); len(got) != want {
			t.Errorf("a filter of %d bytes matches %v, want %d values", len(filter), got, want)
		}
	}
	for _, n := range nodes {
		x.Release(n)
	}
	if left, err := x.check(); left != 0 || err != nil {
		t.Errorf("%d nodes are left: %v", left, err)
	}
}

// TestManyWildcards matches against every way to put '+' into one topic. Each
// branch is entered once, so a dead end after all of them costs no more than the branches.
func TestManyWildcards(t *testing.T) {
	t.Parallel()
	const depth = 12
	x := NewIndex[int]()
	for set := range 1 << depth {
		levels := make([]string, depth)
		for i := range levels {
			levels[i] = "a"
			if set>>i&1 == 1 {
				levels[i] = "+"
			}
		}
		x.Acquire("", strings.Join(levels, "/"))
	}
	topic := strings.Repeat("a/", depth-1) + "a"
	if got := x.Match("", []byte(topic), nil); len(got) != 1<<depth {
		t.Errorf("%d filters match, want %d", len(got), 1<<depth)
	}
	topic += strings.Repeat("/a", 20_000)
	if got := x.Match("", []byte(topic), nil); len(got) != 0 {
		t.Errorf("%d filters match a deeper topic, want none", len(got))
	}
}
