package disk

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"vernemq/queue"
	"vernemq/queue/store"
)

// damagedStore is a store that a test damages and has repaired.
type damagedStore struct {
	t   *testing.T
	dir string
	log bytes.Buffer
}

func (d *damagedStore) options(repair bool) Options {
	return Options{
		Dir: d.dir, Node: "n", Sync: true, MemTable: 256 << 10, Retained: goldenRetained,
		Repair: repair, Log: slog.New(slog.NewTextHandler(&d.log, nil)),
	}
}

// copyOf is a copy of a store, whose files are all there is below its base.
func copyOf(t *testing.T, dir string) *damagedStore {
	d := &damagedStore{t: t, dir: filepath.Join(t.TempDir(), "s")}
	if err := os.CopyFS(d.dir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return d
}

// flip changes a bit of a file.
func (d *damagedStore) flip(file string, at int) {
	d.t.Helper()
	name := filepath.Join(d.dir, file)
	data := must[[]byte](d.t)(os.ReadFile(name))
	data[at] ^= 4
	if err := os.WriteFile(name, data, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// meet reads all of the store as clients would that come back, so that damage
// of what is queued is noted.
func (d *damagedStore) meet() error {
	s, err := Open(d.options(false))
	if err != nil {
		return err
	}
	_, err = load(s)
	_ = s.Close() // says that the store is damaged
	return err
}

// repaired is what a repaired store has.
func (d *damagedStore) repaired() *model {
	d.t.Helper()
	s, err := Open(d.options(true))
	if err != nil {
		d.t.Fatalf("%v\n%s", err, &d.log)
	}
	m := must[*model](d.t)(load(s))
	if err := checkBodies(s); err != nil {
		d.t.Error(err)
	}
	if err := s.Close(); err != nil {
		d.t.Error(err)
	}
	return m
}

// aside is the directory of the damaged store after a repair, "" when there was
// none.
func (d *damagedStore) aside() string {
	d.t.Helper()
	found := must[[]string](d.t)(filepath.Glob(d.dir + "*"))
	found = slices.DeleteFunc(found, func(name string) bool { return name == d.dir })
	switch {
	case len(found) == 0:
		return ""
	case len(found) > 1 || !strings.HasPrefix(found[0], d.dir+".damaged-"):
		d.t.Fatalf("the repair has left %v", found)
	}
	return found[0]
}

func (d *damagedStore) logs(want ...string) {
	d.t.Helper()
	for _, w := range want {
		if !strings.Contains(d.log.String(), w) {
			d.t.Errorf("no %q in the log:\n%s", w, &d.log)
		}
	}
}

// TestRepairRecord has records that nobody can read: those are dropped, with
// what means nothing without them.
func TestRepairRecord(t *testing.T) {
	entry := func(c store.Client, seq uint64) []byte { return appendEntryKey(nil, c, seq) }
	for what, c := range map[string]struct {
		damage func(s *Store, first uint64) error
		gone   []string // of what the store had
		log    string
	}{
		"session": {
			func(s *Store, _ uint64) error {
				return s.db.Set(appendPrefix(nil, kindSession, testClients[0]), []byte{1, 2}, pebble.Sync)
			},
			[]string{`session "" "a"`, `sub "" "a"`, `out "" "a"`, `entry "" "a"`}, "1 sessions",
		},
		"entry": {
			func(s *Store, first uint64) error {
				return s.db.Set(entry(testClients[0], first), []byte{1}, pebble.Sync)
			},
			[]string{fmt.Sprintf(`entry "" "a" %d:`, uint64(1)<<bootShift+1)}, "1 queued messages",
		},
		"message of an exchange": {
			func(s *Store, first uint64) error {
				return s.db.Delete(entry(testClients[0], first+3), pebble.Sync)
			},
			[]string{fmt.Sprintf(`entry "" "a" %d:`, uint64(1)<<bootShift+4), `out "" "a" 16`}, "1 outgoing QoS 2 exchanges",
		},
		"body": {
			func(s *Store, first uint64) error { return s.db.Delete(appendBodyKey(nil, first), pebble.Sync) },
			[]string{
				fmt.Sprintf(`entry "" "a" %d:`, uint64(1)<<bootShift+1), `entry "" "ab"`, `entry "m" "a"`,
			}, "3 queued messages",
		},
		"retained": {
			func(s *Store, _ uint64) error {
				return s.db.Set(appendRetainedKey(nil, "m", []byte("a/b")), []byte{1}, pebble.Sync)
			},
			[]string{"retained"}, "1 retained messages",
		},
	} {
		t.Run(what, func(t *testing.T) {
			d := &damagedStore{t: t, dir: filepath.Join(t.TempDir(), "s")}
			s := must[*Store](t)(Open(d.options(false)))
			golden(t, s)
			want := must[*model](t)(load(s)).String()
			if err := c.damage(s, 1<<bootShift+1); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if what == "message of an exchange" { // a start drops such an exchange itself
				s.guard.noteDamage("test", errTest)
			} else if d.meet() == nil {
				t.Error("it can be read")
			}
			kept := ""
			for l := range strings.Lines(want) {
				if !slices.ContainsFunc(c.gone, func(p string) bool { return strings.HasPrefix(l, p) }) {
					kept += l
				}
			}
			if got := d.repaired().String(); got != kept {
				t.Errorf("it has\n%s\nwant\n%s", got, kept)
			}
			d.logs("dropped=", c.log)
		})
	}
}

var errTest = fmt.Errorf("a test says so")

// TestRepairRefuses has what a repair must not touch.
func TestRepairRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		key, value []byte
		want       string
	}{
		"other node":      {keyNode, append([]byte{version}, "b"...), `belongs to node "b"`},
		"newer format":    {keyFormat, []byte{version, 0, 0, 0, 2}, "has format 2"},
		"a newer session": {appendPrefix(nil, kindSession, testClients[0]), append([]byte{sessionVersion + 1}, make([]byte, 60)...), "newer program"},
	} {
		t.Run(what, func(t *testing.T) {
			d := &damagedStore{t: t, dir: filepath.Join(t.TempDir(), "s")}
			s := must[*Store](t)(Open(d.options(false)))
			golden(t, s)
			if err := s.db.Set(c.key, c.value, pebble.Sync); err != nil {
				t.Fatal(err)
			}
			s.guard.noteDamage("test", errTest)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(d.options(true)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("opened with %v", err)
			}
			if name := d.aside(); name != "" {
				t.Errorf("it is in %s now", name)
			}
		})
	}
}

// TestRepairInterrupted has a repair that ended between its two renames.
func TestRepairInterrupted(t *testing.T) {
	d := &damagedStore{t: t, dir: filepath.Join(t.TempDir(), "s")}
	s := must[*Store](t)(Open(d.options(false)))
	golden(t, s)
	want := must[*model](t)(load(s)).String()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.dir, d.dir+repaired); err != nil {
		t.Fatal(err)
	}
	if got := must[string](t)(readAll(d.dir)); got != want {
		t.Errorf("it has %s", got)
	}
	if d.aside() != "" {
		t.Error("it is damaged")
	}
}

// TestRepairNumbers holds that a repaired store gives no number again.
func TestRepairNumbers(t *testing.T) {
	d := &damagedStore{t: t, dir: filepath.Join(t.TempDir(), "s")}
	var last queue.Ref
	for range 3 {
		s := must[*Store](t)(Open(d.options(false)))
		b := s.NewBatch()
		m := testMessage("t", "p")
		last = b.Enqueue(testClients[0], store.Delivery{Msg: m, QoS: 1}, false)
		m.Release()
		commit(t, s, b)
		if err := s.db.Delete(keyBoot, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		s.last.Store(last.Seq + 7<<bootShift) // as after many starts
		b = s.NewBatch()
		m = testMessage("t", "p")
		last = b.Enqueue(testClients[0], store.Delivery{Msg: m, QoS: 1}, false)
		m.Release()
		commit(t, s, b)
		s.guard.noteDamage("test", errTest)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		d.repaired()
	}
	s := must[*Store](t)(Open(d.options(false)))
	if s.Last() < last.Seq {
		t.Errorf("the next number is %d, given was %d", s.Last(), last.Seq)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// noise is a payload that cannot be compressed.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return string(b)
}
