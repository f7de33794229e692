package disk

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"vernemq/queue/store"
)

// Exchanging shows each client that has QoS 2 exchanges which have not ended,
// once or twice.
func (s *Store) Exchanging(each func(store.Client) error) error {
	for _, kind := range []byte{kindOutgoing, kindIncoming} {
		if err := s.owners(kind, each); err != nil {
			return fmt.Errorf("cannot read QoS 2 exchanges: %w", err)
		}
	}
	return nil
}

// owners shows each client that has records of a kind.
func (s *Store) owners(kind byte, each func(store.Client) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		return err
	}
	for more := it.First(); more && err == nil; {
		c, rest, cerr := clientOf(it.Key())
		if cerr != nil {
			err = fmt.Errorf("key %q: %w", it.Key(), cerr)
			break
		}
		prefix := bytes.Clone(it.Key()[:len(it.Key())-len(rest)])
		if err = each(c); err == nil {
			more = it.SeekGE(after(prefix))
		}
	}
	return errors.Join(err, it.Error(), it.Close())
}
