package disk

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"vernemq/queue"
	"vernemq/queue/store"
)

func memStore(t testing.TB, o Options) *Store {
	o.Dir, o.FS = "s", vfs.NewMem()
	s := must[*Store](t)(Open(o))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestSlots holds that each worker gets the sessions of its slots, with their
// subscriptions, once.
func TestSlots(t *testing.T) {
	defer goleak.VerifyNone(t, leaks()...)
	s := must[*Store](t)(Open(Options{Dir: "s", FS: vfs.NewMem()}))
	const clients = 3000
	b := s.NewBatch()
	for i := range clients {
		c := clientNamed("", fmt.Sprint(i))
		b.PutSession(c, &store.Session{LastID: uint16(i)})
		for k := range i % 3 {
			b.PutSubscription(c, &store.Subscription{Filter: fmt.Sprint("f/", k), ID: uint32(i)})
		}
		b.PutSubscription(clientNamed("", fmt.Sprint("nobody", i)), &store.Subscription{Filter: "x"})
	}
	commit(t, s, b)
	for _, workers := range []int{0, 1, 2, 7, 5000} {
		var mu sync.Mutex
		seen := map[uint16]bool{}
		err := s.Sessions(workers, func(w int, c store.Client, x *store.Session, subs []store.Subscription) error {
			mu.Lock()
			defer mu.Unlock()
			if seen[x.LastID] || int(slotOf(c))%max(workers, 1) != w || c.ID != fmt.Sprint(x.LastID) {
				return fmt.Errorf("worker %d got %v", w, c)
			}
			seen[x.LastID] = true
			if len(subs) != int(x.LastID)%3 || len(subs) > 0 && subs[0].ID != uint32(x.LastID) {
				return fmt.Errorf("%v has %+v", c, subs)
			}
			return nil
		})
		if err != nil || len(seen) != clients {
			t.Errorf("%d workers: %d sessions, %v", workers, len(seen), err)
		}
	}
	stop := errors.New("enough")
	err := s.Sessions(3, func(int, store.Client, *store.Session, []store.Subscription) error { return stop })
	if !errors.Is(err, stop) || errors.Is(err, errStopped) || !strings.Contains(err.Error(), "cannot read sessions") {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestBacklogs holds that queues are found without their sessions, that what is
// being deleted does not count, and what comes after it does.
func TestBacklogs(t *testing.T) {
	s := memStore(t, Options{piece: 2})
	m := testMessage("t", "p")
	defer m.Release()
	d := store.Delivery{Msg: m, QoS: 1}
	first := map[store.Client]uint64{}
	b := s.NewBatch()
	for i := range 100 {
		c := clientNamed("m", fmt.Sprint(i))
		first[c] = b.Enqueue(c, d, false).Seq
		for range i % 5 {
			b.Enqueue(c, d, true)
		}
	}
	long, again := clientNamed("m", "long"), clientNamed("m", "again")
	for range 1000 {
		b.Enqueue(long, d, false)
		b.Enqueue(again, d, false)
	}
	commit(t, s, b)
	b = s.NewBatch()
	b.DeleteSession(long)
	b.DeleteSession(again)
	first[again] = b.Enqueue(again, d, false).Seq
	commit(t, s, b)
	err := s.Backlogs(func(c store.Client, seq uint64) error {
		if first[c] != seq {
			return fmt.Errorf("queue of %v begins with %d, want %d", c, seq, first[c])
		}
		delete(first, c)
		return nil
	})
	if err != nil || len(first) > 0 {
		t.Errorf("%v, not seen: %v", err, first)
	}
	if s.Metrics().Deleting == 0 {
		t.Log("all were deleted before")
	}
	if err := checkBodies(s); err != nil {
		t.Error(err)
	}
	stop := errors.New("enough")
	if err := s.Backlogs(func(store.Client, uint64) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

// TestDeleteState holds that the queue stays, and what was written before and
// after in the same batch.
func TestDeleteState(t *testing.T) {
	s := memStore(t, Options{})
	c := testClients[0]
	m := testMessage("t", "p")
	defer m.Release()
	d := store.Delivery{Msg: m, QoS: 2}
	fill := func(b *Batch) {
		b.PutSession(c, &store.Session{Birth: 1})
		b.PutSubscription(c, &store.Subscription{Filter: "old"})
		b.PutOutgoing(c, &store.Outgoing{ID: 1, State: store.Sent})
		b.PutIncoming(c, 1)
	}
	want := newModel()
	keep := func(r queue.Ref) {
		want.queues[c] = append(want.queues[c], modelEntry{ref: r, text: entryText(&d, r.Body)})
	}
	one, two := s.NewBatch(), s.NewBatch()
	fill(one)
	keep(one.Enqueue(c, d, false))
	gone := one.Enqueue(c, d, true)
	fill(two)
	two.Dequeue(c, gone)
	keep(two.Enqueue(c, d, true))
	two.DeleteState(c)
	x := &store.Session{Birth: s.Last()}
	two.PutSession(c, x)
	want.records[recordName("session", c, "")] = sessionText(x)
	two.PutIncoming(c, 2)
	want.records[recordName("in", c, 2)] = ""
	keep(two.Enqueue(c, d, false))
	s.Commit(one, nil)
	commit(t, s, two)
	if got := must[*model](t)(load(s)); got.String() != want.String() {
		t.Errorf("the store has\n%s\nwant\n%s", got, want)
	}
	if last := want.queues[c][2].ref.Seq; x.Birth >= last || x.Birth < want.queues[c][1].ref.Seq || s.Last() < last {
		t.Errorf("birth %d, last %d, queue %v", x.Birth, s.Last(), want.queues[c])
	}
	b := s.NewBatch()
	b.DeleteState(c)
	b.DeleteSession(c)
	if commit(t, s, b); must[*model](t)(load(s)).String() != "" {
		t.Error("not empty after DeleteSession")
	}
}
