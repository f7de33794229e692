package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// smallDisk gives a file system of its own.
func smallDisk(t *testing.T, mib int) (dir string) {
	t.Helper()
	oursOnly(t, "it does not look at the disk")
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); errors.Is(err, unix.EPERM) {
		t.Skip("not without root: a small file system must be mounted")
	} else if err != nil {
		t.Fatalf("cannot mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("cannot unmount %s: %v", dir, err)
		}
	})
	return dir
}

// fill leaves so many MiB free. The file is to be removed.
func fill(t *testing.T, dir string, leave int64) (file string) {
	t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "ballast")
	if err := os.WriteFile(file, make([]byte, int64(s.Bavail)*s.Bsize-leave<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (b *broker) logged(text string) int { return bytes.Count(b.log(), []byte(text)) }

// Below store.disk_reserve nothing is accepted that would have to be stored.
// All else goes on, and all of it when there is space again.
func TestDiskReserve(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 96)
	b := startBroker(t, 2, "vmq_generic_msg_store.store_dir="+disk+"/store", "store.disk_reserve=32MB", "leveldb.maximum_memory=64MB")
	queued := persistent(4, "queued")
	r := b.connect(t, queued)
	r.subscribe(2, "q")
	r.leave()
	from := b.connect(t, connect{v: 5, id: "from5"})
	for i := range 10 {
		from.pub(publish{topic: "q", payload: fmt.Sprint(i), qos: 2})
	}
	watch := b.connect(t, connect{v: 4, id: "watch"})
	watch.subscribe(0, "live")

	ballast := fill(t, disk, 16)
	eventually(t, "the disk is full", func() bool { return b.logged("messages are refused") > 0 })
	for qos, kind := range map[byte]byte{1: 0x40, 2: 0x50} {
		from.send(publish{topic: "q", payload: "refused", qos: qos, id: 50}.bytes(5))
		from.wantRefused(kind, 50)
		four := b.connect(t, connect{v: 4, id: fmt.Sprint("four", qos)})
		four.send(publish{topic: "q", payload: "refused", qos: qos, id: 50}.bytes(4))
		four.closed()
	}
	from.pub(publish{topic: "live", payload: "live"})
	watch.wantPub(publish{topic: "live", payload: "live"})
	for v, code := range map[int]byte{4: 0x80, 5: 0x97} {
		if v == 4 { // a clean session is not stored
			b.connect(t, connect{v: v, id: "clean"}).subscribe(1, "live")
		}
		kept := b.connect(t, persistent(v, fmt.Sprint("kept", v)))
		n := kept.nextID()
		kept.send(kept.subscribePacket(n, nil, 1, "q"))
		if p := kept.next(); p.head != 0x90 || p.body[len(p.body)-1] != code {
			t.Errorf("got %v, want SUBACK %02x", p, code)
		}
	}
	r = b.connect(t, queued)
	for i := range 5 {
		r.take(r.wantPub(publish{topic: "q", payload: fmt.Sprint(i), qos: 2}))
	}
	r.leave()

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is space", func() bool { return b.logged("messages are accepted again") > 0 })
	from.pub(publish{topic: "q", payload: "again", qos: 2})
	b.connect(t, connect{v: 4, id: "from4"}).pub(publish{topic: "q", payload: "again", qos: 1})
	if n := b.logged("messages are refused"); n != 1 {
		t.Errorf("logged %d times that messages are refused", n)
	}
	b.kill()
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	r = b.connect(t, queued)
	if got := fmt.Sprint(payloadsOf(r, 7)); got != "[5 6 7 8 9 again again]" {
		t.Errorf("got %v", got)
	}
}

// wantRefused reads an acknowledgement with 0x97, which has a reason.
func (r *raw) wantRefused(kind byte, n uint16) {
	r.t.Helper()
	p := r.next()
	if k, i, c := p.ack(); k != kind || i != n || c != 0x97 {
		r.t.Fatalf("got %v, want kind %02x id %d code 97", p, kind, n)
	}
}

// A reserve of more than there is: nothing can be mounted here, yet messages
// are refused.
func TestDiskReserveUnreachable(t *testing.T) {
	oursOnly(t, "it does not look at the disk")
	t.Parallel()
	b := startBroker(t, 1, "store.disk_reserve=1000000GB")
	eventually(t, "the disk is full", func() bool { return b.logged("messages are refused") > 0 })
	from := b.connect(t, connect{v: 5, id: "from"})
	from.send(publish{topic: "t", payload: "refused", qos: 1, id: 1}.bytes(5))
	from.wantRefused(0x40, 1)
	from.pub(publish{topic: "t", payload: "live"})
	from.quiet()
}

// A disk that is really full: the store has failed. Nothing is acknowledged any
// more, QoS 0 goes on, and the next start finds all that was acknowledged.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 48)
	b := startBroker(t, 2, "vmq_generic_msg_store.store_dir="+disk+"/store", "store.disk_reserve=0", "leveldb.maximum_memory=64MB", "max_offline_messages=-1")
	queued := persistent(5, "queued")
	r := b.connect(t, queued)
	r.subscribe(1, "q")
	r.leave()
	watch := b.connect(t, connect{v: 4, id: "watch"})
	watch.subscribe(0, "live")
	from := b.connect(t, connect{v: 5, id: "from"})
	body := noise(50_000)
	acked := 0
	for i := range 3000 {
		from.send(publish{topic: "q", payload: fmt.Sprint(i, " ", body), qos: 1, id: uint16(i%60000 + 1)}.bytes(5))
		p, err := from.try(patience)
		if k, _, code := p.ack(); err != nil || k != 0x40 || code != 0 {
			break // refused or cut
		}
		acked++
	}
	if acked < 50 || acked == 3000 {
		t.Fatalf("%d messages were acknowledged", acked)
	}
	eventually(t, "the store has failed", func() bool { return b.logged("nothing is stored any more") > 0 })
	four := b.connect(t, connect{v: 4, id: "four"})
	four.pub(publish{topic: "live", payload: "live"})
	watch.wantPub(publish{topic: "live", payload: "live"})
	four.send(publish{topic: "q", payload: "refused", qos: 1, id: 1}.bytes(4))
	four.closed()
	five := b.connect(t, connect{v: 5, id: "five"})
	five.send(publish{topic: "q", payload: "refused", qos: 2, id: 1}.bytes(5))
	five.wantRefused(0x50, 1)
	time.Sleep(1100 * time.Millisecond) // the store is looked at once a second
	if n := b.logged("nothing is stored any more"); n != 1 {
		t.Errorf("logged %d times that the store has failed", n)
	}
	b.kill()
	if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=256m"); err != nil {
		t.Fatal(err)
	}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	r = b.connect(t, queued)
	got := payloadsOf(r, acked)
	for i, p := range got {
		if n, _, _ := strings.Cut(p, " "); n != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, n)
		}
	}
	if len(got) < acked || len(got) > acked+1 {
		t.Errorf("%d messages of %d that were acknowledged", len(got), acked)
	}
	t.Logf("disk full after %d messages of 50 kB on 48 MiB", acked)
}

// noise is text that cannot be compressed much.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = ' ' + byte(rand.UintN(90))
	}
	return string(b)
}
