package disk

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"vernemq/queue"
	"vernemq/queue/store"
)

func benchStore(b *testing.B, sync bool) *Store {
	s := must[*Store](b)(Open(Options{Dir: b.TempDir(), Node: "bench", Sync: sync}))
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

func benchClients(n int) []store.Client {
	list := make([]store.Client, n)
	for i := range list {
		list[i] = clientNamed("", fmt.Sprintf("client-%07d", i))
	}
	return list
}

func benchMessage(payload int) *queue.Message {
	return queue.NewMessage([]byte("sensors/building/room/temperature"), nil, make([]byte, payload))
}

// BenchmarkAnnihilated is what a message costs that is acknowledged before its
// batch is handed over.
func BenchmarkAnnihilated(b *testing.B) {
	s := benchStore(b, false)
	m, c := benchMessage(100), benchClients(1)[0]
	batch := s.NewBatch()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		batch.Dequeue(c, batch.Enqueue(c, store.Delivery{Msg: m, QoS: 1}, false))
		if i%256 == 255 {
			s.Commit(batch, nil)
			batch = s.NewBatch()
		}
	}
}

// BenchmarkEnqueue writes entries; an operation is one entry. Batches are of 64
// entries or of one message.
func BenchmarkEnqueue(b *testing.B) {
	for _, receivers := range []int{1, 1000} {
		b.Run(fmt.Sprintf("receivers=%d", receivers), func(b *testing.B) {
			s := benchStore(b, false)
			clients := benchClients(1000)
			m := benchMessage(100)
			var failed atomic.Int64
			done := func(err error) {
				if err != nil {
					failed.Add(1)
				}
			}
			b.ReportAllocs()
			before := s.Metrics()
			batch, size := s.NewBatch(), max(64, receivers)
			i := 0
			for ; b.Loop(); i++ {
				batch.Enqueue(clients[i%1000], store.Delivery{Msg: m, QoS: 1}, receivers > 1)
				if (i+1)%size == 0 {
					s.Commit(batch, done)
					batch = s.NewBatch()
					for s.Behind() > 8<<20 {
						time.Sleep(time.Millisecond)
					}
				}
			}
			commit(b, s, batch)
			b.ReportMetric(float64(s.Metrics().WALBytes-before.WALBytes)/float64(i), "wal-B/op")
			if failed.Load() > 0 {
				b.Error(s.Health())
			}
		})
	}
}

// BenchmarkCommit commits one entry and its removal, each in a batch of its
// own, with so many batches on their way as there are loops.
func BenchmarkCommit(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, loops := range []int{1, 16} {
			b.Run(fmt.Sprintf("sync=%v/loops=%d", sync, loops), func(b *testing.B) {
				s := benchStore(b, sync)
				clients := benchClients(loops)
				m := benchMessage(100)
				free := make(chan int, loops)
				refs := make([]queue.Ref, loops)
				for i := range loops {
					free <- i
				}
				before := s.Metrics()
				b.ReportAllocs()
				n := 0
				for ; b.Loop(); n++ {
					i := <-free
					batch := s.NewBatch()
					if refs[i].Seq == 0 {
						refs[i] = batch.Enqueue(clients[i], store.Delivery{Msg: m, QoS: 1}, false)
					} else {
						batch.Dequeue(clients[i], refs[i])
						refs[i] = queue.Ref{}
					}
					s.Commit(batch, func(error) { free <- i })
				}
				for range loops {
					<-free
				}
				x := s.Metrics()
				groups := float64(x.Groups - before.Groups)
				b.ReportMetric((x.LatencySeconds-before.LatencySeconds)/float64(n)*1e6, "us-latency")
				b.ReportMetric(float64(x.WALBytes-before.WALBytes)/float64(n)*2, "wal-B/msg")
				b.ReportMetric(float64(n)/groups, "batches/group")
			})
		}
	}
}

// BenchmarkDrain reads and removes a queue page by page; an operation is one
// entry. With -benchtime=1000000x it is a queue of a million.
func BenchmarkDrain(b *testing.B) {
	s := benchStore(b, false)
	c := benchClients(1)[0]
	m := benchMessage(100)
	for left := b.N; left > 0; {
		batch := s.NewBatch()
		for range min(left, 1000) {
			batch.Enqueue(c, store.Delivery{Msg: m, QoS: 1}, false)
		}
		left -= min(left, 1000)
		commit(b, s, batch)
	}
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for from := uint64(0); ; {
		page := must[[]store.Queued](b)(s.Page(c, from, 256, 1<<20))
		if len(page) == 0 {
			break
		}
		batch := s.NewBatch()
		for i := range page {
			from = page[i].Seq + 1
			batch.Dequeue(c, page[i].Ref)
			page[i].Msg.Release()
			n++
		}
		s.Commit(batch, nil)
	}
	commit(b, s, s.NewBatch())
	if n != b.N {
		b.Errorf("%d of %d entries", n, b.N)
	}
}

// BenchmarkBoot reads sessions of one subscription each; an operation is one
// session. With -benchtime=1000000x there are a million.
func BenchmarkBoot(b *testing.B) {
	dir := b.TempDir()
	s := must[*Store](b)(Open(Options{Dir: dir, Node: "bench"}))
	clients := benchClients(b.N)
	for len(clients) > 0 {
		n := min(len(clients), 1000)
		batch := s.NewBatch()
		for _, c := range clients[:n] {
			batch.PutSession(c, &store.Session{Version: 5, Expiry: 3600, Absent: 1})
			batch.PutSubscription(c, &store.Subscription{Filter: "devices/" + c.ID + "/commands", QoS: 1})
		}
		commit(b, s, batch)
		clients = clients[n:]
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	s = must[*Store](b)(Open(Options{Dir: dir, Node: "bench"}))
	opened := b.Elapsed()
	var n atomic.Int64
	err := s.Sessions(runtime.GOMAXPROCS(0), func(_ int, _ store.Client, _ *store.Session, subs []store.Subscription) error {
		n.Add(int64(len(subs)))
		return nil
	})
	b.StopTimer()
	if err != nil || int(n.Load()) != b.N {
		b.Fatal(n.Load(), err)
	}
	b.ReportMetric(b.Elapsed().Seconds(), "s-all")
	b.ReportMetric(opened.Seconds(), "s-open")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkBacklogs finds the clients that have a queue; an operation is one
// client. With -benchtime=1000000x there are a million.
func BenchmarkBacklogs(b *testing.B) {
	for _, entries := range []int{1, 10} {
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			s := benchStore(b, false)
			m := benchMessage(100)
			batch := s.NewBatch()
			for i, c := range benchClients(b.N) {
				for range entries {
					batch.Enqueue(c, store.Delivery{Msg: m, QoS: 1}, false)
				}
				if i%1000 == 999 || i == b.N-1 {
					commit(b, s, batch)
					batch = s.NewBatch()
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			err := s.Backlogs(func(store.Client, uint64) error { n++; return nil })
			if err != nil || n != b.N {
				b.Errorf("%d of %d clients, %v", n, b.N, err)
			}
			b.StopTimer()
		})
	}
}
