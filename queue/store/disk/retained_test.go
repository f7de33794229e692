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

// TestRetainLarge holds that large messages do not all come into one group.
func TestRetainLarge(t *testing.T) {
	s := memStore(t, Options{})
	m := unpooled("t", string(make([]byte, groupBytes/3)))
	s.ServeRetained(func(string, string) *queue.Message { return m })
	block := make(chan struct{})
	s.Commit(s.NewBatch(), func(error) { <-block })
	time.Sleep(10 * time.Millisecond)
	before := s.Metrics().Groups
	for i := range 12 {
		b := s.NewBatch()
		b.Retain("", fmt.Appendf(nil, "t%d", i))
		s.Commit(b, nil)
	}
	close(block)
	commit(t, s, s.NewBatch())
	if n := s.Metrics().Groups - before; n < 5 {
		t.Errorf("%d groups", n)
	}
}
