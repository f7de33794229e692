package trie

import (
	"strings"
	"sync"
	"sync/atomic"
)

// shardCount is the number of shards for filters with a first level of their own. A power of two.
const shardCount = 128

// shard is the part of an index that one mutex guards. Its trees hang under
// the nodes of their mountpoints.
type shard[V any] struct {
	mounts children[V]  // the mountpoints' nodes; changed under mu, read by anyone
	held   atomic.Int64 // nodes that are held; changed under mu

	mu     sync.Mutex
	levels levelCache // under mu

	_ [64]byte // keeps the next shard off this cache line
}

// shardOf returns the number of the shard of a topic, or of a filter that does
// not begin with a wildcard.
func shardOf(mountpoint, topic string) int {
	first, _ := cutLevel(topic, 0)
	return shardHash(hash64(mountpoint), hash64(first))
}

// cutLevel returns the level that begins at start and the start of the one
// after it, which is beyond the end of the topic if there is none.
func cutLevel(topic string, start int) (level string, next int) {
	rest := topic[start:]
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[:i], start + i + 1
	}
	return rest, len(topic) + 1
}

// levelBefore returns the start of the level that ends just before start.
func levelBefore(topic string, start int) int {
	return strings.LastIndexByte(topic[:start-1], '/') + 1
}

// mount returns the mountpoint's node, or nil.
func (s *shard[V]) mount(mountpoint string) *Node[V] {
	return s.mounts.find(hashName(mountpoint), mountpoint)
}

// find returns the node of a filter, held or not, or nil.
func (s *shard[V]) find(mountpoint, filter string) *Node[V] {
	n := s.mount(mountpoint)
	for start := 0; n != nil && start <= len(filter); {
		var level string
		level, start = cutLevel(filter, start)
		n = n.children.find(hashLevel(level), level)
	}
	return n
}

// hold finds or makes the node of a filter and counts one more holder. The caller has s.mu.
func (s *shard[V]) hold(mountpoint, filter string) *Node[V] {
	n := s.child(nil, hashName(mountpoint), mountpoint)
	for start := 0; start <= len(filter); {
		var level string
		level, start = cutLevel(filter, start)
		n = s.child(n, hashLevel(level), level)
	}
	if n.holders.Add(1) == 1 {
		s.held.Add(1)
	}
	return n
}

// release counts one holder less and prunes what nobody needs any more. The caller has s.mu.
func (s *shard[V]) release(n *Node[V]) {
	holders := n.holders.Load()
	if holders == 0 {
		panic("trie: release of a node that nobody holds")
	}
	n.holders.Store(holders - 1)
	if holders > 1 {
		return
	}
	s.held.Add(-1)
	for n != nil && !n.held() && n.children.first.Load() == nil {
		s.siblings(n.parent).remove(n)
		n = n.parent
	}
}

// child finds or makes a child of parent, or a mountpoint's node if that is nil.
func (s *shard[V]) child(parent *Node[V], hash uint32, level string) *Node[V] {
	siblings := s.siblings(parent)
	if n := siblings.find(hash, level); n != nil {
		return n
	}
	n := &Node[V]{parent: parent, hash: hash, level: s.levels.intern(hash, level)}
	siblings.insert(n)
	return n
}

func (s *shard[V]) siblings(parent *Node[V]) *children[V] {
	if parent == nil {
		return &s.mounts
	}
	return &parent.children
}

// all visits the held nodes of the shard. It returns false once yield does.
func (s *shard[V]) all(yield func(*Node[V]) bool) bool {
	for n := s.mounts.first.Load(); n != nil; n = n.next.Load() {
		if !n.walk(yield) {
			return false
		}
	}
	return true
}

// levelCache remembers a few of the levels seen last, so that those which many
// branches repeat ("status") are stored once.
type levelCache [32]string

// maxCached is the length in bytes of the longest level that is remembered.
const maxCached = 32

// intern returns a copy of level that shares no memory with the caller's
// string, which may be a small part of something large.
func (c *levelCache) intern(hash uint32, level string) string {
	if len(level) > maxCached {
		return strings.Clone(level)
	}
	cached := &c[hash%uint32(len(c))]
	if *cached != level {
		*cached = strings.Clone(level)
	}
	return *cached
}
