package disk

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vernemq/queue"
	"vernemq/queue/store"
)

// TestNewDirectories loses the power right after the first start: what is done
// is there, and so are the directories that it lies in.
func TestNewDirectories(t *testing.T) {
	mem := vfs.NewCrashableMem()
	if err := mem.MkdirAll("base/data", 0o750); err != nil { // who starts the broker has made it
		t.Fatal(err)
	}
	o := Options{Dir: "base/data/store", Node: "n", Sync: true, FS: mem}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	b := s.NewBatch()
	b.PutSession(store.Client{Key: queue.KeyOf("", "c"), ID: "c"}, &store.Session{Version: 5})
	done := make(chan error)
	s.Commit(b, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	o.FS = mem.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(o); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := 0
	if err := s.Sessions(1, func(int, store.Client, *store.Session, []store.Subscription) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d sessions, %v", n, err)
	}
}
