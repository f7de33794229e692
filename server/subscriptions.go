package server

import "vernemq/trie"

// subscriptions are those of one client: a short list, with an index beside
// it once it is long.
type subscriptions struct {
	list  []*subscription
	index map[subscriptionKey]int // place in list
}

type subscriptionKey struct {
	node  *trie.Node[route]
	group *group
}

// subscriptionsIndexed is the length from which a list has an index.
const subscriptionsIndexed = 16

func (s *subscriptions) len() int { return len(s.list) }

func (s *subscriptions) add(x *subscription) {
	s.list = append(s.list, x)
	if s.index == nil && len(s.list) < subscriptionsIndexed {
		return
	}
	if s.index == nil {
		s.index = make(map[subscriptionKey]int, 2*subscriptionsIndexed)
		for i, y := range s.list {
			s.index[y.key()] = i
		}
		return
	}
	s.index[x.key()] = len(s.list) - 1
}

func (s *subscriptions) remove(x *subscription) {
	i := s.place(x.key())
	last := len(s.list) - 1
	if s.index != nil {
		delete(s.index, x.key())
		if i != last {
			s.index[s.list[last].key()] = i
		}
	}
	s.list[i] = s.list[last]
	s.list[last] = nil
	s.list = s.list[:last]
	if last == 0 {
		*s = subscriptions{}
	}
}

func (x *subscription) key() subscriptionKey { return subscriptionKey{x.node, x.group} }

// place is where the subscription with a key stands in the list, -1 if it is
// not there.
func (s *subscriptions) place(k subscriptionKey) int {
	if s.index != nil {
		if i, ok := s.index[k]; ok {
			return i
		}
		return -1
	}
	for i, x := range s.list {
		if x.key() == k {
			return i
		}
	}
	return -1
}

// find gives the subscription with a node, in the named group if it is
// shared; nil when there is none.
func (s *subscriptions) find(node *trie.Node[route], name string, shared bool) *subscription {
	k := subscriptionKey{node: node}
	if shared {
		if k.group = node.Value.group(name); k.group == nil {
			return nil
		}
	}
	if i := s.place(k); i >= 0 {
		return s.list[i]
	}
	return nil
}
