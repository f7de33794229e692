package disk

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"vernemq/queue/store"
)

// Backlogs shows each client that has entries in its queue, whether it has a
// session or not, with the sequence of the first one. It goes from client to
// client, however long their queues are.
func (s *Store) Backlogs(each func(c store.Client, first uint64) error) (err error) {
	snapshot := s.db.NewSnapshot()
	queues, err := snapshot.NewIter(&pebble.IterOptions{LowerBound: []byte{kindEntry}, UpperBound: []byte{kindEntry + 1}})
	if err == nil {
		for more := queues.First(); more && err == nil; more = queues.Valid() {
			if err = backlog(snapshot, queues, each); err != nil {
				err = fmt.Errorf("key %q: %w", queues.Key(), err)
			}
		}
		err = errors.Join(err, queues.Error(), queues.Close())
	}
	if err = errors.Join(err, snapshot.Close()); err != nil {
		return fmt.Errorf("cannot read queues: %w", err)
	}
	return nil
}

// backlog shows the client that the iterator is at and moves to the next one.
func backlog(r pebble.Reader, it *pebble.Iterator, each func(store.Client, uint64) error) error {
	c, rest, err := clientOf(it.Key())
	if err != nil {
		return err
	}
	first, err := number(rest)
	if err != nil {
		return err
	}
	limit, err := limitOf(r, c)
	if err != nil {
		return err
	}
	prefix := bytes.Clone(it.Key()[:len(it.Key())-len(rest)])
	if first <= limit {
		// hidden: the queue goes on behind the limit, or not at all
		if !it.SeekGE(appendEntryKey(nil, c, limit+1)) || !bytes.HasPrefix(it.Key(), prefix) {
			return nil
		}
		if first, err = number(it.Key()[len(prefix):]); err != nil {
			return err
		}
	}
	if err := each(c, first); err != nil {
		return err
	}
	it.SeekGE(after(prefix)) // Pebble is fast when a search follows on a search: no Next between
	return nil
}
