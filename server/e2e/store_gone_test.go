package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What the disk does to a broker that runs must end in what an operator sees:
// no acknowledgement, health not OK, one line in the log, an end of the process
// in time, an exit code.

// queueing gives a publisher, and a session that is away and has a queue.
func queueing(t *testing.T, b *broker) *raw {
	t.Helper()
	r := b.connect(t, persistent(5, "queued"))
	r.subscribe(1, "q")
	r.leave()
	from := b.connect(t, connect{v: 5, id: "from"})
	from.pub(publish{topic: "q", payload: "before", qos: 1})
	return from
}

// health is what the health module answers.
func (b *monitoredBroker) health(t *testing.T) (code int, body string) {
	t.Helper()
	r, err := http.Get("http://" + b.web + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// failed holds what is to be seen of a store that has failed.
func (b *monitoredBroker) failed(t *testing.T, from *raw) {
	t.Helper()
	eventually(t, "the store has failed", func() bool { return b.logged("nothing is stored any more") > 0 })
	if code, body := b.health(t); code != 503 || !strings.Contains(body, "the store has failed") {
		t.Errorf("health: %d %s", code, body)
	}
	from.send(publish{topic: "q", payload: "after", qos: 1, id: 50}.bytes(5))
	from.wantRefused(0x40, 50)
	if m := fetch(t, "http://"+b.web+"/metrics"); !strings.Contains(m, "store_failed{node=\"VerneMQ@127.0.0.1\"} 1\n") {
		t.Errorf("metrics do not say that the store has failed: %.300s", m)
	}
	before := b.cpu(t)
	time.Sleep(1100 * time.Millisecond) // the store is looked at once a second
	if d := b.cpu(t) - before; d > 300*time.Millisecond {
		t.Errorf("%v of processor time in about a second", d)
	}
	if n := b.logged("nothing is stored any more"); n != 1 {
		t.Errorf("logged %d times that nothing is stored", n)
	}
}

// endsBadly stops the broker, which must end in time, with an exit code and a
// reason.
func (b *broker) endsBadly(t *testing.T) {
	t.Helper()
	if err := b.terminate(); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("ended with %v", err)
	}
	if n := b.logged("cannot close store"); n == 0 {
		t.Errorf("no reason in the log:\n%s", b.tail())
	}
	b.cmd = nil // has been stopped
}

func TestStoreRemoved(t *testing.T) {
	oursOnly(t, "it has one file")
	t.Parallel()
	b := monitored(t)
	from := queueing(t, b.broker)
	if err := os.RemoveAll(filepath.Join(b.base, "data", "msgstore")); err != nil {
		t.Fatal(err)
	}
	b.failed(t, from)
	b.endsBadly(t)
}

// The directory goes while the broker stops.
func TestStoreRemovedAtEnd(t *testing.T) {
	oursOnly(t, "it has one file")
	t.Parallel()
	b := startBroker(t, 1)
	queueing(t, b)
	if err := b.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(b.base, "data")); err != nil {
		t.Logf("a file came meanwhile: %v", err)
	}
	select {
	case <-b.exited:
	case <-time.After(8 * time.Second):
		t.Errorf("the broker goes on:\n%s", b.tail())
	}
	b.kill()
	b.cmd = nil
}

// Nothing new can be made in the directory.
func TestStoreReadOnly(t *testing.T) {
	oursOnly(t, "it writes seldom")
	t.Parallel()
	b := monitored(t, "leveldb.maximum_memory=1MB", "max_offline_messages=-1")
	from := queueing(t, b.broker)
	immutable(t, filepath.Join(b.base, "data", "msgstore"))
	body := noise(50_000)
	for i := range 1000 {
		from.send(publish{topic: "q", payload: body, qos: 1, id: uint16(i + 100)}.bytes(5))
		if p, err := from.try(patience); err != nil || p.body[len(p.body)-1] == 0x97 {
			break
		}
	}
	b.failed(t, b.connect(t, connect{v: 5, id: "other"}))
	b.endsBadly(t)
}

// immutable makes a directory one in which no file can be made or removed.
func immutable(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags|0x10 /* FS_IMMUTABLE_FL */)
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("a directory cannot be made immutable here: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags); err != nil {
			t.Error(err)
		}
	})
}

// The disk is full when the broker stops: it ends, and has lost nothing.
func TestDiskFullAtEnd(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 48)
	b := startBroker(t, 1, "vmq_generic_msg_store.store_dir="+disk+"/store", "store.disk_reserve=0", "leveldb.maximum_memory=64MB")
	from := queueing(t, b)
	for i := range 100 {
		from.pub(publish{topic: "q", payload: fmt.Sprint(i, " ", noise(10_000)), qos: 1})
	}
	ballast := fill(t, disk, 0)
	cmd := b.cmd
	b.endsBadly(t)
	b.cmd = cmd
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	r := b.connect(t, persistent(5, "queued"))
	for i, p := range payloadsOf(r, 101)[1:] {
		if n, _, _ := strings.Cut(p, " "); n != fmt.Sprint(i) {
			t.Fatalf("message %d is %.20s", i, p)
		}
	}
}
