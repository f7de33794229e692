package trie

import (
	"hash/maphash"
	"sync/atomic"
	"unsafe"
)

// Node is one level of a trie. A node that is held stands for the whole filter
// from its mountpoint down to itself; one that is not held is only on the way to others.
type Node[V any] struct {
	// Immutable once the node is linked.
	level  string
	parent *Node[V] // nil in a mountpoint's node, whose level is the mountpoint
	hash   uint32   // hashLevel(level)

	holders  atomic.Uint32           // changed under the shard's mutex
	next     atomic.Pointer[Node[V]] // sibling in order of hash; changed under the shard's mutex
	children children[V]             // changed under the shard's mutex

	// Value belongs to the caller, as does its synchronisation. It begins as the zero V.
	Value V
}

// Hashes of the wildcard levels. No other level has them, so the wildcards
// come first, in this order, among their siblings.
const (
	hashMulti  uint32 = iota // "#"
	hashSingle               // "+"
	hashNames                // the least hash of any other level
)

// seed keeps clients from choosing levels that collide.
var seed = maphash.MakeSeed()

// hashLevel is the hash of a level of a filter.
func hashLevel(level string) uint32 {
	switch level {
	case "#":
		return hashMulti
	case "+":
		return hashSingle
	}
	return hashName(level)
}

// hashName is the hash of a level of a topic name, or of a mountpoint, where no byte is a wildcard.
func hashName(level string) uint32 { return siblingHash(hash64(level)) }

// hash64 is what all hashes are taken from. Siblings are sorted by its upper
// half, shards are chosen by bits of its lower half.
func hash64(level string) uint64 {
	if level == "" {
		return 0 // the usual mountpoint
	}
	return maphash.String(seed, level)
}

func siblingHash(h uint64) uint32 { return max(hashNames, uint32(h>>32)) }

// shardHash is the number of a shard from the hashes of its mountpoint and first level.
func shardHash(mountpoint, first uint64) int { return int((first ^ mountpoint>>16) % shardCount) }

// Filter returns the topic filter (or name) that the node stands for, without
// its mountpoint. It is put together anew at each call.
func (n *Node[V]) Filter() string {
	size := -1 // one separator less than levels
	for m := n; m.parent != nil; m = m.parent {
		size += len(m.level) + 1
	}
	if size <= 0 {
		return ""
	}
	filter := make([]byte, size)
	end := size - copy(filter[size-len(n.level):], n.level)
	for m := n.parent; m.parent != nil; m = m.parent {
		end--
		filter[end] = '/'
		end -= copy(filter[end-len(m.level):], m.level)
	}
	return unsafe.String(&filter[0], size)
}

// Mountpoint returns the mountpoint of the node's filter.
func (n *Node[V]) Mountpoint() string {
	for n.parent != nil {
		n = n.parent
	}
	return n.level
}

// held reports whether the node stands for a filter and not only for a branch.
func (n *Node[V]) held() bool { return n.holders.Load() > 0 }

// walk visits the held nodes from n downwards. It returns false once yield does.
func (n *Node[V]) walk(yield func(*Node[V]) bool) bool {
	top := n
	for {
		if n.held() && !yield(n) {
			return false
		}
		below := n.children.first.Load()
		for below == nil {
			if n == top {
				return true
			}
			below, n = n.next.Load(), n.parent
		}
		n = below
	}
}
