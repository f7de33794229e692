package disk

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"vernemq/queue"
)

// TestRetain holds that what is written is what memory has when the writer
// comes, once for a topic and group.
func TestRetain(t *testing.T) {
	s := memStore(t, Options{})
	x := newMemory()
	s.ServeRetained(x.find)
	block := make(chan struct{})
	s.Commit(s.NewBatch(), func(error) { <-block })
	time.Sleep(10 * time.Millisecond) // the writer is busy: these make a group
	before := s.Metrics()
	var wg sync.WaitGroup
	for i := range 5 {
		b := s.NewBatch()
		x.set(retainedName("m", "a"), unpooled("a", fmt.Sprint(i)))
		b.Retain("m", []byte("a"))
		b.Retain("m", []byte("a"))
		x.set(retainedName("m", "b"), unpooled("b", "gone"))
		b.Retain("m", []byte("b"))
		wg.Add(1)
		s.Commit(b, func(err error) {
			if err != nil {
				t.Error(err)
			}
			wg.Done()
		})
	}
	x.set(retainedName("m", "b"), nil)
	close(block)
	wg.Wait()
	if n := s.Metrics().Writes - before.Writes; n != 2 {
		t.Errorf("%d writes for 2 topics", n)
	}
	n := 0
	err := s.Retained(func(mountpoint string, m *queue.Message) error {
		if n++; mountpoint != "m" || string(m.Topic()) != "a" || string(m.Payload()) != "4" {
			return fmt.Errorf("%q %q %q", mountpoint, m.Topic(), m.Payload())
		}
		return nil
	})
	if err != nil || n != 1 {
		t.Errorf("%d retained messages, %v", n, err)
	}
}

// TestRetainLarge holds that large messages do not all come into one Pebble
// batch, whose size has a limit.
func TestRetainLarge(t *testing.T) {
	s := memStore(t, Options{})
	s.ServeRetained(func(_, topic string) *queue.Message { return unpooled(topic, string(make([]byte, groupBytes/3))) })
	const topics = 12
	b := s.NewBatch()
	for i := range topics {
		b.Retain("", fmt.Appendf(nil, "t%d", i))
	}
	g := group{s: s, w: s.db.NewBatch()} // the writer is idle
	if err := g.writeRetained([]*Batch{b}); err != nil || g.w.Len() > groupBytes {
		t.Errorf("%d bytes, %v", g.w.Len(), err)
	}
	if err := g.w.Close(); err != nil {
		t.Error(err)
	}
	commit(t, s, b)
	n := 0
	err := s.Retained(func(_ string, m *queue.Message) error { n += len(m.Payload()); return nil })
	if err != nil || n != topics*(groupBytes/3) {
		t.Errorf("%d bytes of payload, %v", n, err)
	}
}
