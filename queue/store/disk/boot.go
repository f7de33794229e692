package disk

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"vernemq/queue"
	"vernemq/queue/store"
)

// Sessions shows all sessions with their subscriptions; queues and messages are
// not touched. So many workers call each at the same time, each worker with
// slots of its own. The session and the slice are valid during the call; their
// strings and the will are the caller's.
func (s *Store) Sessions(workers int, each func(worker int, c store.Client, x *store.Session, subs []store.Subscription) error) error {
	workers = min(max(workers, 1), Slots)
	var wg sync.WaitGroup
	var stop atomic.Bool
	errs := make([]error, workers)
	for i := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			from, to := Slots*i/workers, Slots*(i+1)/workers
			errs[i] = s.slots(uint16(from), uint16(to), func(c store.Client, x *store.Session, subs []store.Subscription) error {
				if stop.Load() {
					return nil
				}
				return each(i, c, x, subs)
			})
			if errs[i] != nil {
				stop.Store(true)
			}
		}()
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot read sessions: %w", err)
	}
	return nil
}

// slots walks over sessions and subscriptions of slots side by side: both are
// sorted by P.
func (s *Store) slots(from, to uint16, each func(store.Client, *store.Session, []store.Subscription) error) (err error) {
	sessions, err := s.slotIter(kindSession, from, to)
	if err != nil {
		return err
	}
	subs, err := s.slotIter(kindSubscription, from, to)
	if err != nil {
		return errors.Join(err, sessions.Close())
	}
	defer func() { err = errors.Join(err, sessions.Close(), subs.Close()) }()
	w := walk{subs: subs}
	subs.First()
	for more := sessions.First(); more; more = sessions.Next() {
		if err := w.session(sessions, each); err != nil {
			return fmt.Errorf("key %q: %w", sessions.Key(), err)
		}
	}
	return errors.Join(sessions.Error(), subs.Error())
}

func (s *Store) slotIter(kind byte, from, to uint16) (*pebble.Iterator, error) {
	return s.db.NewIter(&pebble.IterOptions{
		LowerBound: appendSlot(nil, kind, from), UpperBound: appendSlot(nil, kind, to),
	})
}

type walk struct {
	subs *pebble.Iterator
	x    store.Session
	list []store.Subscription
}

func (w *walk) session(it *pebble.Iterator, each func(store.Client, *store.Session, []store.Subscription) error) error {
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

// Retained shows all retained messages. They are not pooled and are each's.
func (s *Store) Retained(each func(mountpoint string, m *queue.Message) error) error {
	err := s.scan([]byte{kindRetained}, func(key, value []byte) error {
		mountpoint, topic, err := retainedOf(key)
		if err != nil {
			return err
		}
		m, err := parseMessage(value)
		if err != nil {
			return err
		}
		defer m.Release()
		if !bytes.Equal(m.Topic(), topic) {
			return fmt.Errorf("message of topic %q", m.Topic())
		}
		var p queue.Publication
		p.View(m)
		defer p.Reset()
		return each(mountpoint, p.Unpooled())
	})
	if err != nil {
		return fmt.Errorf("cannot read retained messages: %w", err)
	}
	return nil
}
