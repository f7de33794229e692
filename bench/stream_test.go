package bench

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestStream compares a stream with a plain set.
func TestStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s stream
		var set seen
		came, top := map[uint32]bool{}, -1
		for _, n := range rapid.SliceOf(rapid.Uint32Range(0, 200)).Draw(t, "numbers") {
			want := fresh
			switch {
			case came[n]:
				want = duplicate
			case int(n) < top:
				want = late
			}
			if got := s.take(n); got != want {
				t.Fatalf("%d is %v, want %v: %+v", n, got, want, s)
			}
			if set.add(n) != (want != duplicate) {
				t.Fatalf("the set is wrong about %d", n)
			}
			came[n], top = true, max(top, int(n))
		}
		if got := s.missing(201); got != uint64(201-len(came)) {
			t.Fatalf("%d missing, want %d", got, 201-len(came))
		}
	})
}

func TestStreamForgetsGaps(t *testing.T) {
	var s stream
	for n := uint32(1); n < 2*(maxGaps+10); n += 2 {
		s.take(n)
	}
	if got := s.missing(s.next); got != maxGaps+10 || len(s.gaps) > maxGaps {
		t.Errorf("%d missing, %d gaps", got, len(s.gaps))
	}
	if s.take(0) != duplicate {
		t.Error("a forgotten gap was filled")
	}
}

func TestStamp(t *testing.T) {
	b := make([]byte, stampSize)
	want := stamp{-7, 3, 1 << 31}
	want.put(b)
	if got := readStamp(b); got != want {
		t.Errorf("%+v", got)
	}
}

// TestDistinctAgain: what two workers both have counts as a duplicate once, in
// whatever step one looks.
func TestDistinctAgain(t *testing.T) {
	p := &pool{}
	defer p.close()
	if err := p.prepare(&plan{Load: testLoad(t, "shared", "127.0.0.1:1883", nil), Of: 1}); err != nil {
		t.Fatal(err)
	}
	both := func(n uint32) {
		for _, w := range p.workers {
			w.call(func() { w.seen[0].add(n) })
		}
	}
	for i, want := range []int64{1, 1, 2} {
		if i != 1 {
			both(uint32(i))
		}
		p.distinct()
		r, err := p.do(command{Op: opSnapshot})
		if c := r.Snapshot.Counters; err != nil || c.Duplicates != want || c.Delivered != -want {
			t.Errorf("look %d: %+v, %v", i, c, err)
		}
	}
}

// TestForgotten: what was due and will not be sent is due no more.
func TestForgotten(t *testing.T) {
	p := &pool{}
	defer p.close()
	if err := p.prepare(&plan{Load: testLoad(t, "pairs", "127.0.0.1:1883", nil), Of: 1}); err != nil {
		t.Fatal(err)
	}
	now := now()
	if _, err := p.do(command{Op: opPublish, Start: now - int64(time.Second), End: now, Rate: 100}); err != nil {
		t.Fatal(err)
	}
	due := func() int64 {
		r, err := p.do(command{Op: opSnapshot})
		if err != nil {
			t.Fatal(err)
		}
		return r.Snapshot.Counters.Due
	}
	for end := time.Now().Add(10 * time.Second); due() < 100 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	r, err := p.do(command{Op: opStop})
	if n := due(); err != nil || r.Unsent != 100 || n != 0 {
		t.Errorf("%d unsent, %d still due, %v", r.Unsent, n, err)
	}
}
