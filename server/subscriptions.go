package server

import "vernemq/trie"

// subscriptions are those of one client. Nearly every client has none or one,
// so that needs no list; a long list has an index beside it.
type subscriptions struct {
	one  *subscription // the only one
	more *subscriptionList
}

type subscriptionList struct {
	list  []*subscription         // at least one
	index map[subscriptionKey]int // place in list; nil while the list is short
}

type subscriptionKey struct {
	node  *trie.Node[route]
	group *group
}

// subscriptionsIndexed is the length from which a list has an index.
const subscriptionsIndexed = 16

func (s *subscriptions) len() int {
	switch {
	case s.more != nil:
		return len(s.more.list)
	case s.one != nil:
		return 1
	}
	return 0
}

func (s *subscriptions) all(yield func(*subscription) bool) {
	if s.more == nil {
		if s.one != nil {
			yield(s.one)
		}
		return
	}
	for _, x := range s.more.list {
		if !yield(x) {
			return
		}
	}
}

// between gives those from a place on up to another one, until the next change.
func (s *subscriptions) between(from, to int) []*subscription {
	switch {
	case from >= to:
		return nil
	case s.more == nil:
		return []*subscription{s.one}
	}
	return s.more.list[from:to]
}

func (s *subscriptions) add(x *subscription) {
	if s.len() == 0 {
		s.one = x
		return
	}
	if s.more == nil {
		s.more = &subscriptionList{list: []*subscription{s.one}}
		s.one = nil
	}
	s.more.add(x)
}

func (l *subscriptionList) add(x *subscription) {
	l.list = append(l.list, x)
	if l.index != nil {
		l.index[x.key()] = len(l.list) - 1
		return
	}
	if len(l.list) >= subscriptionsIndexed {
		l.index = make(map[subscriptionKey]int, 2*subscriptionsIndexed)
		for i, y := range l.list {
			l.index[y.key()] = i
		}
	}
}

func (s *subscriptions) remove(x *subscription) {
	if s.more == nil || len(s.more.list) == 1 {
		*s = subscriptions{}
		return
	}
	s.more.remove(x)
}

func (l *subscriptionList) remove(x *subscription) {
	i := l.place(x.key())
	last := len(l.list) - 1
	if l.index != nil {
		delete(l.index, x.key())
		if i != last {
			l.index[l.list[last].key()] = i
		}
	}
	l.list[i] = l.list[last]
	l.list[last] = nil
	l.list = l.list[:last]
}

func (x *subscription) key() subscriptionKey { return subscriptionKey{x.node, x.group} }

// place is where the subscription with a key stands in the list, -1 if it is
// not there.
func (l *subscriptionList) place(k subscriptionKey) int {
	if l.index != nil {
		if i, ok := l.index[k]; ok {
			return i
		}
		return -1
	}
	for i, x := range l.list {
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
	if s.more == nil {
		if s.one != nil && s.one.key() == k {
			return s.one
		}
		return nil
	}
	if i := s.more.place(k); i >= 0 {
		return s.more.list[i]
	}
	return nil
}
