package hist

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var values = rapid.SliceOfN(rapid.OneOf(rapid.Int64Range(0, 300), rapid.Int64Range(0, largest)), 1, 200)

func of(vs []int64) *Histogram {
	h := new(Histogram)
	for _, v := range vs {
		h.Record(v)
	}
	return h
}

// TestQuantileAgainstSorting: a quantile is never below the value that sorting
// finds, and at most 1/64 above it.
func TestQuantileAgainstSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vs := values.Draw(t, "values")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		h := of(vs)
		slices.Sort(vs)
		want := vs[max(int(math.Ceil(q*float64(len(vs)))), 1)-1]
		if got := h.Quantile(q); got < want || got > want+want/sub {
			t.Fatalf("quantile %v: %d, sorting says %d", q, got, want)
		}
		if h.Count() != uint64(len(vs)) || h.Max() != vs[len(vs)-1] {
			t.Fatalf("count %d, max %d", h.Count(), h.Max())
		}
	})
}

// TestMerge: a merged histogram is that of all values.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := values.Draw(t, "a"), values.Draw(t, "b")
		h := of(a)
		h.Merge(of(b))
		want := of(append(a, b...))
		if h.counts != want.counts || h.count != want.count || h.max != want.max || math.Abs(h.sum-want.sum) > want.sum/1e9 {
			t.Fatal("a merged histogram differs")
		}
	})
}

func TestJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := of(values.Draw(t, "values"))
		b, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		got := new(Histogram)
		if err := json.Unmarshal(b, got); err != nil || *got != *h {
			t.Fatalf("%v: %s", err, b)
		}
	})
	if err := new(Histogram).UnmarshalJSON([]byte(`{"buckets":[[99999,1]]}`)); err == nil {
		t.Error("a bucket that does not exist is taken")
	}
}

func TestBuckets(t *testing.T) {
	for i := range buckets {
		if got := bucket(upper(i)); got != i {
			t.Fatalf("the upper end of bucket %d lies in %d", i, got)
		}
		if i+1 < buckets && bucket(upper(i)+1) != i+1 {
			t.Fatalf("bucket %d does not begin where %d ends", i+1, i)
		}
	}
	h := of([]int64{-5, math.MaxInt64})
	if h.Quantile(0.1) != 0 || h.Max() != largest {
		t.Errorf("%d, %d", h.Quantile(0.1), h.Max())
	}
	if new(Histogram).Quantile(0.5) != 0 || new(Histogram).Mean() != 0 {
		t.Error("an empty histogram has values")
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	h := new(Histogram)
	if n := testing.AllocsPerRun(1000, func() { h.Record(12345) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
