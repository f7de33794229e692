package disk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"vernemq/queue"
	"vernemq/queue/store"
)

// world runs random batches against a store and the model, with crashes.
type world struct {
	t      *rapid.T
	opts   Options
	fs     *vfs.MemFS
	s      *Store
	now    *model
	past   []*model // after how many batches
	texts  []string
	acks   *acks
	memory *memory
}

// acks counts batches that are done; those of a store that has crashed no
// longer count.
type acks struct {
	sync.Mutex
	done int
	errs []error
}

func (a *acks) add(err error) {
	a.Lock()
	defer a.Unlock()
	if err != nil {
		a.errs = append(a.errs, err)
		return
	}
	a.done++
}

func (a *acks) count() int { a.Lock(); defer a.Unlock(); return a.done }

func (w *world) open(fs *vfs.MemFS) {
	w.fs, w.opts.FS, w.acks = fs, fs, &acks{}
	w.memory = newMemory()
	w.opts.Retained = w.memory.find
	s, err := Open(w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.s = s; rapid.Bool().Draw(w.t, "linger") {
		s.writer.pace.lingers = true // in the first pace window; the writer is idle
	}
}

// start begins a history with the state that the store has.
func (w *world) start(m *model) {
	w.now, w.past, w.texts = m, []*model{m.clone()}, []string{m.inOrder()}
	if err := w.memory.load(w.s); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) batch() {
	b := w.s.NewBatch()
	for range rapid.IntRange(0, 10).Draw(w.t, "writes") {
		w.write(b)
	}
	w.past, w.texts = append(w.past, w.now.clone()), append(w.texts, w.now.inOrder())
	w.memory.next()
	w.s.Commit(b, w.acks.add)
}

func (w *world) write(b *Batch) {
	c := rapid.SampledFrom(testClients).Draw(w.t, "client")
	n := rapid.IntRange(1, 3).Draw(w.t, "n")
	filter := fmt.Sprintf("f/%d", n)
	switch rapid.IntRange(0, 19).Draw(w.t, "what") {
	case 0:
		x := &store.Session{Version: 5, Expiry: uint32(n), Absent: int64(n), Ends: 9, LastID: 3, Birth: uint64(n) << 41}
		if n == 2 {
			x.Will = &store.Will{Topic: []byte("w"), Forward: []byte("p"), Payload: []byte("x"), QoS: 2, Due: 5}
		}
		b.PutSession(c, x)
		w.now.records[recordName("session", c, "")] = sessionText(x)
	case 1:
		if w.now.records[recordName("session", c, "")] == "" {
			return // a subscription without a session is not seen
		}
		sub := store.Subscription{Filter: filter, QoS: byte(n % 3), NoLocal: n == 1, ID: uint32(n)}
		b.PutSubscription(c, &sub)
		w.now.records[recordName("sub", c, filter)] = fmt.Sprintf("%+v", sub)
	case 2:
		b.DeleteSubscription(c, filter)
		delete(w.now.records, recordName("sub", c, filter))
	case 3:
		o := store.Outgoing{ID: uint16(n), State: store.Sent, Seq: 8}
		b.PutOutgoing(c, &o)
		w.now.records[recordName("out", c, n)] = fmt.Sprintf("%+v", o)
	case 4:
		b.DeleteOutgoing(c, uint16(n))
		delete(w.now.records, recordName("out", c, n))
	case 5:
		b.PutIncoming(c, uint16(n))
		w.now.records[recordName("in", c, n)] = ""
	case 6:
		b.DeleteIncoming(c, uint16(n))
		delete(w.now.records, recordName("in", c, n))
	case 7, 8:
		w.retain(b, c.Mountpoint, filter, n)
	case 9:
		b.DeleteSession(c)
		w.now.deleteSession(c)
	case 10:
		b.DeleteState(c)
		w.now.deleteState(c)
	case 11, 12, 13:
		w.enqueue(b)
	case 14, 15:
		w.handOver(b, c.Mountpoint, filter, uint16(n))
	case 16:
		w.takeOver(b)
	default:
		q := w.now.queues[c]
		if len(q) == 0 {
			return
		}
		i := rapid.IntRange(0, len(q)-1).Draw(w.t, "entry")
		b.Dequeue(c, q[i].ref)
		w.now.queues[c] = append(q[:i:i], q[i+1:]...)
	}
}

func (w *world) enqueue(b *Batch) {
	size := rapid.SampledFrom([]int{1, 200, 8000}).Draw(w.t, "size")
	m := testMessage("t", strings.Repeat("x", size))
	defer m.Release()
	many := rapid.Bool().Draw(w.t, "many")
	for range rapid.IntRange(1, 6).Draw(w.t, "receivers") {
		c := rapid.SampledFrom(testClients).Draw(w.t, "receiver")
		d := store.Delivery{Msg: m, QoS: 2, SubscriptionID: 7, Shared: "$share/g/t"}
		r := b.Enqueue(c, d, many)
		w.now.queues[c] = append(w.now.queues[c], modelEntry{ref: r, text: entryText(&d, r.Body)})
	}
}

func (w *world) handOver(b *Batch, mountpoint, filter string, loop uint16) {
	m := testMessage("t", filter)
	defer m.Release()
	h := store.Handover{Loop: loop, Loops: 4, Mountpoint: mountpoint, Filter: filter, Msg: m}
	w.now.handovers = append(w.now.handovers, modelEntry{b.HandOver(h), handoverText(&h), loop})
}

func (w *world) takeOver(b *Batch) {
	list := w.now.handovers
	if len(list) == 0 {
		return
	}
	i := rapid.IntRange(0, len(list)-1).Draw(w.t, "handover")
	b.TakeOver(list[i].loop, list[i].ref)
	w.now.handovers = append(list[:i:i], list[i+1:]...)
}

// retain replaces or, when n is 1, removes a retained message in memory.
func (w *world) retain(b *Batch, mountpoint, topic string, n int) {
	var m *queue.Message
	name := retainedName(mountpoint, topic)
	delete(w.now.retained, name)
	if n > 1 {
		m = unpooled(topic, fmt.Sprint(rapid.Int().Draw(w.t, "payload")))
		w.now.retained[name] = messageText(m)
	}
	w.memory.set(name, m)
	b.Retain(mountpoint, []byte(topic))
}

// settle waits for all batches and compares.
func (w *world) settle() {
	done := make(chan error)
	w.s.Commit(w.s.NewBatch(), func(err error) { done <- err })
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
	got, err := load(w.s)
	if err != nil {
		w.t.Fatal(err)
	}
	if got.String() != w.now.String() {
		w.t.Fatalf("the store has\n%s\nwant\n%s", got, w.now)
	}
}

// crash goes on with what the disk has; unsynced says how much of what was not
// synced it is, in percent. promised says whether what is done must be there.
func (w *world) crash(unsynced int, promised bool) {
	acked := w.acks.count()
	clone := w.fs.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: unsynced,
		RNG:                 rand.New(rand.NewPCG(rapid.Uint64().Draw(w.t, "seed"), 1)),
	})
	if err := w.s.Close(); err != nil {
		w.t.Fatal(err)
	}
	before := w.memory
	w.open(clone)
	m, err := load(w.s)
	if err != nil {
		w.t.Fatal(err)
	}
	if !promised {
		acked = 0
	}
	got := m.inOrder()
	for k := len(w.texts) - 1; k >= acked; k-- {
		if got != w.texts[k] {
			continue
		}
		if err = before.allows(m.retained, k); err == nil {
			w.start(m)
			return
		}
	}
	w.t.Fatalf("%d batches of %d were done; after the crash the store has\n%s\nmust have at least\n%s\n%v",
		acked, len(w.texts)-1, got, w.texts[acked], err)
}

func runWorld(t *rapid.T, sync bool, unsynced *rapid.Generator[int], promised bool) {
	w := &world{t: t, opts: Options{Dir: "store", Node: "n", Sync: sync, MemTable: 64 << 10, Cache: 1 << 20, piece: 3, receivers: 3}}
	w.open(vfs.NewCrashableMem())
	w.start(newModel())
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		switch rapid.IntRange(0, 19).Draw(t, "step") {
		case 0, 1:
			w.settle()
		case 2:
			w.crash(unsynced.Draw(t, "unsynced"), promised)
		case 3:
			if _, err := w.s.db.AsyncFlush(); err != nil {
				t.Fatal(err)
			}
		case 4:
			if err := w.s.db.Compact(context.Background(), []byte("a"), []byte("z"), false); err != nil {
				t.Fatal(err)
			}
		default:
			w.batch()
		}
	}
	w.settle()
	if err := checkBodies(w.s); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if err := w.s.Close(); err != nil || len(w.acks.errs) > 0 {
		t.Fatal(err, w.acks.errs)
	}
}

// leaks are what a test may not leave behind. A Pebble that could not be
// closed, in the tests of failing disks, tries to compact and flush for ever.
func leaks() []goleak.Option {
	out := []goleak.Option{goleak.IgnoreCurrent()}
	for _, f := range []string{"compact.func1", "compact.func1.1", "flush.func1", "flush.func1.1"} {
		out = append(out, goleak.IgnoreAnyFunction("github.com/cockroachdb/pebble/v2.(*DB)."+f))
	}
	return out
}

// TestPowerLoss holds that with Sync what is done survives a power loss, that
// batches survive whole and in order, and that bodies and entries match.
func TestPowerLoss(t *testing.T) {
	defer goleak.VerifyNone(t, leaks()...)
	rapid.Check(t, func(t *rapid.T) { runWorld(t, true, rapid.IntRange(0, 100), true) })
}

// TestKill holds the same without Sync when only the process ends.
func TestKill(t *testing.T) {
	defer goleak.VerifyNone(t, leaks()...)
	rapid.Check(t, func(t *rapid.T) { runWorld(t, false, rapid.Just(100), true) })
}

// TestPowerLossWithoutSync holds that the store can be opened and has whole
// batches in order, though not all that was done.
func TestPowerLossWithoutSync(t *testing.T) {
	defer goleak.VerifyNone(t, leaks()...)
	rapid.Check(t, func(t *rapid.T) { runWorld(t, false, rapid.IntRange(0, 100), false) })
}
