package server

import (
	"github.com/cockroachdb/pebble/v2/vfs"

	"vernemq/queue/store/disk"
)

// tester is a testing.TB or a rapid.T.
type tester interface {
	Helper()
	Fatal(...any)
}

// newStore opens a store in memory.
func newStore(t tester) *disk.Store {
	t.Helper()
	return openStore(t, vfs.NewMem())
}

func openStore(t tester, fs vfs.FS) *disk.Store {
	t.Helper()
	st, err := disk.Open(disk.Options{Dir: "store", Node: "test", FS: fs, Cache: 1 << 20, MemTable: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// onLoop runs f on a loop and waits for it.
func onLoop(b *Broker, i int, f func(*loop)) {
	done := make(chan struct{})
	b.loops[i].reactor.Post(func() { f(b.loops[i]); close(done) })
	<-done
}
