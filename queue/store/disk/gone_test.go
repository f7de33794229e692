package disk

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"vernemq/queue/store"
)

// counting counts the attempts to make or open a file, and refuses to make one
// when it is told so.
type counting struct {
	opens    atomic.Int64
	readOnly atomic.Bool
}

func (c *counting) String() string { return "counting" }

func (c *counting) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpLink, errorfs.OpRename:
		c.opens.Add(1)
		if c.readOnly.Load() {
			return syscall.EROFS
		}
	case errorfs.OpOpen:
		c.opens.Add(1)
	}
	return nil
}

// goes is a store that a test takes the directory from.
type goes struct {
	t    *testing.T
	s    *Store
	fs   counting
	base string
}

func newGoes(t *testing.T) *goes {
	g := &goes{t: t, base: filepath.Join(t.TempDir(), "base")}
	o := Options{Dir: filepath.Join(g.base, "s"), Node: "n", MemTable: 64 << 10, Cache: 1 << 20, FS: errorfs.Wrap(vfs.Default, &g.fs)}
	g.s = must[*Store](t)(Open(o))
	if err := g.write(); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *goes) remove() {
	if err := os.RemoveAll(g.base); err != nil {
		g.t.Fatal(err)
	}
}

// write enqueues a message.
func (g *goes) write() error {
	m := testMessage("t", strings.Repeat("x", 20_000))
	defer m.Release()
	b := g.s.NewBatch()
	b.Enqueue(testClients[0], store.Delivery{Msg: m, QoS: 1}, false)
	done := make(chan error, 1)
	g.s.Commit(b, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		g.t.Fatal("a batch is never done")
		return nil
	}
}

// writeUntilItFails fills memtables until Pebble wants a new file.
func (g *goes) writeUntilItFails() {
	g.t.Helper()
	for range 1000 {
		if err := g.write(); err != nil {
			return
		}
	}
	g.t.Fatal("1000 batches were done")
}

// ends closes the store, which must be over soon, and looks whether Pebble goes
// on trying.
func (g *goes) ends() {
	g.t.Helper()
	if g.s.Health() == nil {
		g.t.Error("the store is well")
	}
	g.closes()
}

func (g *goes) closes() {
	g.t.Helper()
	began := time.Now()
	if err := g.s.Close(); err == nil || !strings.Contains(err.Error(), "the store has failed") {
		g.t.Errorf("closed with %v", err)
	}
	if d := time.Since(began); d > 5*time.Second {
		g.t.Errorf("closed after %v", d)
	}
	before := g.fs.opens.Load()
	time.Sleep(time.Second)
	if n := g.fs.opens.Load() - before; n > 20 {
		g.t.Errorf("Pebble opened %d files in a second", n)
	}
}

func TestDirectoryGone(t *testing.T) {
	for name, f := range map[string]func(*goes){
		"and written to": func(g *goes) { g.remove(); g.writeUntilItFails(); g.ends() },
		"and looked at": func(g *goes) {
			g.remove()
			if _, err := g.s.Free(); err == nil {
				t.Error("it has space")
			}
			if g.write() == nil {
				t.Error("a batch was done after that")
			}
			g.ends()
		},
		"when it is closed": func(g *goes) { g.remove(); g.closes() },
		"while it is closed": func(g *goes) {
			removed := make(chan struct{})
			go func() {
				defer close(removed)
				for os.RemoveAll(g.base) != nil { // a file came meanwhile
				}
			}()
			_ = g.s.Close() // whoever was first
			<-removed
		},
		"read only":                   func(g *goes) { g.fs.readOnly.Store(true); g.writeUntilItFails(); g.ends() },
		"read only when it is closed": func(g *goes) { g.fs.readOnly.Store(true); g.closes() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGoes(t)
			f(g)
		})
	}
}
