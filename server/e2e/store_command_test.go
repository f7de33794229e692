package e2e

import (
	"bytes"
	"fmt"
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
	for i := range 100 {
		from.pub(publish{topic: "t", payload: fmt.Sprint(i, " ", noise(1000)), qos: 1})
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
			out := b.fails(t)
			for _, want := range []string{filepath.Base(file), filepath.Join(b.base, "data/msgstore"), "store.on_damage = repair"} {
				if !strings.Contains(out, want) {
					t.Errorf("no %s in %s", want, out)
				}
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

// With store.on_damage = repair the node starts: the client gets what can be
// read, in order, and the damaged store is kept.
func TestStoreRepaired(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name, pattern string
		crash         bool
		at            float64
		least         int // of 100 messages
	}{
		{"queue", "*.sst", false, 0.5, 60},
		{"end of a table", "*.sst", false, 0.99, 0},
		{"manifest", "MANIFEST-*", false, 0.05, 0},
		{"log", "*.log", true, 0.6, 30},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			b := filled(t, x.crash)
			b.damage(t, x.pattern, x.at)
			if x.name == "queue" { // somebody has to meet it
				if err := b.start(); err != nil {
					t.Fatal(err)
				}
				to := b.dial(t)
				to.send(persistent(4, "to").bytes())
				to.closed()
				_ = b.terminate()
			}
			b.settings = append(b.settings, "store.on_damage=repair")
			if err := b.start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := b.stop(); err != nil {
					t.Error(err)
				}
			})
			if b.logged("the store is repaired") != 1 {
				t.Errorf("the log does not say so:\n%s", b.tail())
			}
			if kept, err := filepath.Glob(filepath.Join(b.base, "data/msgstore.damaged-*")); len(kept) != 1 {
				t.Errorf("kept is %v, %v", kept, err)
			}
			b.deliversLeft(t, x.least)
		})
	}
}

// deliversLeft has the client of filled come back and fetch what is left, of
// which there must be so much, and then one message more.
func (b *broker) deliversLeft(t *testing.T, least int) {
	t.Helper()
	to := b.connect(t, persistent(4, "to"))
	if !to.present {
		if least > 0 {
			t.Error("there is no session")
		}
		to.subscribe(1, "t")
	}
	from := b.connect(t, connect{v: 4, id: "from"})
	from.pub(publish{topic: "t", payload: "last", qos: 1})
	last, n := -1, 0
	for {
		p := to.recv()
		to.take(p)
		if p.payload == "last" {
			break
		}
		var i int
		if _, err := fmt.Sscan(p.payload, &i); err != nil || i <= last {
			t.Fatalf("message %d after %d: %v", i, last, err)
		}
		last = i
		n++
	}
	if n < least {
		t.Errorf("%d messages are left, want %d at least", n, least)
	}
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
