package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// filled is a node that has run with a session and a queue, and has ended.
func filled(t *testing.T, crash bool) *broker {
	t.Helper()
	oursOnly(t, "another store")
	b := &broker{base: t.TempDir(), loops: 1, settings: []string{"leveldb.sync=on"}}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	if crash { // the first log of a new store does not say how much of it is synced
		b.kill()
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
	}
	c := persistent(4, "to")
	r := b.connect(t, c)
	r.subscribe(1, "t")
	r.leave()
	from := b.connect(t, connect{v: 4, id: "from"})
	for range 100 {
		from.pub(publish{topic: "t", payload: noise(1000), qos: 1})
	}
	from.leave()
	if crash {
		b.kill()
	} else if err := b.terminate(); err != nil {
		t.Fatal(err)
	}
	return b
}

// fails runs the node in the foreground, which must fail, and gives what it says.
func (b *broker) fails(t *testing.T, settings ...string) string {
	t.Helper()
	args := []string{"console", "--config", filepath.Join(b.base, "test.conf"), "--base", b.base}
	for _, s := range append(b.settings, settings...) {
		args = append(args, "--set", s)
	}
	r := vernemq(t, args...)
	if r.code != 1 || strings.Contains(r.all(), "goroutine ") {
		t.Errorf("want exit 1 and no stack trace, got %v", r)
	}
	return r.all()
}

func TestStoreOfAnotherNode(t *testing.T) {
	t.Parallel()
	b := filled(t, false)
	out := b.fails(t, "nodename=Other@127.0.0.1")
	for _, want := range []string{"data/msgstore", "VerneMQ@127.0.0.1", "Other@127.0.0.1"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
}

// Two nodes with data directories of their own and the same store.
func TestStoreInUse(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	b := startBroker(t, 1, "vmq_generic_msg_store.store_dir="+dir)
	_, flags := node(t, "vmq_generic_msg_store.store_dir = "+dir)
	r := vernemq(t, with("console", flags)...)
	if r.code != 1 || !strings.Contains(r.all(), dir) || strings.Contains(r.all(), "goroutine ") {
		t.Errorf("want exit 1 and %s, got %v", dir, r)
	}
	b.works(t)
}

// A damaged file is named. What is found at the start keeps the node from
// starting: nothing is lost that a repair could bring back.
func TestStoreDamaged(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name, pattern string
		crash         bool
		at            float64 // where in the data
	}{
		{"end of a table", "*.sst", false, 0.99},
		{"manifest", "MANIFEST-*", false, 0.05},
		{"log", "*.log", true, 0.3},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			b := filled(t, x.crash)
			file := b.damage(t, x.pattern, x.at)
			if out := b.fails(t); !strings.Contains(out, filepath.Base(file)) {
				t.Errorf("no %s in %s", filepath.Base(file), out)
			}
		})
	}
}

// Queued messages are only read when their client comes: it is not served, all
// others are, and nothing is taken that would have to be stored.
func TestStoreDamagedQueue(t *testing.T) {
	t.Parallel()
	b := filled(t, false)
	file := filepath.Base(b.damage(t, "*.sst", 0.5))
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	defer b.kill()
	to := b.dial(t)
	to.send(persistent(4, "to").bytes())
	to.closed()
	eventually(t, "the log names the file", func() bool { return b.logged(file) > 0 })
	eventually(t, "the log says what follows", func() bool { return b.logged("nothing is stored any more") == 1 })
	other := b.connect(t, connect{v: 5, id: "other"})
	other.subscribe(0, "t")
	other.send(publish{topic: "t", payload: "refused", qos: 1, id: 1}.bytes(5))
	other.wantRefused(0x40, 1)
	other.pub(publish{topic: "t", payload: "live"})
	other.wantPub(publish{topic: "t", payload: "live"})
}

// damage changes some bytes of the largest of the store's files with a name.
func (b *broker) damage(t *testing.T, pattern string, at float64) (file string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.base, "data/msgstore", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	var data []byte
	for _, f := range files {
		d, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimRight(d, "\x00")) > len(bytes.TrimRight(data, "\x00")) {
			file, data = f, d
		}
	}
	k := int(at * float64(len(bytes.TrimRight(data, "\x00"))))
	for i := k; i < min(k+16, len(data)); i++ {
		data[i] ^= 0xA5
	}
	if err := os.WriteFile(file, data, 0o640); err != nil {
		t.Fatal(err)
	}
	return file
}
