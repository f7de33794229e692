package queue

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// naive is the window as one would write it without thought for cost.
type naive struct {
	list []Flight
	last uint16
}

func (n *naive) find(id uint16) int {
	return slices.IndexFunc(n.list, func(f Flight) bool { return f.ID == id })
}

func (n *naive) add(e Entry, s State, now uint32) uint16 {
	for {
		if n.last++; n.last == 0 {
			n.last = 1
		}
		if n.find(n.last) < 0 {
			break
		}
	}
	n.list = append(n.list, Flight{Entry: e, ID: n.last, State: s, Sent: now})
	return n.last
}

// TestInflight compares the window with the naive one: identifiers, order,
// what is found, with acknowledgements in any order and identifiers that wrap.
func TestInflight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f Inflight
		var n naive
		n.last = uint16(rapid.SampledFrom([]int{0, 1, 65000, 65530, 65535}).Draw(t, "last"))
		f.Continue(n.last)
		window := rapid.SampledFrom([]int{1, 3, 20, 300}).Draw(t, "window")
		late := rapid.IntRange(0, 3).Draw(t, "late") // how often the first stays unacknowledged
		for i := range rapid.IntRange(1, 1500).Draw(t, "steps") {
			if len(n.list) < window && rapid.IntRange(0, 2).Draw(t, "op") > 0 {
				e := Entry{SubscriptionID: uint32(i)}
				if got, want := f.Add(e, AwaitPuback, uint32(i)), n.add(e, AwaitPuback, uint32(i)); got != want {
					t.Fatalf("identifier %d, want %d", got, want)
				}
			} else if len(n.list) > 0 {
				lowest := 0
				if late > 0 && len(n.list) > 1 {
					lowest = 1
				}
				k := rapid.IntRange(lowest, min(len(n.list)-1, lowest+3)).Draw(t, "which")
				want := n.list[k]
				got, ok := f.Remove(want.ID)
				if !ok || got != want {
					t.Fatalf("removed %+v %v, want %+v", got, ok, want)
				}
				n.list = slices.Delete(n.list, k, k+1)
				if _, ok := f.Remove(want.ID); ok {
					t.Fatalf("identifier %d removed twice", want.ID)
				}
			}
			compare(t, &f, &n)
		}
	})
}

func compare(t *rapid.T, f *Inflight, n *naive) {
	if f.Len() != len(n.list) {
		t.Fatalf("length %d, want %d", f.Len(), len(n.list))
	}
	i := 0
	for x := range f.All {
		if i >= len(n.list) || *x != n.list[i] {
			t.Fatalf("place %d: %+v, want %+v", i, *x, n.list)
		}
		if f.Find(x.ID) != x {
			t.Fatalf("identifier %d is not found where it is", x.ID)
		}
		i++
	}
	if f.Find(0) != nil {
		t.Fatal("identifier 0 found")
	}
}

// TestInflightLaggard lets one message stay unacknowledged while all
// identifiers pass several times: its identifier is never handed out again
// and the window stays small.
func TestInflightLaggard(t *testing.T) {
	var f Inflight
	stuck := []uint16{f.Add(Entry{SubscriptionID: 1}, AwaitPuback, 0), f.Add(Entry{SubscriptionID: 2}, AwaitPubrec, 0)}
	for range 200000 {
		id := f.Add(Entry{}, AwaitPuback, 0)
		if slices.Contains(stuck, id) || id == 0 {
			t.Fatalf("identifier %d handed out while in use", id)
		}
		if _, ok := f.Remove(id); !ok {
			t.Fatalf("identifier %d lost", id)
		}
	}
	if len(f.ring) > inflightSpan {
		t.Errorf("the ring has grown to %d", len(f.ring))
	}
	for i, id := range stuck {
		if x := f.Find(id); x == nil || x.SubscriptionID != uint32(i+1) {
			t.Errorf("identifier %d: %+v", id, x)
		}
	}
	if f.Clear() != 2 || f.Len() != 0 {
		t.Error("not empty after Clear")
	}
}

// TestInflightWhole fills the window with every identifier there is but one.
func TestInflightWhole(t *testing.T) {
	var f Inflight
	seen := make([]bool, 65536)
	for range 65534 {
		id := f.Add(Entry{}, AwaitPuback, 0)
		if id == 0 || seen[id] {
			t.Fatalf("identifier %d", id)
		}
		seen[id] = true
	}
	for i := 2; i < 65535; i += 2 {
		id := uint16(i)
		if _, ok := f.Remove(id); !ok {
			t.Fatalf("identifier %d lost", id)
		}
		seen[id] = false
	}
	for range 20000 {
		id := f.Add(Entry{}, AwaitPuback, 0)
		if id == 0 || seen[id] {
			t.Fatalf("identifier %d handed out twice", id)
		}
		seen[id] = true
	}
}

// TestInflightStrays leaves every other message unacknowledged, as many as
// there may be: what is left is found, in its order, and costs no search
// through all of it.
func TestInflightStrays(t *testing.T) {
	var f Inflight
	var want []uint16
	start := time.Now()
	for i := 0; len(want) < 30000; i++ {
		id := f.Add(Entry{SubscriptionID: uint32(i)}, AwaitPuback, 0)
		if i%2 == 0 {
			want = append(want, id)
		} else if _, ok := f.Remove(id); !ok {
			t.Fatalf("identifier %d lost", id)
		}
	}
	for range 100000 { // goes round: identifiers in use are left out
		id := f.Add(Entry{}, AwaitPuback, 0)
		f.Remove(id)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
	i := 0
	for x := range f.All {
		if x.ID != want[i] {
			t.Fatalf("place %d: identifier %d, want %d", i, x.ID, want[i])
		}
		i++
	}
	rand.Shuffle(len(want), func(i, j int) { want[i], want[j] = want[j], want[i] })
	for _, id := range want {
		if x := f.Find(id); x == nil || x.ID != id {
			t.Fatalf("identifier %d is not found", id)
		}
		f.Remove(id)
	}
	if f.Len() != 0 || f.strays != nil {
		t.Errorf("%d left", f.Len())
	}
}

func TestIDSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s IDSet
		want := map[uint16]bool{}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			id := uint16(rapid.IntRange(1, 60).Draw(t, "id") * 1092)
			if rapid.Bool().Draw(t, "add") {
				if s.Add(id) == want[id] {
					t.Fatalf("add %d", id)
				}
				want[id] = true
			} else {
				if s.Remove(id) != want[id] {
					t.Fatalf("remove %d", id)
				}
				delete(want, id)
			}
			s.Compact()
			n := 0
			for x := range s.All {
				if !want[x] || !s.Has(x) {
					t.Fatalf("%d should not be there", x)
				}
				n++
			}
			if n != len(want) || s.Len() != n {
				t.Fatalf("%d members, length %d, want %d", n, s.Len(), len(want))
			}
		}
	})
}

func BenchmarkInflight(b *testing.B) {
	b.ReportAllocs()
	var f Inflight
	for range 20 {
		f.Add(Entry{}, AwaitPuback, 0)
	}
	first := uint16(1)
	for b.Loop() {
		f.Remove(first)
		first = nextID(first)
		f.Add(Entry{}, AwaitPuback, 0)
	}
}

// TestInflightSkipped has identifiers come round to those of many old messages
// while the ring is empty: those that are skipped are not taken for messages.
func TestInflightSkipped(t *testing.T) {
	var f Inflight
	const old, left = 3000, 100
	for id := uint16(1); id <= old; id++ {
		f.Restore(Flight{ID: id, State: AwaitPubcomp})
	}
	f.Continue(65535)
	if id := f.Add(Entry{}, AwaitPuback, 0); id != old+1 {
		t.Fatalf("identifier %d, want %d", id, old+1)
	}
	for id := uint16(1); id <= old-left; id++ {
		f.Remove(id)
	}
	for range 1500 {
		f.Add(Entry{}, AwaitPuback, 0)
	}
	if x := f.Find(1); x != nil {
		t.Errorf("found %+v", *x)
	}
	if n := f.Len(); n != 1501+left {
		t.Errorf("%d messages, want %d", n, 1501+left)
	}
	f.Remove(1) // nothing is there
	if n := f.Len(); n != 1501+left {
		t.Errorf("%d messages after the removal of none, want %d", n, 1501+left)
	}
}
