package disk

import (
	"runtime"
	"testing"

	"vernemq/queue/store"
)

func heapSize() int64 {
	runtime.GC()
	runtime.GC() // what is in a sync.Pool takes two
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestInMemory holds that a test may have many stores, and close and open them.
func TestInMemory(t *testing.T) {
	const stores = 20
	m := testMessage("t", "p")
	defer m.Release()
	var o Options
	before := heapSize()
	list := []*Store{}
	outside := int64(0) // of the heap
	for range stores {
		o = InMemory()
		s := must[*Store](t)(Open(o))
		b := s.NewBatch()
		b.PutSession(testClients[0], &store.Session{})
		for range 100 {
			b.Dequeue(testClients[0], b.Enqueue(testClients[0], store.Delivery{Msg: m, QoS: 1}, false))
			b.Enqueue(testClients[0], store.Delivery{Msg: m, QoS: 1}, false)
		}
		commit(t, s, b)
		list = append(list, s)
		x := s.db.Metrics()
		outside += int64(x.MemTable.Size) + x.BlockCache.Size
	}
	size := (heapSize() - before + outside) / stores
	t.Logf("%d bytes each, %d goroutines in all", size, runtime.NumGoroutine())
	if size > 1<<20 {
		t.Errorf("%d bytes each", size)
	}
	for _, s := range list {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	s := must[*Store](t)(Open(o))
	if b, err := s.Bounds(testClients[0], 0, 0); err != nil || b.Len != 100 {
		t.Errorf("opened again: %+v, %v", b, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// BenchmarkOpen opens and closes a store of a test.
func BenchmarkOpen(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s := must[*Store](b)(Open(InMemory()))
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
