package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/queue/store/disk"
)

var (
	backlogBytes = flag.Int64("backlog.bytes", 0, "bytes queued in TestBacklog, which measures nothing without")
	backlogDir   = flag.String("backlog.dir", "", "a directory on the disk that is measured; the test removes what it makes")
)

const (
	backlogSessions = 1000
	backlogMessage  = 16 << 10
	backlogLate     = 4000 // messages published shortly before the crash
)

// TestBacklog measures how soon a node listens when much is queued for clients
// that are away.
func TestBacklog(t *testing.T) {
	oursOnly(t, "it is about our store")
	if *backlogBytes == 0 {
		t.Skip("a measurement, made with -backlog.bytes=10000000000")
	}
	if _, err := program(); err != nil {
		t.Fatal(err)
	}
	base, err := os.MkdirTemp(*backlogDir, "backlog")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	b := &broker{base: base, loops: 2, settings: []string{"max_offline_messages=-1", "max_online_messages=-1"}}
	began := time.Now()
	n := fillBacklog(t, filepath.Join(base, "data/msgstore"))
	unix.Sync() // what is measured is not the end of the writing
	t.Logf("%d messages of %d bytes for %d sessions, written in %v", n, backlogMessage, backlogSessions, time.Since(began).Round(time.Millisecond))
	b.measureStart(t, "first start")
	t.Cleanup(func() { b.kill() })

	from := b.connect(t, connect{v: 5, id: "from"})
	for i := range backlogLate {
		from.pub(publish{topic: fmt.Sprint("bulk", i%backlogSessions), payload: noise(backlogMessage), qos: 1})
	}
	b.kill()
	b.measureStart(t, "after kill -9")
	began = time.Now()
	if err := b.terminate(); err != nil {
		t.Fatal(err)
	}
	t.Logf("stopped in %v", time.Since(began).Round(time.Millisecond))
	b.measureStart(t, "after a stop")
	r := b.connect(t, persistent(5, "bulk0"))
	if !r.present {
		t.Fatal("there is no session")
	}
	for range int(n)/backlogSessions + backlogLate/backlogSessions {
		r.take(r.recv())
	}
}

// measureStart starts the node.
func (b *broker) measureStart(t *testing.T, when string) {
	t.Helper()
	began := time.Now()
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	listens, rss := time.Since(began), b.rss(t)
	b.connect(t, connect{v: 5, id: "probe"})
	var most int64
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		most = max(most, b.rss(t))
	}
	opened := regexp.MustCompile(`store opened.*`).Find(b.log()[b.written:])
	t.Logf("%s", opened)
	t.Logf("%s: listens after %d ms with %d MiB, at most %d MiB in the 20 s after", when, listens.Milliseconds(), rss>>20, most>>20)
}

// fillBacklog makes a store with that many bytes in the queues of sessions, and
// tells how many messages that are.
func fillBacklog(t *testing.T, dir string) int64 {
	t.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	st, err := disk.Open(disk.Options{Dir: dir, Node: "VerneMQ@127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	n := *backlogBytes / backlogMessage / backlogSessions * backlogSessions
	random := rand.NewChaCha8([32]byte{})
	payload := make([]byte, backlogMessage)
	done := make(chan error, 1)
	b := st.NewBatch()
	for i := range n {
		name := fmt.Sprint("bulk", i%backlogSessions)
		c := store.Client{Key: queue.KeyOf("", name), ID: name}
		if i < backlogSessions {
			b.PutSession(c, &store.Session{Version: 5, Expiry: 86400, Absent: now, Ends: now + 86400})
			b.PutSubscription(c, &store.Subscription{Filter: name, QoS: 1})
		}
		_, _ = random.Read(payload) // cannot be compressed
		p := queue.Publication{Topic: []byte(name), Payload: payload, QoS: 1}
		b.Enqueue(c, store.Delivery{Msg: p.Message(), QoS: 1}, false)
		p.Reset()
		if i%100 == 99 {
			st.Commit(b, func(err error) { done <- err })
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			b = st.NewBatch()
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}
