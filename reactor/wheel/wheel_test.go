package wheel

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestWheel compares the wheel with a map under random operations, of which
// some happen while timers fire.
func TestWheel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := rapid.SampledFrom([]uint32{0, 5, 4095, 1 << 20}).Draw(t, "start")
		w := New(now)
		want := map[uint32]uint32{}
		set := func(id, at uint32) {
			w.Set(id, at)
			want[id] = max(at, now+1)
		}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			id := uint32(rapid.IntRange(0, 40).Draw(t, "id"))
			switch rapid.IntRange(0, 3).Draw(t, "op") {
			case 0, 1:
				set(id, now+uint32(rapid.SampledFrom([]int{0, 1, 2, 3, 60, 4095, 4096, 4097, 20000}).Draw(t, "in")))
			case 2:
				w.Cancel(id)
				delete(want, id)
			default:
				now += uint32(rapid.SampledFrom([]int{0, 1, 1, 1, 2, 59, 4096, 9000}).Draw(t, "pass"))
				again := rapid.IntRange(0, 40).Draw(t, "again")
				var fired, due []uint32
				for id, at := range want {
					if at <= now {
						due = append(due, id)
					}
				}
				w.Advance(now, func(id uint32) {
					fired = append(fired, id)
					if _, armed := w.Deadline(id); armed {
						t.Fatalf("timer %d is armed while it fires", id)
					}
					if id == uint32(again) {
						w.Set(id, now+7)
					}
				})
				for _, id := range due {
					delete(want, id)
					if id == uint32(again) {
						want[id] = now + 7
					}
				}
				slices.Sort(fired)
				slices.Sort(due)
				if !slices.Equal(fired, due) {
					t.Fatalf("at %d fired %v, due were %v", now, fired, due)
				}
			}
			for id := range uint32(41) {
				at, armed := w.Deadline(id)
				if wantAt, wantArmed := want[id]; at != wantAt || armed != wantArmed {
					t.Fatalf("timer %d: %d %v, want %d %v", id, at, armed, wantAt, wantArmed)
				}
			}
		}
	})
}

// TestCancelWhileWalking cancels the timers that Advance would visit next.
func TestCancelWhileWalking(t *testing.T) {
	w := New(0)
	for id := range uint32(10) {
		w.Set(id, 5)
	}
	n := 0
	w.Advance(5, func(uint32) {
		n++
		for id := range uint32(10) {
			w.Cancel(id)
		}
	})
	if n != 1 {
		t.Errorf("%d timers fired, want 1", n)
	}
}

// TestPanic has timers fire although an earlier one has panicked, which the
// caller contains.
func TestPanic(t *testing.T) {
	for _, now := range []uint32{5, 7, 9000} {
		w := New(0)
		for id := range uint32(10) {
			w.Set(id, 5+id%3) // those of 7 are not due at 5
		}
		fired := map[uint32]bool{}
		advance := func(now uint32) {
			defer func() { _ = recover() }()
			w.Advance(now, func(id uint32) {
				fired[id] = true
				if id == 6 || id == 7 {
					panic("timer")
				}
			})
		}
		for i := range uint32(4) {
			advance(now + i)
		}
		if len(fired) != 10 {
			t.Errorf("at %d: %d timers have fired, want 10", now, len(fired))
		}
	}
}

// BenchmarkTick lets a second pass with a million keep-alives armed.
func BenchmarkTick(b *testing.B) {
	const n = 1_000_000
	w := New(0)
	for id := range uint32(n) {
		w.Set(id, 1000+id%86400)
	}
	now := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		now++
		w.Advance(now, func(id uint32) { w.Set(id, now+90) })
	}
}

func BenchmarkSet(b *testing.B) {
	w := New(0)
	b.ReportAllocs()
	i := uint32(0)
	for b.Loop() {
		i++
		w.Set(i%100000, i%50000)
	}
}
