package disk

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"vernemq/queue/store"
)

// Sessions shows all sessions with their subscriptions; queues and messages are
// not touched. So many workers call each at the same time: worker w for the
// slots whose number divided by workers leaves w. The session and the slice are
// valid during the call; their strings and the will are the caller's.
func (s *Store) Sessions(workers int, each func(worker int, c store.Client, x *store.Session, subs []store.Subscription) error) error {
	workers = max(workers, 1)
	var wg sync.WaitGroup
	var stop atomic.Bool
	errs := make([]error, workers)
	for i := range min(workers, Slots) {
		wg.Go(func() {
			errs[i] = s.slots(i, workers, func(c store.Client, x *store.Session, subs []store.Subscription) error {
				if stop.Load() {
					return errStopped
				}
				return each(i, c, x, subs)
			})
			if errs[i] != nil {
				stop.Store(true)
			}
		})
	}
	wg.Wait()
	errs = slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, errStopped) })
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot read sessions: %w", err)
	}
	return nil
}

// errStopped ends a worker because another one has an error.
var errStopped = errors.New("stopped")

// slots walks over sessions and subscriptions of every step-th slot side by
// side: both are sorted by P.
func (s *Store) slots(first, step int, each func(store.Client, *store.Session, []store.Subscription) error) (err error) {
	sessions, err := s.kindIter(kindSession)
	if err != nil {
		return err
	}
	subs, err := s.kindIter(kindSubscription)
	if err != nil {
		return errors.Join(err, sessions.Close())
	}
	defer func() { err = errors.Join(err, sessions.Close(), subs.Close()) }()
	w := walk{sessions: sessions, subs: subs}
	for slot := first; slot < Slots; slot += step {
		if err := w.slot(uint16(slot), each); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) kindIter(kind byte) (*pebble.Iterator, error) {
	return s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
}

type walk struct {
	sessions, subs *pebble.Iterator
	x              store.Session
	list           []store.Subscription
}

func (w *walk) slot(slot uint16, each func(store.Client, *store.Session, []store.Subscription) error) error {
	w.subs.SeekGE(appendSlot(nil, kindSubscription, slot))
	end := appendSlot(nil, kindSession, slot+1)
	more := w.sessions.SeekGEWithLimit(appendSlot(nil, kindSession, slot), end)
	for ; more == pebble.IterValid; more = w.sessions.NextWithLimit(end) {
		if err := w.session(each); err != nil {
			return fmt.Errorf("key %q: %w", w.sessions.Key(), err)
		}
	}
	return errors.Join(w.sessions.Error(), w.subs.Error())
}

func (w *walk) session(each func(store.Client, *store.Session, []store.Subscription) error) error {
	it := w.sessions
	c, rest, err := clientOf(it.Key())
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return errors.New("session: the key goes on")
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	if err := parseSession(value, &w.x); err != nil {
		return err
	}
	if err := w.collect(it.Key()[1:]); err != nil {
		return err
	}
	return each(c, &w.x, w.list)
}

// collect reads the subscriptions of a client and leaves out those before it,
// which have no session.
func (w *walk) collect(prefix []byte) error {
	clear(w.list)
	w.list = w.list[:0]
	for ; w.subs.Valid(); w.subs.Next() {
		key := w.subs.Key()[1:]
		filter, mine := bytes.CutPrefix(key, prefix)
		if !mine {
			if bytes.Compare(key, prefix) < 0 {
				continue
			}
			break
		}
		value, err := w.subs.ValueAndErr()
		if err != nil {
			return err
		}
		sub := store.Subscription{Filter: string(filter)}
		if err := parseSubscription(value, &sub); err != nil {
			return fmt.Errorf("%q: %w", filter, err)
		}
		w.list = append(w.list, sub)
	}
	return w.subs.Error()
}
