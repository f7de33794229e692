package metrics

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// buckets is the number of buckets of a Histogram: bucket i counts values up
// to 2^i, the last one all others.
const buckets = 26

// Histogram counts values by their size. Any goroutine may observe, but a
// histogram of a loop has only that one, so that nobody waits. Times are in
// microseconds.
type Histogram struct {
	counts [buckets]atomic.Uint64
	sum    atomic.Uint64
}

// Observe counts a value.
func (h *Histogram) Observe(v uint64) {
	h.counts[bucketOf(v)].Add(1)
	h.sum.Add(v)
}

func bucketOf(v uint64) int {
	if v == 0 {
		return 0
	}
	return min(bits.Len64(v-1), buckets-1)
}

// Distribution is what a histogram has counted.
type Distribution struct {
	Bounds []uint64 // upper bounds of the buckets but the last, which has none
	Counts []uint64 // of each bucket; one more than Bounds
	Sum    uint64
}

// Count is the number of values.
func (d *Distribution) Count() (n uint64) {
	for _, c := range d.Counts {
		n += c
	}
	return n
}

// Quantile is an upper bound of the value below which a part q of all lies: at
// most twice that value. 0 when nothing was counted.
func (d *Distribution) Quantile(q float64) uint64 {
	rank, seen := uint64(math.Ceil(q*float64(d.Count()))), uint64(0)
	for i, c := range d.Counts {
		if seen += c; c > 0 && seen >= max(rank, 1) {
			if i < len(d.Bounds) {
				return d.Bounds[i]
			}
			return 2 * d.Bounds[len(d.Bounds)-1]
		}
	}
	return 0
}

var powers = func() (b []uint64) {
	for i := range buckets - 1 {
		b = append(b, 1<<i)
	}
	return b
}()

// collect adds up histograms.
func collect(hs []*Histogram) *Distribution {
	d := &Distribution{Bounds: powers, Counts: make([]uint64, buckets)}
	for _, h := range hs {
		for i := range h.counts {
			d.Counts[i] += h.counts[i].Load()
		}
		d.Sum += h.sum.Load()
	}
	return d
}
