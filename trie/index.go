package trie

import (
	"strings"
	"unsafe"
)

// Index maps topic filters to values of type V. It has one node per distinct
// mountpoint and filter that somebody holds.
type Index[V any] struct {
	shards [shardCount]shard[V]
	wild   shard[V] // filters whose first level is a wildcard
}

// NewIndex returns an empty index.
func NewIndex[V any]() *Index[V] { return new(Index[V]) }

// Acquire finds or makes the node of a filter and counts one more holder. Each
// Acquire is to be undone by one Release.
func (x *Index[V]) Acquire(mountpoint, filter string) *Node[V] {
	s := x.shard(mountpoint, filter)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hold(mountpoint, filter)
}

// Release counts one holder less. After the last one the node is out of the
// index for good, with the branches that led only to it; to acquire its filter again
// makes a new node.
func (x *Index[V]) Release(n *Node[V]) {
	first := n // the node of the first level
	for first.parent.parent != nil {
		first = first.parent
	}
	s := x.shard(first.parent.level, first.level)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(n)
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
	if !strings.HasPrefix(name, "$") { // [MQTT-4.7.2-1]
		if m := x.wild.mount(mountpoint); m != nil {
			dst = match(m, name, dst)
		}
	}
	first, _ := cutLevel(name, 0)
	if m := x.shards[shardOf(mountpoint, first)].mount(mountpoint); m != nil {
		dst = match(m, name, dst)
	}
	return dst
}

// shard returns the shard of a filter.
func (x *Index[V]) shard(mountpoint, filter string) *shard[V] {
	first, _ := cutLevel(filter, 0)
	if first == "+" || first == "#" {
		return &x.wild
	}
	return &x.shards[shardOf(mountpoint, first)]
}

// match appends the nodes below the mountpoint's node m whose filter matches name.
//
// It goes down by '+' where there is one and otherwise by the level itself. At
// a dead end it climbs to the last '+' that it went down by, and goes down beside it.
func match[V any](m *Node[V], name string, dst []*Node[V]) []*Node[V] {
	n := m
	start := 0 // n has matched the levels of name before this byte
	open := 0  // '+' nodes from n upwards
	for {
		if multi := n.children.multi(); multi != nil && multi.held() {
			dst = append(dst, multi)
		}
		var down *Node[V]
		if start > len(name) {
			if n.held() {
				dst = append(dst, n)
			}
		} else if down = n.children.single(); down != nil {
			open++
		} else {
			down = n.named(name, start)
		}
		for down == nil {
			if open == 0 {
				return dst
			}
			start = levelBefore(name, start)
			up := n.parent
			if n.hash == hashSingle {
				open--
				down = up.named(name, start)
			}
			n = up
		}
		_, start = cutLevel(name, start)
		n = down
	}
}

// named returns the child for the level of a topic name that begins at start, or nil.
func (n *Node[V]) named(name string, start int) *Node[V] {
	if n.children.first.Load() == nil {
		return nil
	}
	level, _ := cutLevel(name, start)
	return n.children.find(hashName(level), level)
}
