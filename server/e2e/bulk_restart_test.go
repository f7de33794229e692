package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/queue/store/disk"
)

// The sessions and queued messages of TestRestartOfMany.
const (
	manySessions = 100_000
	manyQueued   = 200_000 // messages of one of them; every tenth other one has one
)

// A node with many sessions and a long queue accepts connections soon after its
// start, and serves a client before it has looked at all queues.
func TestRestartOfMany(t *testing.T) {
	oursOnly(t, "it is about our store")
	if testing.Short() {
		t.Skip("not with -short: the store takes a while to fill")
	}
	b := &broker{base: t.TempDir(), loops: 2, settings: []string{"max_offline_messages=-1", "max_online_messages=-1"}}
	if _, err := program(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	fillStore(t, filepath.Join(b.base, "data/msgstore"))
	filled := time.Since(began)
	began = time.Now()
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Error(err)
		}
	})
	listens := time.Since(began)
	r := b.connect(t, persistent(5, "long"))
	if !r.present {
		t.Error("there is no session")
	}
	for i := range 1000 {
		r.take(r.wantPub(publish{topic: "long", payload: fmt.Sprint(i), qos: 1}))
	}
	served := time.Since(began)
	last := b.connect(t, persistent(5, fmt.Sprint("client", manySessions-10)))
	last.take(last.wantPub(publish{topic: "some", payload: "one", qos: 1}))
	t.Logf("%d sessions, a queue of %d messages and %d of one (filled in %.1f s): listens after %d ms, a client has 1,000 messages after %d ms, %d MiB",
		manySessions, manyQueued, manySessions/10, filled.Seconds(), listens.Milliseconds(), served.Milliseconds(), b.rss(t)>>20)
	if listens > 10*time.Second {
		t.Errorf("%v until the node listens", listens)
	}
}

func fillStore(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	st, err := disk.Open(disk.Options{Dir: dir, Node: "VerneMQ@127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	b := st.NewBatch()
	commit := func() {
		st.Commit(b, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		b = st.NewBatch()
	}
	now := time.Now().Unix()
	put := func(name, filter string, n int) {
		c := store.Client{Key: queue.KeyOf("", name), ID: name}
		b.PutSession(c, &store.Session{Version: 5, Expiry: 3600, Absent: now, Ends: now + 3600})
		b.PutSubscription(c, &store.Subscription{Filter: filter, QoS: 1})
		for i := range n {
			payload := "one"
			if n > 1 {
				payload = fmt.Sprint(i)
			}
			p := queue.Publication{Topic: []byte(filter), Payload: []byte(payload), QoS: 1}
			b.Enqueue(c, store.Delivery{Msg: p.Message(), QoS: 1}, false)
			p.Reset()
			if i%1000 == 999 {
				commit()
			}
		}
	}
	put("long", "long", manyQueued)
	for i := range manySessions {
		n := 0
		if i%10 == 0 {
			n = 1
		}
		put(fmt.Sprint("client", i), "some", n)
		if i%1000 == 999 {
			commit()
		}
	}
	commit()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}
