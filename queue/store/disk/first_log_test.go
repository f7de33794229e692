package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"vernemq/queue"
	"vernemq/queue/store"
)

// TestDamageOfFirstLog damages the first WAL of a new store, far before its
// synced end. Pebble makes that log before the format is raised, without the
// notes of how much is synced.
func TestDamageOfFirstLog(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "s"), Node: "n", Sync: true}
	s := must[*Store](t)(Open(o))
	done := make(chan error, 1)
	for i := range 1000 {
		b := s.NewBatch()
		b.PutSession(store.Client{Key: queue.KeyOf("", fmt.Sprint("client", i)), ID: fmt.Sprint("client", i)}, &store.Session{Version: 4})
		s.Commit(b, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	want := must[*model](t)(load(s)).String()
	crashed := filepath.Join(t.TempDir(), "s")
	if err := os.CopyFS(crashed, os.DirFS(o.Dir)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	logs, _ := filepath.Glob(filepath.Join(crashed, "*.log"))
	data := must[[]byte](t)(os.ReadFile(logs[0]))
	data[len(data)/3] ^= 4
	if err := os.WriteFile(logs[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(crashed); err == nil && got != want {
		t.Errorf("the store has %d bytes, should have %d, and says nothing", len(got), len(want))
	}
}
