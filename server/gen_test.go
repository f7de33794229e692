package server

import (
	"fmt"
	"os"
	"testing"

	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/queue/store/disk"
)

func TestGen(t *testing.T) {
	dir := os.Getenv("GENDIR")
	if dir == "" {
		t.Skip()
	}
	st, err := disk.Open(disk.Options{Dir: dir, Node: "VerneMQ@127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	b := st.NewBatch()
	for i := range 1_000_000 {
		id := fmt.Sprintf("device-%07d", i)
		c := store.Client{Key: queue.KeyOf("", id), ID: id}
		b.PutSession(c, &store.Session{Version: 4, Expiry: 1<<32 - 1, Absent: 1, LastID: 7})
		b.PutSubscription(c, &store.Subscription{Filter: fmt.Sprintf("devices/%d/commands", i), QoS: 1})
		if i%1000 == 999 {
			ch := make(chan error, 1)
			st.Commit(b, func(e error) { ch <- e })
			if e := <-ch; e != nil {
				t.Fatal(e)
			}
			b = st.NewBatch()
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}
