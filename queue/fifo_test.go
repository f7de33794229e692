package queue

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestFIFO compares the ring with a slice under random operations.
func TestFIFO(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f FIFO
		var want []uint32
		next := uint32(0)
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
			case op < 5:
				next++
				f.Push(Entry{SubscriptionID: next})
				want = append(want, next)
			case op < 6:
				next++
				f.PushFront(Entry{SubscriptionID: next})
				want = slices.Insert(want, 0, next)
			case len(want) == 0:
			default:
				if got := f.Front().SubscriptionID; got != want[0] {
					t.Fatalf("front %d, want %d", got, want[0])
				}
				if got := f.Pop().SubscriptionID; got != want[0] {
					t.Fatalf("pop %d, want %d", got, want[0])
				}
				want = want[1:]
			}
			if f.Len() != len(want) {
				t.Fatalf("length %d, want %d", f.Len(), len(want))
			}
		}
	})
}

func TestFIFOGivesMemoryBack(t *testing.T) {
	var f FIFO
	for range 100000 {
		f.Push(Entry{})
	}
	for f.Len() > 0 {
		f.Pop()
	}
	if cap(f.ring) != 0 {
		t.Errorf("an empty queue keeps a ring of %d entries", cap(f.ring))
	}
}

func TestClearReleases(t *testing.T) {
	m := NewMessage([]byte("t"), nil, []byte("p"))
	var f FIFO
	for range 10 {
		f.Push(Entry{Msg: m.Hold()})
	}
	if n := f.Clear(); n != 10 || f.Len() != 0 || m.refs.Load() != 1 {
		t.Errorf("cleared %d, left %d, holders %d", n, f.Len(), m.refs.Load())
	}
}
