package disk

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"vernemq/queue"
)

// group turns batches into one Pebble batch.
type group struct {
	s    *Store
	w    *pebble.Batch
	iter *pebble.Iterator // what is committed; nil until it is needed
	key  []byte
	gone map[uint64]int32 // entries that this group removes, by body
}

// writeGroup writes what is alive of a group, and a piece of a queue that is
// being deleted.
func (s *Store) writeGroup(from *gathered) error {
	var batches []*Batch
	if from != nil {
		if batches = from.batches; from.live == 0 && len(s.writer.doomed) == 0 {
			return nil
		}
	}
	g := group{s: s, w: s.db.NewBatch()}
	err := g.fill(batches)
	if g.iter != nil {
		err = errors.Join(err, g.iter.Close())
	}
	if err != nil {
		s.fail.set("preparing a group", err)
		return s.fail.disk()
	}
	return s.apply(g.w)
}

func (g *group) fill(batches []*Batch) error {
	if err := g.writeRetained(batches); err != nil {
		return err
	}
	if err := g.sweep(settle(batches)); err != nil {
		return err
	}
	for _, b := range batches {
		if err := g.encode(b); err != nil {
			return err
		}
	}
	return g.writeGone()
}

// encode appends the writes of a batch.
func (g *group) encode(b *Batch) error {
	for i := range b.bodies {
		if x := &b.bodies[i]; x.msg != nil {
			if err := g.putBody(x); err != nil {
				return err
			}
		}
	}
	for i := range b.ops {
		if o := &b.ops[i]; !o.dead {
			if err := g.encodeOp(b, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *group) encodeOp(b *Batch, o *op) error {
	key, value := b.buf[o.key:o.value], b.buf[o.value:o.end]
	switch o.act {
	case actSet:
		return g.w.Set(key, value, nil)
	case actDelete:
		return g.w.Delete(key, nil)
	case actEnqueue:
		if o.msg == nil {
			return g.w.Set(key, value, nil)
		}
		return g.setMessage(key, value, o.msg)
	case actDequeue:
		g.drop(o.bodyID)
		return g.w.Delete(key, nil)
	case actRetain:
		return nil // written already
	case actDeleteState:
		return g.deleteState(o.client)
	default:
		return g.deleteSession(o)
	}
}

// setMessage writes a value that ends with a message.
func (g *group) setMessage(key, value []byte, m *queue.Message) error {
	d := g.w.SetDeferred(len(key), len(value)+messageSize(m))
	copy(d.Key, key)
	appendMessage(append(d.Value[:0], value...), m)
	return d.Finish()
}

func (g *group) putBody(x *body) error {
	g.key = appendBodyKey(g.key[:0], x.id)
	d := g.w.MergeDeferred(len(g.key), bodyHead+messageSize(x.msg))
	copy(d.Key, g.key)
	appendMessage(appendCount(d.Value[:0], x.count), x.msg)
	return d.Finish()
}

// drop counts one entry of a body less; 0 is no body.
func (g *group) drop(id uint64) {
	if id == 0 {
		return
	}
	if g.gone == nil {
		g.gone = map[uint64]int32{}
	}
	g.gone[id]++
}

// writeGone takes the entries that are gone off their bodies, and deletes the
// bodies that have none left. The bodies are committed: an entry of this group
// that this group removes is dead, not gone.
func (g *group) writeGone() error {
	for id, n := range g.gone {
		g.key = appendBodyKey(g.key[:0], id)
		count, err := g.s.count(g.key)
		if err != nil {
			return fmt.Errorf("body %d: %w", id, err)
		}
		if count > n {
			var value [bodyHead]byte
			err = g.w.Merge(g.key, appendCount(value[:0], -n), nil)
		} else {
			err = g.w.Delete(g.key, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// count is how many entries a body has, 0 when there is none.
func (s *Store) count(key []byte) (int32, error) {
	b, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	count, _, err := parseBody(b)
	return count, errors.Join(err, closer.Close())
}
