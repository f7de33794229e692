package trie

import (
	"strings"
	"sync/atomic"
)

// Topics maps topic names to values of type V.
type Topics[V any] struct {
	shards [shardCount]shard[topicValue[V]]
}

// topicValue is nil in a node that has none. A node with a value has one holder.
type topicValue[V any] = atomic.Pointer[V]

// NewTopics returns an empty map.
func NewTopics[V any]() *Topics[V] { return new(Topics[V]) }

// Put sets the value of a topic and returns the one before, if it had any.
func (t *Topics[V]) Put(mountpoint, topic string, v V) (old V, had bool) {
	s := t.shard(mountpoint, topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.find(mountpoint, topic); n != nil && n.held() {
		return *n.Value.Swap(&v), true
	}
	s.hold(mountpoint, topic).Value.Store(&v)
	return old, false
}

// Delete removes a topic and returns the value that it had, if any.
func (t *Topics[V]) Delete(mountpoint, topic string) (old V, had bool) {
	s := t.shard(mountpoint, topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.find(mountpoint, topic)
	if n == nil || !n.held() {
		return old, false
	}
	old = *n.Value.Swap(nil)
	s.release(n)
	return old, true
}

// DeleteIf removes a topic if cond holds for its value, and tells whether it
// did. The value cannot change in between.
func (t *Topics[V]) DeleteIf(mountpoint, topic string, cond func(V) bool) bool {
	s := t.shard(mountpoint, topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.find(mountpoint, topic)
	if n == nil || !n.held() || !cond(*n.Value.Load()) {
		return false
	}
	n.Value.Store(nil)
	s.release(n)
	return true
}

// Get returns the value of a topic.
func (t *Topics[V]) Get(mountpoint, topic string) (v V, ok bool) {
	n := t.shard(mountpoint, topic).find(mountpoint, topic)
	if n == nil {
		return v, false
	}
	p := n.Value.Load()
	if p == nil {
		return v, false
	}
	return *p, true
}

// Len returns the number of topics.
func (t *Topics[V]) Len() int {
	var held int64
	for i := range t.shards {
		held += t.shards[i].held.Load()
	}
	return int(held)
}

// All visits the topics, in no order. Those put or deleted meanwhile may be visited or not.
func (t *Topics[V]) All(yield func(mountpoint, topic string, v V) bool) {
	visit := func(n *Node[topicValue[V]]) bool {
		p := n.Value.Load()
		return p == nil || yield(n.Mountpoint(), n.Filter(), *p)
	}
	for i := range t.shards {
		if !t.shards[i].all(visit) {
			return
		}
	}
}

// Match appends to dst the values of the topics that match filter, in no order.
// Topics put or deleted meanwhile may be among them or not.
func (t *Topics[V]) Match(mountpoint, filter string, dst []V) []V {
	shards := t.shards[:]
	if !wildFirst(filter) {
		i := shardOf(mountpoint, filter)
		shards = shards[i : i+1]
	}
	for i := range shards {
		if m := shards[i].mount(mountpoint); m != nil {
			dst = matchTopics(m, filter, dst)
		}
	}
	return dst
}

func (t *Topics[V]) shard(mountpoint, topic string) *shard[topicValue[V]] {
	return &t.shards[shardOf(mountpoint, topic)]
}

// matchTopics appends the values below the mountpoint's node m whose topic matches filter.
//
// It goes down by the levels of the filter, for '+' into the first child. At a
// dead end it climbs to the last '+' and goes on with the next sibling there.
func matchTopics[V any](m *Node[topicValue[V]], filter string, dst []V) []V {
	n := m
	start := 0 // n has matched the levels of filter before this byte
	open := 0  // '+' among those levels
	for {
		level, next := "", start
		var down *Node[topicValue[V]]
		if start > len(filter) {
			dst = appendValue(dst, n)
		} else {
			level, next = cutLevel(filter, start)
			switch level {
			case "#":
				dst = appendValues(dst, n)
			case "+":
				if down = visible(n.children.first.Load()); down != nil {
					open++
				}
			default:
				down = n.children.find(hashName(level), level)
			}
		}
		for down == nil {
			if open == 0 {
				return dst
			}
			next = start
			start = levelBefore(filter, start)
			if level, _ = cutLevel(filter, start); level == "+" {
				if down = visible(n.next.Load()); down == nil {
					open--
				}
			}
			n = n.parent
		}
		start = next
		n = down
	}
}

// visible returns the first node from n onwards that a wildcard may stand for:
// on the first level none that begins with '$' [MQTT-4.7.2-1].
func visible[V any](n *Node[V]) *Node[V] {
	for n != nil && n.parent.parent == nil && strings.HasPrefix(n.level, "$") {
		n = n.next.Load()
	}
	return n
}

// appendValues appends the values of the node and all below it, as '#' selects them.
func appendValues[V any](dst []V, n *Node[topicValue[V]]) []V {
	visit := func(n *Node[topicValue[V]]) bool {
		dst = appendValue(dst, n)
		return true
	}
	if n.parent != nil {
		n.walk(visit)
		return dst
	}
	for c := visible(n.children.first.Load()); c != nil; c = visible(c.next.Load()) {
		c.walk(visit)
	}
	return dst
}

func appendValue[V any](dst []V, n *Node[topicValue[V]]) []V {
	if p := n.Value.Load(); p != nil {
		dst = append(dst, *p)
	}
	return dst
}
