// Package hist is a histogram of durations with a bounded relative error, small
// enough to keep many and to send over a network.
package hist

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
)

const (
	subBits = 6            // 64 buckets per power of two: the error is below 1/64
	sub     = 1 << subBits // buckets of a power of two
	maxBits = 42           // 2^42 ns are 73 minutes; what is longer counts as that
	buckets = (maxBits - subBits + 1) * sub
	largest = 1<<maxBits - 1
)

// Histogram counts values, nanoseconds as a rule. The zero value is empty. It
// belongs to one goroutine.
type Histogram struct {
	count  uint64
	sum    float64
	max    int64
	counts [buckets]uint64
}

// bucket is the index of a value's bucket. Below 128 a bucket holds one value;
// from there on the 7 leading bits choose it.
func bucket(v int64) int {
	shift := bits.Len64(uint64(v)) - (subBits + 1)
	if shift < 0 {
		shift = 0
	}
	return shift<<subBits + int(v>>shift)
}

// upper is the largest value of a bucket.
func upper(i int) int64 {
	if i < 2*sub {
		return int64(i)
	}
	shift := i>>subBits - 1
	return int64(i-shift<<subBits+1)<<shift - 1
}

// Record counts a value. Negative ones, which clocks of two hosts may give,
// count as 0.
func (h *Histogram) Record(v int64) {
	v = min(max(v, 0), largest)
	h.counts[bucket(v)]++
	h.count++
	h.sum += float64(v)
	h.max = max(h.max, v)
}

// Merge adds the values of another one.
func (h *Histogram) Merge(o *Histogram) {
	if o.count == 0 {
		return
	}
	h.count += o.count
	h.sum += o.sum
	h.max = max(h.max, o.max)
	for i, n := range &o.counts {
		h.counts[i] += n
	}
}

// Reset empties the histogram.
func (h *Histogram) Reset() {
	if h.count > 0 {
		*h = Histogram{}
	}
}

// Count is the number of values.
func (h *Histogram) Count() uint64 { return h.count }

// Max is the largest value.
func (h *Histogram) Max() int64 { return h.max }

// Mean is the average of the values, 0 without any.
func (h *Histogram) Mean() float64 {
	if h.count == 0 {
		return 0
	}
	return h.sum / float64(h.count)
}

// Quantile is a value that the share q of all values does not exceed, at most
// 1/64 above the smallest such value.
func (h *Histogram) Quantile(q float64) int64 {
	rank := max(uint64(math.Ceil(q*float64(h.count))), 1)
	seen := uint64(0)
	for i, n := range &h.counts {
		if seen += n; n > 0 && seen >= rank {
			return min(upper(i), h.max)
		}
	}
	return h.max
}

// wire is a histogram in JSON: pairs of bucket and count.
type wire struct {
	Sum     float64     `json:"sum"`
	Max     int64       `json:"max"`
	Buckets [][2]uint64 `json:"buckets"`
}

// MarshalJSON writes the buckets that hold something.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	w := wire{Sum: h.sum, Max: h.max, Buckets: [][2]uint64{}}
	for i, n := range &h.counts {
		if n > 0 {
			w.Buckets = append(w.Buckets, [2]uint64{uint64(i), n})
		}
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*h = Histogram{sum: w.Sum, max: w.Max}
	for _, p := range w.Buckets {
		if p[0] >= buckets {
			return fmt.Errorf("cannot read a histogram: bucket %d of %d", p[0], buckets)
		}
		h.counts[p[0]] += p[1]
		h.count += p[1]
	}
	return nil
}
