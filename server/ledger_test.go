package server

import (
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"vernemq/queue"
	"vernemq/queue/store"
)

// TestDiskCatchesUp reads a publisher again that the disk held back, when what it
// still had to do after the loop's last records was not the loop's.
func TestDiskCatchesUp(t *testing.T) {
	var disk sync.RWMutex // stalls while it is locked
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(errorfs.Op) error {
		disk.RLock()
		defer disk.RUnlock()
		return nil
	}))
	b, _ := bootOn(t, fs, testConfig(1))
	others := func(size int) {
		batch := b.store.NewBatch()
		p := queue.Publication{Topic: []byte("t"), Payload: make([]byte, size), QoS: 1}
		batch.Enqueue(store.Client{Key: 1, ID: "other"}, store.Delivery{Msg: p.Message(), QoS: 1}, false)
		b.store.Commit(batch, nil)
		p.Reset()
	}
	p := connect(t, b, "p")
	p.subscribe("t", 0)
	disk.Lock()
	others(behindLimit + 1<<20)
	p.send([]byte{0x33, 9, 0, 3, 'k', '/', '1', 0, 1, 0, 'x'}) // retained, QoS 1
	behind := func() (yes bool) {
		onLoop(b, 0, func(l *loop) { yes = l.ledger.behind })
		return yes
	}
	for end := time.Now().Add(10 * time.Second); !behind(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the disk is not behind")
		}
	}
	others(behindLimit - 1<<20)
	disk.Unlock()
	for end := time.Now().Add(time.Minute); b.store.Behind() > 0 && time.Now().Before(end); { // slow, under the race detector
		time.Sleep(time.Millisecond)
	}
	p.next() // PUBACK
	p.publish("t", "1", 0, 0)
	p.publish("t", "2", 0, 0)
	p.payloads(2)
}
