package disk

import (
	"bytes"
	"encoding/binary"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"vernemq/queue"
	"vernemq/queue/store"
)

var update = flag.Bool("update", false, "write the golden store anew")

func commit(t testing.TB, s *Store, b *Batch) {
	t.Helper()
	done := make(chan error, 1)
	s.Commit(b, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// goldenRetained is the retained message of the golden store.
func goldenRetained(mountpoint, topic string) *queue.Message {
	if mountpoint != "m" || topic != "a/b" {
		return nil
	}
	return unpooled(topic, "to several")
}

// golden writes one of everything.
func golden(t *testing.T, s *Store) {
	b := s.NewBatch()
	will := &store.Will{Topic: []byte("gone"), Payload: []byte("bye"), QoS: 1, Delay: 30, Due: 1_700_000_030}
	b.PutSession(testClients[0], &store.Session{Version: 5, Expiry: 3600, Absent: 1_700_000_000, Ends: 1_700_003_600, LastID: 17, Birth: 1 << 40, Will: will})
	b.PutSession(testClients[2], &store.Session{Version: 4, Expiry: 1<<32 - 1})
	b.PutSubscription(testClients[0], &store.Subscription{Filter: "$share/g/a/+", QoS: 2, RetainAsPublished: true, ID: 5})
	b.PutSubscription(testClients[0], &store.Subscription{Filter: "b/#", QoS: 1, NoLocal: true})
	m := testMessage("a/b", "to several")
	for _, c := range testClients[:3] {
		b.Enqueue(c, store.Delivery{Msg: m, QoS: 1, SubscriptionID: 5, Shared: "$share/g/a/+"}, true)
	}
	r := b.Enqueue(testClients[0], store.Delivery{Msg: m, QoS: 2, Retain: true}, false)
	b.HandOver(store.Handover{Loop: 1, Loops: 2, Mountpoint: "m", Filter: "$share/g/a/+", Msg: m})
	b.Retain("m", []byte("a/b"))
	m.Release()
	b.PutOutgoing(testClients[0], &store.Outgoing{ID: 16, State: store.Sent, Seq: r.Seq})
	b.PutOutgoing(testClients[0], &store.Outgoing{ID: 17, State: store.Released})
	b.PutIncoming(testClients[2], 1000)
	commit(t, s, b)
}

// writeGolden makes the golden store of today's format anew.
func writeGolden(t *testing.T, dir string) {
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s := must[*Store](t)(Open(Options{Dir: dir, Node: "golden", Sync: true, MemTable: 64 << 10, Retained: goldenRetained}))
	golden(t, s)
	m := must[*model](t)(load(s))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+".txt", []byte(m.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestGolden opens stores as they were written by the first version of format
// 1, and since sessions have a Birth and there are handovers. -update writes
// the latter.
func TestGolden(t *testing.T) {
	defer goleak.VerifyNone(t, leaks()...)
	if *update {
		writeGolden(t, filepath.Join("testdata", "format1-session2"))
	}
	for _, name := range []string{"format1", "format1-session2"} {
		t.Run(name, func(t *testing.T) { openGolden(t, filepath.Join("testdata", name)) })
	}
}

func openGolden(t *testing.T, dir string) {
	temp := t.TempDir()
	if err := os.CopyFS(temp, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	s := must[*Store](t)(Open(Options{Dir: temp + "/", Node: "golden"}))
	m := must[*model](t)(load(s))
	if want := must[[]byte](t)(os.ReadFile(dir + ".txt")); m.String() != string(want) {
		t.Errorf("the golden store has\n%s\nwant\n%s", m, want)
	}
	if err := checkBodies(s); err != nil {
		t.Error(err)
	}
	if _, err := Open(Options{Dir: temp, Node: "golden"}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s.Commit(s.NewBatch(), func(err error) {
		if err != ErrClosed {
			t.Errorf("commit after close: %v", err)
		}
	})
}

// TestRefused opens what must not be opened.
func TestRefused(t *testing.T) {
	defer goleak.VerifyNone(t, leaks()...)
	for what, c := range map[string]struct {
		key, value []byte
		want       string
	}{
		"newer":   {keyFormat, binary.BigEndian.AppendUint32([]byte{version}, 2), "it has format 2, this program knows format 1"},
		"strange": {keyFormat, []byte("?"), "cannot be read"},
		"other":   {keyNode, append([]byte{version}, "b"...), `it belongs to node "b", this node is "a"`},
		"boot":    {keyBoot, []byte{version}, "boot record"},
	} {
		fs := vfs.NewMem()
		o := Options{Dir: "store", Node: "a", FS: fs}
		s := must[*Store](t)(Open(o))
		if err := s.db.Set(c.key, c.value, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestForeign opens a Pebble database of somebody else.
func TestForeign(t *testing.T) {
	fs := vfs.NewMem()
	db := must[*pebble.DB](t)(pebble.Open("store", &pebble.Options{FS: fs, Merger: bodyMerger, Logger: pebbleLog{prepare(Options{}).fail}}))
	if err := db.Set([]byte("x"), nil, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: "store", FS: fs}); err == nil || !strings.Contains(err.Error(), "no store of this program") {
		t.Error(err)
	}
}

// TestDamage flips a bit in each file of a store that was not closed. What is
// read is right, or it is refused and the file is named. (Damage in the last 32
// KiB of the WAL looks like the torn end that a crash leaves.)
func TestDamage(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "s"), Node: "n", Sync: true, Retained: goldenRetained}
	s := must[*Store](t)(Open(o))
	golden(t, s)
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		golden(t, s) // stays in the WAL
	}
	want := must[*model](t)(load(s)).String()
	crashed := filepath.Join(t.TempDir(), "s")
	if err := os.CopyFS(crashed, os.DirFS(o.Dir)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{crashed, o.Dir} {
		for _, f := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
			if must[os.FileInfo](t)(f.Info()).Size() > 0 && !strings.HasPrefix(f.Name(), "OPTIONS") {
				damage(t, dir, f.Name(), want)
			}
		}
	}
}

func damage(t *testing.T, dir, file, want string) {
	temp := filepath.Join(t.TempDir(), "s")
	if err := os.CopyFS(temp, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(temp, file)
	data := must[[]byte](t)(os.ReadFile(name))
	data[len(bytes.TrimRight(data, "\x00"))/3] ^= 4
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readAll(temp)
	t.Logf("%s: %v", file, err)
	if err == nil && got != want {
		t.Errorf("%s damaged: the store has %d bytes, should have %d", file, len(got), len(want))
	}
	number, _, _ := strings.Cut(file, ".")
	if err != nil && !strings.Contains(err.Error(), number) {
		t.Errorf("%s damaged: %v", file, err)
	}
}

func readAll(dir string) (string, error) {
	s, err := Open(Options{Dir: dir, Node: "n", Sync: true})
	if err != nil {
		return "", err
	}
	m, err := load(s)
	if h := s.Health(); h != nil {
		err = h
	}
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	return m.String(), err
}

func TestCheckpoint(t *testing.T) {
	dir := t.TempDir()
	s := must[*Store](t)(Open(Options{Dir: filepath.Join(dir, "s"), Node: "n", Retained: goldenRetained}))
	golden(t, s)
	if err := s.Checkpoint(filepath.Join(dir, "copy")); err != nil {
		t.Fatal(err)
	}
	if err := s.Checkpoint(filepath.Join(dir, "copy")); err == nil || s.Health() != nil {
		t.Errorf("over another one: %v, health %v", err, s.Health())
	}
	want := must[*model](t)(load(s)).String()
	if got, err := readAll(filepath.Join(dir, "copy")); err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestAnnihilation holds that what comes and goes within a batch or a group is
// not written.
func TestAnnihilation(t *testing.T) {
	s := must[*Store](t)(Open(Options{Dir: "s", FS: vfs.NewMem()}))
	m := testMessage("t", "p")
	before := s.Metrics()
	b := s.NewBatch()
	for i := range 6 {
		b.Dequeue(testClients[0], b.Enqueue(testClients[0], store.Delivery{Msg: m, QoS: 1}, i%2 == 0))
		b.TakeOver(2, b.HandOver(store.Handover{Loop: 2, Loops: 4, Filter: "t", Msg: m}))
	}
	if !b.Empty() || b.Size() < 0 {
		t.Errorf("%d writes of %d bytes", b.live, b.Size())
	}
	commit(t, s, b)

	block := make(chan struct{})
	s.Commit(s.NewBatch(), func(error) { <-block })
	time.Sleep(10 * time.Millisecond) // the writer is busy: these make a group
	one, two := s.NewBatch(), s.NewBatch()
	r1 := one.Enqueue(testClients[0], store.Delivery{Msg: m, QoS: 1}, true)
	r2 := one.Enqueue(testClients[1], store.Delivery{Msg: m, QoS: 1}, true)
	r3 := one.Enqueue(testClients[1], store.Delivery{Msg: m, QoS: 1}, false)
	two.Dequeue(testClients[0], r1)
	two.Dequeue(testClients[1], r2)
	two.Dequeue(testClients[1], r3)
	two.TakeOver(7, one.HandOver(store.Handover{Loop: 7, Loops: 8, Msg: m}))
	s.Commit(one, nil)
	done := make(chan error)
	s.Commit(two, func(err error) { done <- err })
	close(block)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	after := s.Metrics()
	if after.Writes != before.Writes || after.Batches != before.Batches+4 || after.Waiting != 0 {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
	m.Release() // panics if the store had let go too often
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
