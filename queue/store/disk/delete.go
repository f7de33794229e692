package disk

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"vernemq/queue/store"
)

// A queue that is being deleted, up to and with a sequence:
//
//	'd' P  | version 1 | sequence 8 |
//
// The record is written with the deletion of the session, in one batch. From
// then on no reader sees those entries; the writer removes them in pieces, and
// the record with the last one. Open takes up what is left.
type doomed struct {
	client store.Client
	limit  uint64
	from   uint64 // entries before this one are gone already
}

// DeleteSession removes all of a client: session, subscriptions, QoS 2 state
// and every entry enqueued so far. What comes later for the same client counts.
// No queue.Ref of the client given before may be used afterwards.
//
// A long queue is gone for every reader at once, and from the disk little by
// little.
func (b *Batch) DeleteSession(c store.Client) {
	for i := range b.ops {
		if o := &b.ops[i]; !o.dead && o.client == c {
			b.bury(o)
		}
	}
	b.add(op{act: actDeleteSession, client: c, key: len(b.buf), value: len(b.buf), seq: b.store.last.Load()})
	b.deletes = true
}

// DeleteState removes session, subscriptions and QoS 2 state of a client; the
// entries of its queue stay.
func (b *Batch) DeleteState(c store.Client) {
	for i := range b.ops {
		if o := &b.ops[i]; !o.dead && o.client == c && o.ofState() {
			b.bury(o)
		}
	}
	b.add(op{act: actDeleteState, client: c, key: len(b.buf), value: len(b.buf)})
	b.deletes = true
}

// ofState tells whether a write is about a client and not about its queue.
func (o *op) ofState() bool {
	return o.act == actSet || o.act == actDelete || o.act == actDeleteState
}

// deletes tells whether a write removes what is committed of a client.
func (o *op) deletes() bool {
	return !o.dead && (o.act == actDeleteSession || o.act == actDeleteState)
}

func parseDoomed(b []byte) (uint64, error) {
	if err := head("deletion", b, 1, 0); err != nil {
		return 0, err
	}
	n, err := number(b[1:])
	if err != nil {
		return 0, fmt.Errorf("deletion: %w", err)
	}
	return n, nil
}

// limitOf is the sequence up to which a client's entries are deleted.
func limitOf(r pebble.Reader, c store.Client) (uint64, error) {
	b, err := getFrom(r, appendPrefix(nil, kindDoomed, c))
	if err != nil || b == nil {
		return 0, err
	}
	return parseDoomed(b)
}

func (s *Store) findDoomed() error {
	return s.scan([]byte{kindDoomed}, func(key, value []byte) error {
		c, rest, err := clientOf(key)
		if err != nil {
			return err
		}
		if len(rest) > 0 {
			return fmt.Errorf("deletion: key %q goes on", key)
		}
		limit, err := parseDoomed(value)
		s.writer.doomed = append(s.writer.doomed, doomed{client: c, limit: limit})
		return err
	})
}

// settle makes writes dead that a later batch of the group undoes by deleting
// their client, and tells who is deleted. For deleting reads what is committed.
func settle(batches []*Batch) map[store.Client]action {
	var deleted map[store.Client]action
	for i := len(batches) - 1; i >= 0; i-- {
		b := batches[i]
		for j := 0; len(deleted) > 0 && j < len(b.ops); j++ {
			o := &b.ops[j]
			if act := deleted[o.client]; !o.dead && (act == actDeleteSession || act == actDeleteState && o.ofState()) {
				b.bury(o)
			}
		}
		for j := 0; b.deletes && j < len(b.ops); j++ {
			if o := &b.ops[j]; o.deletes() && deleted[o.client] != actDeleteSession {
				if deleted == nil {
					deleted = map[store.Client]action{}
				}
				deleted[o.client] = o.act
			}
		}
	}
	return deleted
}

// deleteState removes what is committed of a client besides its queue.
func (g *group) deleteState(c store.Client) error {
	if err := g.w.Delete(appendPrefix(g.key[:0], kindSession, c), nil); err != nil {
		return err
	}
	for _, kind := range []byte{kindSubscription, kindOutgoing, kindIncoming} {
		if err := g.deleteAll(kind, c); err != nil {
			return err
		}
	}
	return nil
}

// deleteSession removes all that is committed of a client.
func (g *group) deleteSession(o *op) error {
	c := o.client
	if err := g.deleteState(c); err != nil {
		return err
	}
	next, err := g.deleteEntries(c, 0, o.seq)
	if err != nil || next == 0 {
		return err
	}
	g.s.doom(doomed{client: c, limit: o.seq, from: next})
	value := binary.BigEndian.AppendUint64([]byte{version}, o.seq)
	return g.w.Set(appendPrefix(nil, kindDoomed, c), value, nil)
}

func (s *Store) doom(d doomed) {
	s.writer.doomed = slices.DeleteFunc(s.writer.doomed, func(x doomed) bool { return x.client == d.client })
	s.writer.doomed = append(s.writer.doomed, d)
}

// seek gives an iterator at the first key from one on, or nil when there is
// none before end. What this group writes is not seen.
func (g *group) seek(from, end []byte) (*pebble.Iterator, error) {
	if g.iter == nil {
		it, err := g.s.db.NewIter(nil)
		if err != nil {
			return nil, err
		}
		g.iter = it
	}
	if g.iter.SeekGEWithLimit(from, end) != pebble.IterValid {
		return nil, g.iter.Error()
	}
	return g.iter, nil
}

func (g *group) deleteAll(kind byte, c store.Client) error {
	from := appendPrefix(nil, kind, c)
	end := after(slices.Clone(from))
	it, err := g.seek(from, end)
	if it == nil {
		return err
	}
	for n := 0; n < g.s.piece; n++ {
		if err := g.w.Delete(it.Key(), nil); err != nil {
			return err
		}
		if it.NextWithLimit(end) != pebble.IterValid {
			return it.Error()
		}
	}
	return g.w.DeleteRange(it.Key(), end, nil) // unusually many
}

// deleteEntries removes a piece of a client's queue, from a sequence up to a
// limit. It returns the first sequence that is left, 0 when there is none.
func (g *group) deleteEntries(c store.Client, from, limit uint64) (uint64, error) {
	end := appendEntryKey(nil, c, limit+1)
	it, err := g.seek(appendEntryKey(nil, c, from), end)
	if it == nil {
		return 0, err
	}
	for n := 0; n < g.s.piece; n++ {
		if err := g.deleteEntry(it); err != nil {
			return 0, err
		}
		if it.NextWithLimit(end) != pebble.IterValid {
			return 0, it.Error()
		}
	}
	return number(it.Key()[len(end)-8:])
}

func (g *group) deleteEntry(it *pebble.Iterator) error {
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	id, err := bodyOf(value)
	if err != nil {
		return fmt.Errorf("key %q: %w", it.Key(), err)
	}
	g.drop(id)
	return g.w.Delete(it.Key(), nil)
}

// sweep removes a piece of a queue that is being deleted, unless the group
// deletes its client again.
func (g *group) sweep(deleted map[store.Client]action) error {
	w := &g.s.writer
	if len(w.doomed) == 0 {
		return nil
	}
	d := &w.doomed[0]
	if deleted[d.client] == actDeleteSession {
		return nil
	}
	next, err := g.deleteEntries(d.client, d.from, d.limit)
	if err != nil {
		return err
	}
	if d.from = next; next != 0 {
		return nil
	}
	err = g.w.Delete(appendPrefix(nil, kindDoomed, d.client), nil)
	w.doomed = slices.Delete(w.doomed, 0, 1)
	return err
}
