package disk

import (
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
	"vernemq/queue/store"
)

// TestLoops lets several loops write, and read beside it: each client gets what
// was enqueued for it, in order, once.
func TestLoops(t *testing.T) {
	defer goleak.VerifyNone(t, leaks()...)
	s := must[*Store](t)(Open(Options{Dir: "s", FS: vfs.NewMem(), MemTable: 64 << 10, piece: 10, receivers: 2}))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if err := work(s, i); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := checkBodies(s); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func work(s *Store, loop int) error {
	c, other := clientNamed("", fmt.Sprint("c", loop)), clientNamed("", fmt.Sprint("d", loop))
	done := make(chan error, 1)
	next, sent := uint64(0), 0
	for round := range 60 {
		b := s.NewBatch()
		if round%20 == 0 {
			b.DeleteSession(c)
			b.DeleteSession(other)
			next, sent = 0, 0
		}
		for range 5 {
			m := testMessage("t", fmt.Sprint(sent))
			b.Enqueue(c, store.Delivery{Msg: m, QoS: 1}, true)
			b.Enqueue(other, store.Delivery{Msg: m, QoS: 1}, true)
			m.Release()
			sent++
		}
		s.Commit(b, func(err error) { done <- err })
		if err := <-done; err != nil {
			return err
		}
		if round%3 > 0 {
			continue
		}
		read, err := take(s, loop, int(next))
		if err != nil {
			return err
		}
		next += uint64(read)
		if bounds, err := s.Bounds(c, 0, 0); err != nil || int(next)+bounds.Len != sent {
			return fmt.Errorf("%d of %d were read, bounds %+v, %v", next, sent, bounds, err)
		}
	}
	return nil
}

// take reads and removes a page.
func take(s *Store, loop, from int) (int, error) {
	c := clientNamed("", fmt.Sprint("c", loop))
	page, err := s.Page(c, 0, 7, 1<<20)
	if err != nil {
		return 0, err
	}
	b := s.NewBatch()
	for i := range page {
		if got := string(page[i].Msg.Payload()); got != fmt.Sprint(from+i) {
			return 0, fmt.Errorf("entry %s instead of %d", got, from+i)
		}
		b.Dequeue(c, page[i].Ref)
		page[i].Msg.Release()
	}
	done := make(chan error, 1)
	s.Commit(b, func(err error) { done <- err })
	return len(page), <-done
}
