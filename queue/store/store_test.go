package store

import (
	"testing"

	"vernemq/queue"
)

func TestMemory(t *testing.T) {
	s := NewMemory(2).Shard(1)
	a, b := Client{ID: "a"}, Client{Mountpoint: "m", ID: "a"}
	msg := queue.NewMessage([]byte("t"), nil, nil)
	for id := uint32(1); id <= 5; id++ {
		s.Append(a, queue.Entry{Msg: msg.Hold(), SubscriptionID: id})
	}
	s.Append(b, queue.Entry{Msg: msg.Hold(), SubscriptionID: 9})
	if s.Len(a) != 5 || s.Len(b) != 1 || s.Len(Client{ID: "c"}) != 0 {
		t.Fatalf("lengths %d, %d", s.Len(a), s.Len(b))
	}
	if e, ok := s.First(a); !ok || e.SubscriptionID != 1 {
		t.Errorf("first: %+v %v", e, ok)
	}
	if e, ok := s.Last(a); !ok || e.SubscriptionID != 5 {
		t.Errorf("last: %+v %v", e, ok)
	}
	if n := s.Drop(a, nil); n != 3 || s.Len(a) != 0 || s.Drop(a, nil) != 0 {
		t.Errorf("dropped %d", n)
	}
	if e, ok := s.First(b); !ok || e.SubscriptionID != 9 {
		t.Errorf("first of b: %+v %v", e, ok)
	}
	if _, ok := s.First(b); ok {
		t.Error("an empty backlog has an entry")
	}
}
