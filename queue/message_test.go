package queue

import (
	"bytes"
	"sync"
	"testing"
)

func TestMessageParts(t *testing.T) {
	for _, size := range []int{0, 1, 100, 1000, 65536, 200000} {
		payload := bytes.Repeat([]byte{'x'}, size)
		m := NewMessage([]byte("a/b"), []byte{1, 1}, payload)
		if string(m.Topic()) != "a/b" || !bytes.Equal(m.Forward(), []byte{1, 1}) || !bytes.Equal(m.Payload(), payload) {
			t.Fatalf("size %d: parts differ", size)
		}
		m.Release()
	}
}

// TestMessageShared has many holders on several goroutines; nobody may see
// other content than was put in.
func TestMessageShared(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			want := bytes.Repeat([]byte{byte('a' + g)}, 60+g)
			for range 2000 {
				m := NewMessage([]byte("t"), nil, want)
				done := make(chan bool, 3)
				for range 3 {
					m.Hold()
					go func() {
						done <- bytes.Equal(m.Payload(), want)
						m.Release()
					}()
				}
				m.Release()
				for range 3 {
					if !<-done {
						t.Error("content changed while held")
						return
					}
				}
			}
		}()
	}
	wg.Wait()
}

func TestReleaseTooOften(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	m := NewMessage(nil, nil, make([]byte, 1<<20)) // not pooled, so nobody else has it
	m.Release()
	m.Release()
}

func TestExpired(t *testing.T) {
	m := NewMessage(nil, nil, nil)
	if m.Expired(1 << 40) {
		t.Error("a message without expiry expired")
	}
	m.Expires = 100
	if m.Expired(100) || !m.Expired(101) {
		t.Error("expiry at the wrong second")
	}
}

func BenchmarkMessage(b *testing.B) {
	b.ReportAllocs()
	topic, payload := []byte("sensors/1/temperature"), make([]byte, 64)
	for b.Loop() {
		NewMessage(topic, nil, payload).Release()
	}
}
