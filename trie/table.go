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
// A table of another size takes over from the one before it step by step, a
// few starts with each write, so that no writer has a million starts to fill.
// Until then the buckets from moved onwards are looked up, and changed, in the
// old table:
//
//	new   [0] [1] [2] [3] [4] [5] [6] [7]      moved = 4
//	       └───┴─┬─┴───┘   ┊   ┊   ┊   ┊
//	old   [0]   [1]       [2]  ┘  [3]  ┘
//
// Starts of the old table that have moved change no more. A late reader may
// still search from one, even if its node has been removed meanwhile: that node
// leads to all that came after it in the list when it was removed.
//
// Readers call start. Everything else is for a writer that has the shard's mutex.
type table[V any] struct {
	starts []atomic.Pointer[Node[V]] // a power of two of them
	shift  uint8                     // bucket of a hash: hash >> shift
	count  int                       // children in the list; for writers

	old   atomic.Pointer[table[V]] // nil once all starts have moved
	moved atomic.Uint32            // starts filled; a whole number of old buckets, if old is not nil
}

const (
	minStarts = 8 // starts in the smallest table

	// movesPerWrite is the number of starts that move with a write. With four
	// the move is over before the table can grow (after at least half as many
	// writes as it has starts) or shrink again (after at least a quarter).
	movesPerWrite = 4
)

// newTable makes the table of a list of count nodes.
func newTable[V any](first *Node[V], count int) *table[V] {
	list := &table[V]{starts: make([]atomic.Pointer[Node[V]], 1), shift: 32, count: count}
	list.starts[0].Store(first)
	t := list.resized(max(minStarts, 1<<bits.Len(uint(count))))
	t.finish()
	return t
}

// resized returns a table of another size, that begins to take over from t.
func (t *table[V]) resized(size int) *table[V] {
	t.finish()
	next := &table[V]{
		starts: make([]atomic.Pointer[Node[V]], size),
		shift:  uint8(32 - bits.TrailingZeros(uint(size))),
		count:  t.count,
	}
	next.old.Store(t)
	return next
}

func (t *table[V]) bucket(hash uint32) int { return int(hash >> t.shift) }

// start returns a node from which the list leads to every node with that hash,
// nil if there is none.
func (t *table[V]) start(hash uint32) *Node[V] {
	b := t.bucket(hash)
	if old := t.old.Load(); old != nil && b >= int(t.moved.Load()) {
		return old.starts[old.bucket(hash)].Load()
	}
	return t.starts[b].Load()
}

// backwards visits the starts in use, from that of a hash down to the first.
func (t *table[V]) backwards(hash uint32) func(yield func(start *atomic.Pointer[Node[V]]) bool) {
	return func(yield func(*atomic.Pointer[Node[V]]) bool) {
		b := t.bucket(hash)
		if old := t.old.Load(); old != nil {
			moved := int(t.moved.Load())
			for o := old.bucket(hash); b >= moved && o >= old.bucket(t.lowest(moved)); o-- {
				if !yield(&old.starts[o]) {
					return
				}
			}
			b = min(b, moved-1)
		}
		for ; b >= 0; b-- {
			if !yield(&t.starts[b]) {
				return
			}
		}
	}
}

// lowest returns the lowest hash of a bucket.
func (t *table[V]) lowest(bucket int) uint32 { return uint32(bucket) << t.shift }

// before returns a node close before the place of a hash, nil if there is none before it.
func (t *table[V]) before(hash uint32) *Node[V] {
	for start := range t.backwards(hash) {
		if n := start.Load(); n != nil && n.hash < hash {
			return n
		}
	}
	return nil
}

// redirect makes the start of a hash's bucket, and those of the empty buckets
// before it, lead to another node, if they led to from.
func (t *table[V]) redirect(hash uint32, from, to *Node[V]) {
	for start := range t.backwards(hash) {
		if start.Load() != from {
			return
		}
		start.Store(to)
	}
}

// inserted notes that n was linked before next.
func (t *table[V]) inserted(n, next *Node[V]) {
	t.count++
	t.redirect(n.hash, next, n)
	t.move()
}

// removed notes that n, which had led to next, was unlinked.
func (t *table[V]) removed(n, next *Node[V]) {
	t.count--
	t.redirect(n.hash, n, next)
	t.move()
}

// move moves a few starts from the old table, if there is one.
func (t *table[V]) move() {
	old := t.old.Load()
	if old == nil {
		return
	}
	moved := int(t.moved.Load())
	end := moved + movesPerWrite
	for b := moved; b < end; b++ {
		n := old.starts[old.bucket(t.lowest(b))].Load()
		for n != nil && t.bucket(n.hash) < b {
			n = n.next.Load()
		}
		t.starts[b].Store(n)
	}
	t.moved.Store(uint32(end))
	if end == len(t.starts) {
		t.old.Store(nil)
	}
}

// finish moves all that is left in the old table.
func (t *table[V]) finish() {
	for t.old.Load() != nil {
		t.move()
	}
}
