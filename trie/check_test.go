package trie

import "fmt"

// The checks below find out whether a structure that no writer is using keeps all its promises.

func (x *Index[V]) check() (nodes int, err error) {
	nodes, err = x.wild.check()
	for i := range x.shards {
		n, e := x.shards[i].check()
		nodes += n
		if err == nil {
			err = e
		}
	}
	return nodes, err
}

func (t *Topics[V]) check() (nodes int, err error) {
	for i := range t.shards {
		n, e := t.shards[i].check()
		nodes += n
		if err == nil {
			err = e
		}
		t.shards[i].all(func(n *Node[topicValue[V]]) bool {
			if v, holders := n.Value.Load(), n.holders.Load(); v == nil || holders != 1 {
				err = fmt.Errorf("%v has %d holders and value %p", placeOf(n), holders, v)
			}
			return true
		})
	}
	return nodes, err
}

// check counts all nodes of the shard, held or not.
func (s *shard[V]) check() (nodes int, err error) {
	held := int64(0)
	type family struct {
		parent   *Node[V]
		children *children[V]
	}
	todo := []family{{nil, &s.mounts}}
	for len(todo) > 0 {
		f := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if err := f.children.check(); err != nil {
			return nodes, err
		}
		for n := f.children.first.Load(); n != nil; n = n.next.Load() {
			nodes++
			if n.held() {
				held++
			} else if n.children.first.Load() == nil {
				return nodes, fmt.Errorf("%v is neither held nor a branch", placeOf(n))
			}
			if n.parent != f.parent {
				return nodes, fmt.Errorf("%v has the wrong parent", placeOf(n))
			}
			if want := hashLevel(n.level); f.parent != nil && n.hash != want {
				return nodes, fmt.Errorf("%v has hash %x, want %x", placeOf(n), n.hash, want)
			}
			todo = append(todo, family{n, &n.children})
		}
	}
	if s.held.Load() != held {
		return nodes, fmt.Errorf("shard counts %d held nodes, has %d", s.held.Load(), held)
	}
	return nodes, nil
}

func (c *children[V]) check() error {
	count := 0
	for n := c.first.Load(); n != nil; n = n.next.Load() {
		count++
		if next := n.next.Load(); next != nil && next.hash < n.hash {
			return fmt.Errorf("hash %x comes before %x", n.hash, next.hash)
		}
	}
	t := c.table.Load()
	switch {
	case t == nil && count > maxUntabled:
		return fmt.Errorf("%d children and no table", count)
	case t == nil:
		return nil
	case count <= maxUntabled/2:
		return fmt.Errorf("%d children and a table", count)
	case count != t.count:
		return fmt.Errorf("table counts %d children, there are %d", t.count, count)
	case count > len(t.starts), count < len(t.starts)/4 && len(t.starts) > minStarts:
		return fmt.Errorf("%d children and %d starts", count, len(t.starts))
	}
	if err := t.checkStarts(c.first.Load(), 0, t.movedStarts()); err != nil {
		return err
	}
	if old := t.old.Load(); old != nil {
		lowest := t.lowest(t.movedStarts())
		if hash := old.lowest(old.bucket(lowest)); hash != lowest {
			return fmt.Errorf("old table of %d begins in the middle of a bucket", len(old.starts))
		}
		return old.checkStarts(c.first.Load(), old.bucket(lowest), len(old.starts))
	}
	return nil
}

func (t *table[V]) movedStarts() int {
	if t.old.Load() == nil {
		return len(t.starts)
	}
	return int(t.moved.Load())
}

// checkStarts checks the buckets from begin to end.
func (t *table[V]) checkStarts(n *Node[V], begin, end int) error {
	for b := begin; b < end; b++ {
		for n != nil && t.bucket(n.hash) < b {
			n = n.next.Load()
		}
		if t.starts[b].Load() != n {
			return fmt.Errorf("bucket %d of %d starts at the wrong node", b, len(t.starts))
		}
	}
	return nil
}
