package trie

import (
	"strings"
	"sync/atomic"
	"unsafe"
)

// Index maps topic filters to values of type V. It has one node per distinct
// mountpoint and filter that somebody holds.
type Index[V any] struct {
	shards [shardCount]shard[V]
	wild   shard[V] // filters whose first level is a wildcard

	version atomic.Uint64 // changes with each filter that has come or gone
}

// NewIndex returns an empty index.
func NewIndex[V any]() *Index[V] { return new(Index[V]) }

// Acquire finds or makes the node of a filter and counts one more holder. Each
// Acquire is to be undone by one Release.
func (x *Index[V]) Acquire(mountpoint, filter string) *Node[V] {
	s := x.shard(mountpoint, filter)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.hold(mountpoint, filter)
	if n.holders.Load() == 1 {
		x.version.Add(1)
	}
	return n
}

// Release counts one holder less. After the last one the node is out of the
// index for good, with the branches that led only to it; to acquire its filter
// again makes a new node. A node should not be kept after that, as through its
// links it keeps other removed nodes from being freed.
func (x *Index[V]) Release(n *Node[V]) {
	first := n
	for first.parent.parent != nil {
		first = first.parent
	}
	s := x.shard(first.parent.level, first.level)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(n)
	if !n.held() {
		x.version.Add(1)
	}
}

// Find returns the node of a filter, or nil if nobody holds it.
func (x *Index[V]) Find(mountpoint, filter string) *Node[V] {
	n := x.shard(mountpoint, filter).find(mountpoint, filter)
	if n == nil || !n.held() {
		return nil
	}
	return n
}

// Len returns the number of distinct filters that are held.
func (x *Index[V]) Len() int {
	held := x.wild.held.Load()
	for i := range x.shards {
		held += x.shards[i].held.Load()
	}
	return int(held)
}

// All visits the nodes that are held, in no order. Nodes acquired or released meanwhile may be visited or not.
func (x *Index[V]) All(yield func(n *Node[V]) bool) {
	if !x.wild.all(yield) {
		return
	}
	for i := range x.shards {
		if !x.shards[i].all(yield) {
			return
		}
	}
}

// Match appends to dst the nodes whose filter matches topic, a topic name, in
// no order. It does not allocate if dst has room, and keeps no reference to topic.
func (x *Index[V]) Match(mountpoint string, topic []byte, dst []*Node[V]) []*Node[V] {
	name := unsafe.String(unsafe.SliceData(topic), len(topic))
	mount := hash64(mountpoint)
	if !strings.HasPrefix(name, "$") { // [MQTT-4.7.2-1]
		if m := x.wild.mounts.find(siblingHash(mount), mountpoint); m != nil {
			dst = match(m, name, 0, dst)
		}
	}
	// There are no wildcards on the first level of the other shards.
	level, next := cutLevel(name, 0)
	first := hash64(level)
	if m := x.shards[shardHash(mount, first)].mounts.find(siblingHash(mount), mountpoint); m != nil {
		if n := m.children.find(siblingHash(first), level); n != nil {
			dst = match(n, name, next, dst)
		}
	}
	return dst
}

// shard returns the shard of a filter.
func (x *Index[V]) shard(mountpoint, filter string) *shard[V] {
	if wildFirst(filter) {
		return &x.wild
	}
	return &x.shards[shardOf(mountpoint, filter)]
}

// wildFirst reports whether the first level of a filter is a wildcard.
func wildFirst(filter string) bool {
	return filter != "" && (filter[0] == '+' || filter[0] == '#') && (len(filter) == 1 || filter[1] == '/')
}

// match appends the nodes whose filter matches name, from n downwards. The
// levels of name that begin before start have led to n.
//
// It goes down by '+' where there is one and otherwise by the level itself. At
// a dead end it climbs to the last '+' that it went down by, and goes down beside it.
func match[V any](n *Node[V], name string, start int, dst []*Node[V]) []*Node[V] {
	open := 0 // '+' nodes gone down by from the first n to this one
	for {
		multi, down := n.children.wildcards()
		if multi != nil && multi.held() {
			dst = append(dst, multi)
		}
		next := start
		switch {
		case start > len(name):
			down = nil
			if n.held() {
				dst = append(dst, n)
			}
		case down != nil:
			open++
			_, next = cutLevel(name, start)
		default:
			down, next = n.named(name, start)
		}
		for down == nil {
			if open == 0 {
				return dst
			}
			up := n.parent
			if n.hash == hashSingle {
				open--
				start = levelBefore(name, start)
				down, next = up.named(name, start)
			} else {
				start -= len(n.level) + 1
			}
			n = up
		}
		n, start = down, next
	}
}

// named returns the child for the level of a topic name that begins at start,
// or nil, and the start of the level after it.
func (n *Node[V]) named(name string, start int) (child *Node[V], next int) {
	if n.children.first.Load() == nil {
		return nil, start
	}
	level, next := cutLevel(name, start)
	return n.children.find(hashName(level), level), next
}
