package trie

import (
	"slices"
	"strings"
	"testing"
	"unsafe"
)

func TestIndexMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		filter  string
		matches []string
		misses  []string
	}{
		{"sport/tennis/player1", []string{"sport/tennis/player1"},
			[]string{"sport/tennis", "sport/tennis/player1/ranking", "sport/tennis/player2", "sport/tennis/Player1"}},
		{"sport/tennis/player1/#",
			[]string{"sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/wimbledon"},
			[]string{"sport/tennis", "sport/tennis/player11"}},
		{"sport/#", []string{"sport", "sport/", "sport/tennis"}, []string{"sports", "Sport"}},
		{"#", []string{"a", "a/b/c", "/", "//", "/a"}, []string{"$SYS", "$SYS/broker", "$/a", "$"}},
		{"sport/tennis/+", []string{"sport/tennis/player1", "sport/tennis/"},
			[]string{"sport/tennis", "sport/tennis/player1/ranking"}},
		{"sport/+", []string{"sport/", "sport/a"}, []string{"sport", "sport/a/b"}},
		{"+", []string{"finance"}, []string{"/finance", "$SYS", "a/"}},
		{"+/+", []string{"/finance", "a/b", "/", "a/"}, []string{"finance", "$SYS/a", "a/b/c"}},
		{"/+", []string{"/finance", "/", "/$SYS"}, []string{"finance", "a/b"}},
		{"+/tennis/#", []string{"a/tennis", "/tennis", "a/tennis/b/c"}, []string{"$a/tennis", "tennis", "a/tenni"}},
		{"+/monitor/Clients", []string{"a/monitor/Clients"}, []string{"$SYS/monitor/Clients"}},
		{"$SYS/#", []string{"$SYS", "$SYS/", "$SYS/a/b"}, []string{"$SYSTEM", "SYS"}},
		{"$SYS/monitor/+", []string{"$SYS/monitor/Clients"}, []string{"$SYS/monitor"}},
		{"$SYS/+", []string{"$SYS/a"}, []string{"$SYS", "a/a"}},
		{"a/$b/#", []string{"a/$b", "a/$b/c"}, nil},
		{"a/+/c", []string{"a/$b/c", "a//c", "a/b/c"}, []string{"a/c", "a/b/c/d"}},
		{"/", []string{"/"}, []string{"a", "//", "a/", "/a"}},
		{"a//b", []string{"a//b"}, []string{"a/b", "a/c/b"}},
		{"+/+/#", []string{"a/b", "a/b/c/d", "/"}, []string{"a", "$a/b"}},
		{"$share/g/a", []string{"$share/g/a"}, []string{"a"}},
		{"käse/ /日本", []string{"käse/ /日本"}, []string{"Käse/ /日本", "käse//日本"}},
	}
	// Each filter alone, then among all the others.
	all := NewIndex[int]()
	for _, tt := range tests {
		all.Acquire("", tt.filter)
		all.Acquire("elsewhere", tt.filter)
	}
	for _, tt := range tests {
		alone := NewIndex[int]()
		alone.Acquire("", tt.filter)
		for _, topic := range tt.matches {
			if got := matched(alone, "", topic); !slices.Equal(got, []string{tt.filter}) {
				t.Errorf("%q matches %q, want %q", topic, got, tt.filter)
			}
			if got := matched(all, "", topic); !slices.Contains(got, tt.filter) {
				t.Errorf("%q among all matches %q, want also %q", topic, got, tt.filter)
			}
		}
		for _, topic := range tt.misses {
			if got := matched(alone, "", topic); len(got) > 0 {
				t.Errorf("%q matches %q", topic, got)
			}
			if got := matched(all, "", topic); slices.Contains(got, tt.filter) {
				t.Errorf("%q among all matches %q", topic, got)
			}
		}
	}
}

func TestIndexMountpoints(t *testing.T) {
	t.Parallel()
	x := NewIndex[int]()
	x.Acquire("", "a/+")
	x.Acquire("m", "a/#")
	x.Acquire("m", "#")
	x.Acquire("a", "b")
	for _, tt := range []struct {
		mountpoint, topic string
		want              []string
	}{
		{"", "a/b", []string{"a/+"}},
		{"m", "a/b", []string{"#", "a/#"}},
		{"a", "b", []string{"b"}},
		{"a", "a/b", []string{}},
		{"n", "a/b", []string{}},
	} {
		if got := matched(x, tt.mountpoint, tt.topic); !slices.Equal(got, tt.want) {
			t.Errorf("%q in %q matches %q, want %q", tt.topic, tt.mountpoint, got, tt.want)
		}
	}
}

func TestIndexHolders(t *testing.T) {
	t.Parallel()
	x := NewIndex[string]()
	n := x.Acquire("m", "a/b")
	n.Value = "kept"
	if again := x.Acquire("m", "a/b"); again != n {
		t.Fatal("a second Acquire made a second node")
	}
	if x.Find("m", "a") != nil || x.Find("m", "a/b") != n || x.Find("", "a/b") != nil {
		t.Error("Find does not tell what is held")
	}
	x.Release(n)
	if x.Find("m", "a/b") != n || x.Len() != 1 {
		t.Error("the first Release of two removed the node")
	}
	x.Release(n)
	if x.Find("m", "a/b") != nil || x.Len() != 0 {
		t.Error("the last Release did not remove the node")
	}
	fresh := x.Acquire("m", "a/b")
	if fresh == n || fresh.Value != "" {
		t.Error("Acquire brought a removed node back")
	}
	if n.Filter() != "a/b" || n.Mountpoint() != "m" {
		t.Error("a removed node forgot its filter")
	}
	defer func() {
		if recover() == nil {
			t.Error("one Release too many did not panic")
		}
	}()
	x.Release(n)
}

func TestIndexPrunes(t *testing.T) {
	t.Parallel()
	x := NewIndex[int]()
	filters := []string{"a", "a/b/c/d", "a/b/+/d", "a/#", "#", "+/x", "/", "//", "$SYS/#"}
	var nodes []*Node[int]
	for _, mountpoint := range []string{"", "m"} {
		for _, filter := range filters {
			nodes = append(nodes, x.Acquire(mountpoint, filter))
		}
	}
	for i, n := range nodes {
		x.Release(n)
		if _, err := x.check(); err != nil {
			t.Fatal(err)
		}
		if want := len(nodes) - i - 1; x.Len() != want {
			t.Fatalf("Len is %d, want %d", x.Len(), want)
		}
	}
	if left, _ := x.check(); left != 0 {
		t.Errorf("%d nodes are left", left)
	}
}

func TestIndexAllStops(t *testing.T) {
	t.Parallel()
	x := NewIndex[int]()
	for _, filter := range []string{"#", "+", "a", "a/b", "b"} {
		x.Acquire("", filter)
	}
	for want := range x.Len() {
		visited := 0
		for range x.All {
			visited++
			if visited > want {
				break
			}
		}
		if visited != want+1 {
			t.Errorf("visited %d nodes, want %d", visited, want+1)
		}
	}
}

func TestMatchAppends(t *testing.T) {
	t.Parallel()
	x := NewIndex[int]()
	a, b := x.Acquire("", "a"), x.Acquire("", "+")
	dst := x.Match("", []byte("a"), []*Node[int]{nil})
	if len(dst) != 3 || dst[0] != nil || !slices.Contains(dst, a) || !slices.Contains(dst, b) {
		t.Errorf("Match made %v of a slice with one element", dst)
	}
}

// TestAcquireCopies checks that nodes share no memory with the caller's filter, which one short level would keep alive.
func TestAcquireCopies(t *testing.T) {
	t.Parallel()
	x := NewIndex[int]()
	want := "level/" + strings.Repeat("x", maxCached+1)
	filter := []byte(want)
	n := x.Acquire("", unsafe.String(&filter[0], len(filter)))
	clear(filter)
	if n.Filter() != want {
		t.Errorf("filter is %q, want %q", n.Filter(), want)
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	x := NewIndex[int]()
	for _, filter := range []string{"#", "+/+/+", "a/+/c", "a/b/#", "a/b/c", "+/b/c", "a/+/#"} {
		x.Acquire("", filter)
		x.Acquire("m", filter)
	}
	topic, dst := []byte("a/b/c"), make([]*Node[int], 0, 16)
	if allocs := testing.AllocsPerRun(100, func() {
		dst = x.Match("", topic, dst[:0])
		dst = x.Match("m", topic, dst)
	}); allocs != 0 || len(dst) != 14 {
		t.Errorf("%v allocations and %d nodes, want 0 and 14", allocs, len(dst))
	}
}
