package trie

import "sync/atomic"

// children are the nodes one level below a node (or the mountpoints of a
// shard): a list sorted by hash, and a table into it when there are many.
//
// Readers call start, find and wildcards. Everything else is for a writer that
// has the shard's mutex.
type children[V any] struct {
	first atomic.Pointer[Node[V]]
	table atomic.Pointer[table[V]] // nil while there are few
}

// maxUntabled is the number of children that do without a table. Half of it
// is where a table is given up again.
const maxUntabled = 6

// start returns a node from which the list leads to every child with that hash,
// nil if there is none.
func (c *children[V]) start(hash uint32) *Node[V] {
	if t := c.table.Load(); t != nil {
		return t.start(hash)
	}
	return c.first.Load()
}

// find returns the child with that level, or nil.
func (c *children[V]) find(hash uint32, level string) *Node[V] {
	for n := c.start(hash); n != nil && n.hash <= hash; n = n.next.Load() {
		if n.hash == hash && n.level == level {
			return n
		}
	}
	return nil
}

// wildcards returns the children that are '#' and '+', nil where there is none.
func (c *children[V]) wildcards() (multi, single *Node[V]) {
	n := c.first.Load()
	if n != nil && n.hash == hashMulti {
		multi, n = n, n.next.Load()
	}
	if n != nil && n.hash == hashSingle {
		single = n
	}
	return multi, single
}

// link returns the link that leads to the first child whose hash is not less:
// the place of a child with that hash.
func (c *children[V]) link(hash uint32) *atomic.Pointer[Node[V]] {
	link := &c.first
	if t := c.table.Load(); t != nil {
		if before := t.before(hash); before != nil {
			link = &before.next
		}
	}
	for {
		n := link.Load()
		if n == nil || n.hash >= hash {
			return link
		}
		link = &n.next
	}
}

// insert adds a node that is not in any list and has never been.
func (c *children[V]) insert(n *Node[V]) {
	link := c.link(n.hash)
	next := link.Load()
	n.next.Store(next)
	link.Store(n)

	t := c.table.Load()
	if t == nil {
		if count := c.count(); count > maxUntabled {
			c.table.Store(newTable(c.first.Load(), count))
		}
		return
	}
	t.inserted(n, next)
	if t.count > len(t.starts) {
		c.table.Store(t.resized(2 * len(t.starts)))
	}
}

// remove unlinks a child. Its own link stays, for readers that stand on it.
func (c *children[V]) remove(n *Node[V]) {
	link := c.link(n.hash)
	for m := link.Load(); m != n; m = link.Load() { // past others with the same hash
		link = &m.next
	}
	next := n.next.Load()
	link.Store(next)

	t := c.table.Load()
	if t == nil {
		return
	}
	t.removed(n, next)
	switch {
	case t.count <= maxUntabled/2:
		c.table.Store(nil)
	case t.count < len(t.starts)/4 && len(t.starts) > minStarts:
		c.table.Store(t.resized(len(t.starts) / 2))
	}
}

// count counts the children one by one.
func (c *children[V]) count() (count int) {
	for n := c.first.Load(); n != nil; n = n.next.Load() {
		count++
	}
	return count
}
