package disk

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"vernemq/queue"
	"vernemq/queue/store"
)

// Bounds counts the entries of a client's queue that are committed, after a
// sequence and up to and with another one, or all that come after it when that is
// 0. It reads keys only.
func (s *Store) Bounds(c store.Client, after, upto uint64) (b store.Bounds, err error) {
	err = s.entries(s.db, c, span{from: after + 1, upto: upto}, func(seq uint64, _ *pebble.Iterator) (bool, error) {
		if b.Len++; b.Len == 1 {
			b.First = seq
		}
		b.Last = seq
		return true, nil
	})
	if err != nil {
		return store.Bounds{}, s.unread(fmt.Errorf("cannot read queue of %s: %w", c.ID, err))
	}
	return b, nil
}

// Page reads entries of a client's queue that are committed, beginning at a
// sequence: at most n, and no further one when their messages have size bytes
// or more. On an error none is returned.
func (s *Store) Page(c store.Client, from uint64, n, size int) ([]store.Queued, error) {
	return s.page(c, span{from: from}, n, size)
}

// PageBack is Page from the newest entry to the oldest, beginning at a sequence
// or, when it is 0, at the end of the queue.
func (s *Store) PageBack(c store.Client, from uint64, n, size int) ([]store.Queued, error) {
	return s.page(c, span{upto: from, back: true}, n, size)
}

// Entry reads one entry of a client's queue that is committed. Its message is
// nil when there is none.
func (s *Store) Entry(c store.Client, seq uint64) (store.Queued, error) {
	page, err := s.page(c, span{from: seq, upto: max(seq, 1)}, 1, 1)
	if err != nil || len(page) == 0 {
		return store.Queued{}, err
	}
	return page[0], nil
}

func (s *Store) page(c store.Client, of span, n, size int) ([]store.Queued, error) {
	snapshot := s.db.NewSnapshot() // entries and their bodies go together
	defer func() { _ = snapshot.Close() }()
	var page []store.Queued
	err := s.entries(snapshot, c, of, func(seq uint64, it *pebble.Iterator) (bool, error) {
		if len(page) >= n || size <= 0 {
			return false, nil
		}
		q, err := readEntry(snapshot, seq, it)
		if err != nil {
			return false, err
		}
		page = append(page, q)
		size -= len(q.Msg.Topic()) + len(q.Msg.Forward()) + len(q.Msg.Payload())
		return true, nil
	})
	if err != nil {
		for i := range page {
			page[i].Msg.Release()
		}
		return nil, s.unread(fmt.Errorf("cannot read queue of %s: %w", c.ID, err))
	}
	return page, nil
}

// span is the part of a queue that is read.
type span struct {
	from, upto uint64 // sequences; upto 0 is the end
	back       bool   // from the end to the beginning
}

// bounds are those of an iterator over a span of a client's queue, without the
// entries up to limit.
func (x span) bounds(c store.Client, limit uint64) *pebble.IterOptions {
	o := &pebble.IterOptions{LowerBound: appendEntryKey(nil, c, max(x.from, limit+1))}
	if next := x.upto + 1; next > 1 {
		o.UpperBound = appendEntryKey(nil, c, next)
	} else {
		o.UpperBound = after(appendPrefix(nil, kindEntry, c))
	}
	if bytes.Compare(o.UpperBound, o.LowerBound) < 0 {
		o.UpperBound = o.LowerBound
	}
	return o
}

// entries walks over a span of a client's queue while each says so.
func (s *Store) entries(r pebble.Reader, c store.Client, of span, each func(uint64, *pebble.Iterator) (bool, error)) (err error) {
	limit, err := limitOf(r, c)
	if err != nil {
		return err
	}
	it, err := r.NewIter(of.bounds(c, limit))
	if err != nil {
		return err
	}
	defer func() {
		if cerr := it.Close(); err == nil {
			err = cerr
		}
	}()
	prefix := len(appendPrefix(nil, kindEntry, c))
	start, step := it.First, it.Next
	if of.back {
		start, step = it.Last, it.Prev
	}
	for more := start(); more; more = step() {
		seq, err := number(it.Key()[prefix:])
		if err != nil {
			return fmt.Errorf("key %q: %w", it.Key(), err)
		}
		if ok, err := each(seq, it); !ok || err != nil {
			return err
		}
	}
	return it.Error()
}

func readEntry(r pebble.Reader, seq uint64, it *pebble.Iterator) (store.Queued, error) {
	q := store.Queued{Ref: queue.Ref{Seq: seq}}
	value, err := it.ValueAndErr()
	if err != nil {
		return q, err
	}
	d, body, message, err := parseEntry(value)
	if err != nil {
		return q, fmt.Errorf("key %q: %w", it.Key(), err)
	}
	q.Delivery, q.Body = d, body
	if body != 0 {
		if message, err = readBody(r, body); err != nil {
			return q, fmt.Errorf("key %q: %w", it.Key(), err)
		}
	}
	if q.Msg, err = parseMessage(message); err != nil {
		return q, fmt.Errorf("key %q: %w", it.Key(), err)
	}
	return q, nil
}

func readBody(r pebble.Reader, id uint64) ([]byte, error) {
	b, err := getFrom(r, appendBodyKey(nil, id))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, fmt.Errorf("body %d is missing", id)
	}
	n, message, err := parseBody(b)
	if err == nil && (n <= 0 || message == nil) {
		err = fmt.Errorf("%d entries, %d bytes", n, len(message))
	}
	if err != nil {
		return nil, fmt.Errorf("body %d: %w", id, err)
	}
	return message, nil
}

// Exchanges reads the QoS 2 exchanges of a client that have not ended: outgoing
// ones and the packet identifiers of incoming ones.
func (s *Store) Exchanges(c store.Client) (out []store.Outgoing, in []uint16, err error) {
	n := len(appendPrefix(nil, kindOutgoing, c))
	err = s.scan(appendPrefix(nil, kindOutgoing, c), func(key, value []byte) error {
		id, err := packetID(key[n:])
		if err != nil {
			return err
		}
		o := store.Outgoing{ID: id}
		out = append(out, o)
		return parseOutgoing(value, &out[len(out)-1])
	})
	if err == nil {
		err = s.scan(appendPrefix(nil, kindIncoming, c), func(key, value []byte) error {
			id, err := packetID(key[n:])
			in = append(in, id)
			if err != nil {
				return err
			}
			return head("incoming QoS 2", value, 1, 0)
		})
	}
	if err != nil {
		return nil, nil, s.unread(fmt.Errorf("cannot read QoS 2 exchanges of %s: %w", c.ID, err))
	}
	return out, in, nil
}

// scan shows all records whose key begins with prefix.
func (s *Store) scan(prefix []byte, each func(key, value []byte) error) (err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(slices.Clone(prefix))})
	if err != nil {
		return err
	}
	defer func() {
		if cerr := it.Close(); err == nil {
			err = cerr
		}
	}()
	for more := it.First(); more; more = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := each(it.Key(), value); err != nil {
			return fmt.Errorf("key %q: %w", it.Key(), err)
		}
	}
	return it.Error()
}
