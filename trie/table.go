package trie

import (
	"math/bits"
	"sync/atomic"
)

// table is a set of entry points into a sorted list of children.
//
// The list is cut into buckets by the leading bits of the hash. starts[b] is
// the first node of bucket b, or, if b is empty, of the next bucket that is
// not; nil if there is none:
//
//	starts   [0]    [1]    [2]    [3]
//	          │      └──┐   │      └─ nil
//	          ▼         ▼   ▼
//	list     00… ─▶ 00… ─▶ 10… ─▶ 10…
//
// Doubling the table makes buckets 2b and 2b+1 of bucket b. For 2b the start
// of b is right. For 2b+1 it is early, as it may lie in 2b, but as good a point
// to search from. So the new table starts as a plain copy, read from at once, and writers
// settle the odd buckets a few at a time: a writer that comes upon a million
// children has no million nodes to visit.
//
// Readers call start. Everything else is for a writer that has the shard's mutex.
type table[V any] struct {
	starts []atomic.Pointer[Node[V]] // a power of two of them
	shift  uint8                     // bucket of a hash: hash >> shift

	count   int // children in the list
	settled int // every odd bucket below this one is settled
}

const (
	minStarts      = 8 // starts in the smallest table
	settlePerWrite = 2 // odd buckets; one would be enough to be done when the table doubles again
)

// newTable makes the table of a list of count nodes.
func newTable[V any](first *Node[V], count int) *table[V] {
	size := max(minStarts, 1<<bits.Len(uint(count)))
	t := makeTable[V](size, count)
	t.settled = size
	n := first
	for b := range t.starts {
		for n != nil && t.bucket(n.hash) < b {
			n = n.next.Load()
		}
		t.starts[b].Store(n)
	}
	return t
}

func makeTable[V any](size, count int) *table[V] {
	return &table[V]{
		starts: make([]atomic.Pointer[Node[V]], size),
		shift:  uint8(32 - bits.TrailingZeros(uint(size))),
		count:  count,
	}
}

func (t *table[V]) bucket(hash uint32) int { return int(hash >> t.shift) }

// start returns a node from which the list leads to every node with that hash, nil if there is none.
func (t *table[V]) start(hash uint32) *Node[V] { return t.starts[t.bucket(hash)].Load() }

// before returns a node close before the place of a hash, nil if there is none before it.
func (t *table[V]) before(hash uint32) *Node[V] {
	for b := t.bucket(hash); b >= 0; b-- {
		if n := t.starts[b].Load(); n != nil && n.hash < hash {
			return n
		}
	}
	return nil
}

// inserted notes that n was linked before next. The bucket of n is settled.
func (t *table[V]) inserted(n, next *Node[V]) {
	t.count++
	t.redirect(n.hash, next, n)
}

// removed notes that n, which had led to next, was unlinked. The bucket of n is settled.
func (t *table[V]) removed(n, next *Node[V]) {
	t.count--
	t.redirect(n.hash, n, next)
}

// redirect changes the start of a hash's bucket, and of the empty buckets before it, from one node to another.
func (t *table[V]) redirect(hash uint32, from, to *Node[V]) {
	for b := t.bucket(hash); b >= 0 && t.starts[b].Load() == from; b-- {
		t.starts[b].Store(to)
	}
}

// settleAt settles the bucket of a hash and its twin, and a few that are due.
func (t *table[V]) settleAt(hash uint32) {
	if t.settled >= len(t.starts) {
		return
	}
	t.settle(t.bucket(hash) | 1)
	t.settleUpTo(t.settled + 2*settlePerWrite)
}

func (t *table[V]) settleUpTo(end int) {
	end = min(end, len(t.starts))
	for ; t.settled < end; t.settled += 2 {
		t.settle(t.settled | 1)
	}
}

// settle moves the start of an odd bucket past the nodes of its even twin.
func (t *table[V]) settle(odd int) {
	n := t.starts[odd-1].Load()
	if n != t.starts[odd].Load() {
		return // is settled
	}
	for n != nil && t.bucket(n.hash) < odd {
		n = n.next.Load()
	}
	t.starts[odd].Store(n)
}

// grown returns a table twice as large.
func (t *table[V]) grown() *table[V] {
	t.settleUpTo(len(t.starts))
	big := makeTable[V](2*len(t.starts), t.count)
	for b := range t.starts {
		n := t.starts[b].Load()
		big.starts[2*b].Store(n)
		big.starts[2*b+1].Store(n)
	}
	return big
}

// shrunk returns a table half as large.
func (t *table[V]) shrunk() *table[V] {
	t.settleUpTo(len(t.starts))
	small := makeTable[V](len(t.starts)/2, t.count)
	small.settled = len(small.starts)
	for b := range small.starts {
		small.starts[b].Store(t.starts[2*b].Load())
	}
	return small
}
