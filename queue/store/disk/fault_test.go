package disk

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"vernemq/queue"
	"vernemq/queue/store"
)

// failing lets the n-th write to the disk and all after it fail, as a full disk
// does. Reading and closing go on.
type failing struct {
	left atomic.Int64
	hit  atomic.Bool
}

func (f *failing) String() string { return "failing" }

func (f *failing) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileClose, errorfs.OpLock, errorfs.OpFilePreallocate:
		return nil
	}
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead || f.left.Add(-1) >= 0 {
		return nil
	}
	f.hit.Store(true)
	return syscall.ENOSPC
}

// fill hands over batches that make WAL files change and tables be written. It
// returns the states after each batch and how many batches were done.
func fill(t *testing.T, s *Store, kept *memory) (states []string, done int) {
	m := newModel()
	states = append(states, m.String())
	var refs []queue.Ref
	errs := make(chan error, 100)
	c := testClients[0]
	for i := range 60 {
		b := s.NewBatch()
		x := &store.Session{LastID: uint16(i)}
		b.PutSession(c, x)
		m.records[recordName("session", c, "")] = sessionText(x)
		msg := testMessage("t", strings.Repeat(string(rune('a'+i%26)), 3000))
		for _, to := range testClients[:3] {
			d := store.Delivery{Msg: msg, QoS: 1}
			r := b.Enqueue(to, d, i%2 == 0)
			m.queues[to] = append(m.queues[to], modelEntry{ref: r, text: entryText(&d, r.Body)})
			if to == c {
				refs = append(refs, r)
			}
		}
		msg.Release()
		if i%3 == 0 { // the batch is waited for: memory is as it was then
			kept.fill(b, m, i)
		}
		if i > 5 {
			b.Dequeue(c, refs[0])
			refs, m.queues[c] = refs[1:], m.queues[c][1:]
		}
		if i == 40 {
			b.DeleteSession(testClients[1])
			m.deleteSession(testClients[1])
		}
		if i == 43 {
			b.DeleteState(c)
			m.deleteState(c)
		}
		states = append(states, m.String())
		s.Commit(b, func(err error) { errs <- err })
		if i%3 == 0 || i == 59 { // some wait, some queue up
			done += drain(t, errs, i+1)
		}
	}
	return states, done
}

// fill replaces or removes a retained message, and hands over one message and
// takes over that of the time before.
func (x *memory) fill(b *Batch, m *model, i int) {
	var msg *queue.Message
	name := retainedName("", "t")
	delete(m.retained, name)
	if i%9 > 0 {
		msg = unpooled("t", fmt.Sprint(i))
		m.retained[name] = messageText(msg)
	}
	x.set(name, msg)
	b.Retain("", []byte("t"))
	if i > 0 {
		b.TakeOver(m.handovers[0].loop, m.handovers[0].ref)
	}
	p := testMessage("t", fmt.Sprint(i))
	h := store.Handover{Loop: uint16(i), Loops: 100, Filter: "#", Msg: p}
	m.handovers = []modelEntry{{b.HandOver(h), handoverText(&h), h.Loop}}
	p.Release()
}

var drained atomic.Int64

// drain waits until n batches in all are done, and refuses a success after an
// error.
func drain(t *testing.T, errs chan error, n int) (ok int) {
	t.Helper()
	for int(drained.Load()) < n {
		select {
		case err := <-errs:
			drained.Add(1)
			if err == nil {
				ok++
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%d of %d batches are done", drained.Load(), n)
		}
	}
	return ok
}

var allWrites = flag.Bool("disk.allwrites", false, "let each write fail, not some of them (minutes)")

// TestWritesFail runs the same work with the disk failing from each of its
// writes on in turn: nobody dies, each batch is done, none with success after
// one without, and what was done with success is there when the disk is well
// again. Without -disk.allwrites it takes some of the writes, others each time.
func TestWritesFail(t *testing.T) {
	hung := 0
	for _, sync := range []bool{true, false} {
		step := func() int64 { return 1 }
		if !*allWrites {
			step = func() int64 { return 1 + rand.Int64N(20) }
		}
		for n := step() - 1; ; n += step() {
			ended, h := failAt(t, sync, n)
			if ended {
				t.Logf("sync %v: %d writes", sync, n)
				break
			}
			if h {
				hung++
			}
		}
	}
	t.Logf("Pebble could not be closed %d times", hung)
}

func failAt(t *testing.T, sync bool, n int64) (ended, stuck bool) {
	f := &failing{}
	f.left.Store(n)
	mem := vfs.NewCrashableMem()
	kept := newMemory()
	o := Options{Dir: "store", Node: "n", Sync: sync, MemTable: 64 << 10, Cache: 1 << 20, FS: errorfs.Wrap(mem, f), Retained: kept.find, piece: 3}
	states, done := []string{newModel().String()}, 0
	s, err := Open(o)
	if err == nil {
		drained.Store(0)
		states, done = fill(t, s, kept)
		failed := s.Health() != nil
		if failed && !strings.Contains(s.Health().Error(), "no space left") {
			t.Fatalf("write %d: health %v", n, s.Health())
		}
		if !failed && done != 60 || failed && s.Checkpoint("copy") == nil {
			t.Fatalf("write %d: %d batches done, failed %v", n, done, failed)
		}
		err = s.Close()
		stuck = s.guard.hung.Load()
	} else if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("write %d: %v", n, err)
	}
	if !f.hit.Load() {
		return true, false
	}
	o.FS = mem
	if sync {
		o.FS = mem.CrashClone(vfs.CrashCloneCfg{})
	}
	again(t, fmt.Sprintf("sync %v, write %d: %v", sync, n, err), o, states, done)
	return false, stuck
}

// again opens the store when the disk is well.
func again(t *testing.T, when string, o Options, states []string, done int) {
	s, err := Open(o)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	m, err := load(s)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	k := len(states) - 1
	for k >= done && states[k] != m.String() {
		k--
	}
	if k < done {
		t.Fatalf("%s: %d batches were done, the store has\n%.2000s", when, done, m)
	}
	if err := checkBodies(s); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
}
