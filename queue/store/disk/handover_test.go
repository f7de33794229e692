package disk

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"vernemq/queue"
	"vernemq/queue/store"
)

// TestHandovers holds that a message is handed over from loop to loop at the
// price of next to nothing, and that those which nobody took over are shown in
// order after a restart.
func TestHandovers(t *testing.T) {
	defer goleak.VerifyNone(t, leaks()...)
	o := Options{Dir: "s", FS: vfs.NewMem()}
	s := must[*Store](t)(Open(o))
	const messages = 1000
	type handed struct {
		loop uint16
		ref  queue.Ref
	}
	way := make(chan handed, messages)
	m := testMessage("t", "p")
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(way)
		for i := range messages {
			b, loop := s.NewBatch(), uint16(i%4)
			r := b.HandOver(store.Handover{Loop: loop, Loops: 4, Mountpoint: "m", Filter: fmt.Sprint(i), Msg: m})
			s.Commit(b, nil)
			way <- handed{loop, r}
		}
	})
	left := []uint64{}
	wg.Go(func() {
		n := 0
		for x := range way {
			if n++; n%100 == 1 {
				left = append(left, x.ref.Seq)
				continue
			}
			b := s.NewBatch()
			b.TakeOver(x.loop, x.ref)
			s.Commit(b, nil)
		}
	})
	wg.Wait()
	m.Release()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = must[*Store](t)(Open(o))
		b, n := s.NewBatch(), 0
		err := s.Handovers(func(r queue.Ref, h store.Handover) error {
			defer h.Msg.Release()
			if n >= len(left) || r.Seq != left[n] || h.Filter != fmt.Sprint(n*100) || h.Mountpoint != "m" || h.Loops != 4 || string(h.Msg.Payload()) != "p" {
				return fmt.Errorf("handover %d: %+v %+v", n, r, h)
			}
			n++
			b.TakeOver(h.Loop, r)
			return nil
		})
		if err != nil || n != len(left) {
			t.Fatalf("%d handovers of %d, %v", n, len(left), err)
		}
		commit(t, s, b)
		left = nil
	}
	commitHandover(t, s)
	stop := errors.New("enough")
	if err := s.Handovers(func(_ queue.Ref, h store.Handover) error { h.Msg.Release(); return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func commitHandover(t *testing.T, s *Store) {
	m := testMessage("t", "p")
	defer m.Release()
	b := s.NewBatch()
	b.HandOver(store.Handover{Loop: 1, Loops: 2, Msg: m})
	commit(t, s, b)
}
