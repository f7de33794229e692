package disk

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"vernemq/queue/store"
)

// fillBlocks writes queues of many blocks for two clients, with exchanges of
// QoS 2 in both states.
func fillBlocks(t *testing.T, s *Store) {
	golden(t, s)
	for i := range 120 {
		b := s.NewBatch()
		m := testMessage("q", noise(1500))
		for k, c := range []store.Client{testClients[0], testClients[2]} {
			r := b.Enqueue(c, store.Delivery{Msg: m, QoS: 2}, i%3 == 0)
			switch {
			case k == 0 && i%40 == 0:
				b.PutOutgoing(c, &store.Outgoing{ID: uint16(100 + i), State: store.Sent, Seq: r.Seq})
			case k == 0 && i%40 == 1:
				b.Dequeue(c, r)
				b.PutOutgoing(c, &store.Outgoing{ID: uint16(100 + i), State: store.Released, Seq: r.Seq})
			}
		}
		m.Release()
		commit(t, s, b)
	}
}

// lines are the records of a model, and the outgoing exchanges by client and
// sequence.
func lines(m *model) (all, sent map[string]bool) {
	all, sent = map[string]bool{}, map[string]bool{}
	for l := range strings.Lines(m.String()) {
		all[l] = true
		if f := strings.Fields(l); f[0] == "out" && strings.Contains(l, "State:1") {
			_, seq, _ := strings.Cut(l, "Seq:")
			sent[f[1]+f[2]+" "+strings.TrimSuffix(seq, "}\n")] = true
		}
	}
	return all, sent
}

// within holds that a repaired store has nothing that was not in the store, and
// that no message of QoS 2 which its client may have got has lost its exchange.
func within(t *testing.T, got, was *model) {
	t.Helper()
	all, sent := lines(was)
	left, still := lines(got)
	for l := range left {
		if !all[l] {
			t.Errorf("the store has not had %s", l)
		}
	}
	for c, q := range got.queues {
		for _, e := range q {
			name := fmt.Sprintf("%q%q %d", c.Mountpoint, c.ID, e.ref.Seq)
			if sent[name] && !still[name] {
				t.Errorf("the exchange of entry %s is lost, and the entry is not", name)
			}
		}
	}
	for name := range still {
		if !all[name] && !hasEntry(got, name) {
			t.Errorf("the exchange %s has no entry", name)
		}
	}
}

func hasEntry(m *model, name string) bool {
	for c, q := range m.queues {
		for _, e := range q {
			if fmt.Sprintf("%q%q %d", c.Mountpoint, c.ID, e.ref.Seq) == name {
				return true
			}
		}
	}
	return false
}

// TestRepairTable damages tables, wherever they are damaged.
func TestRepairTable(t *testing.T) {
	t.Parallel()
	whole := &damagedStore{t: t, dir: filepath.Join(t.TempDir(), "s")}
	s := must[*Store](t)(Open(whole.options(false)))
	fillBlocks(t, s)
	was := must[*model](t)(load(s))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tables := must[[]string](t)(filepath.Glob(filepath.Join(whole.dir, "*.sst")))
	most := 0
	for _, table := range tables {
		size := int(must[os.FileInfo](t)(os.Stat(table)).Size())
		for _, at := range append(places(size, 5), -1) { // -1 is no table at all
			t.Run(fmt.Sprint(filepath.Base(table), " ", at), func(t *testing.T) {
				d := copyOf(t, whole.dir)
				if at < 0 {
					if err := os.Remove(filepath.Join(d.dir, filepath.Base(table))); err != nil {
						t.Fatal(err)
					}
				} else {
					d.flip(filepath.Base(table), at)
				}
				met := d.meet()
				got := d.repaired()
				within(t, got, was)
				most = max(most, len(got.queues[testClients[0]]))
				if d.aside() == "" {
					if met != nil || got.String() != was.String() {
						t.Errorf("not repaired: %v", met)
					}
					return
				}
				if missing := len(strings.Split(was.String(), "\n")) - len(strings.Split(got.String(), "\n")); d.told() < missing {
					t.Errorf("%d records are missing, the log says\n%s", missing, &d.log)
				}
				d.logs("the store is damaged and is repaired", "the store is repaired", "kept=", "unreadable_records=", "uncertain_records=", d.aside())
				if d.repaired(); strings.Count(d.log.String(), "the store is repaired") != 1 {
					t.Error("it was repaired twice")
				}
			})
		}
	}
	if n := len(was.queues[testClients[0]]); most < n-40 {
		t.Errorf("at most %d of %d entries are left", most, n)
	}
}

// places are n places of a file, its last byte among them.
func places(size, n int) (at []int) {
	for i := range n {
		at = append(at, (size-1)*i/(n-1))
	}
	return at
}

// TestRepairLog damages a log: the store is as it was before what is damaged.
func TestRepairLog(t *testing.T) {
	t.Parallel()
	whole := &damagedStore{t: t, dir: filepath.Join(t.TempDir(), "s")}
	s := must[*Store](t)(Open(whole.options(false)))
	states := map[string]bool{newModel().String(): true}
	for range 20 {
		golden(t, s)
		b := s.NewBatch()
		m := testMessage("q", noise(8000))
		b.Enqueue(testClients[1], store.Delivery{Msg: m, QoS: 1}, false)
		m.Release()
		states[must[*model](t)(load(s)).String()] = true
		commit(t, s, b)
		states[must[*model](t)(load(s)).String()] = true
	}
	if err := os.CopyFS(whole.dir+"2", os.DirFS(whole.dir)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole.dir += "2"
	sizes := map[int]bool{}
	for _, log := range must[[]string](t)(filepath.Glob(filepath.Join(whole.dir, "*.log"))) {
		data := must[[]byte](t)(os.ReadFile(log))
		for _, at := range places(len(bytes.TrimRight(data, "\x00")), 12) {
			t.Run(fmt.Sprint(filepath.Base(log), " ", at), func(t *testing.T) {
				d := copyOf(t, whole.dir)
				d.flip(filepath.Base(log), at)
				got := d.repaired().String()
				if !states[got] {
					t.Errorf("the store was never in this state:\n%s", got)
				}
				sizes[len(got)] = true
				if d.aside() != "" {
					d.logs("what this log has from here on is lost", filepath.Base(log), "the store is repaired")
				}
			})
		}
	}
	if len(sizes) < 5 {
		t.Errorf("the repaired stores have sizes %v", sizes)
	}
}

// TestRepairManifest damages what says which tables count. Nothing is read
// then; the damaged store is kept.
func TestRepairManifest(t *testing.T) {
	whole := &damagedStore{t: t, dir: filepath.Join(t.TempDir(), "s")}
	s := must[*Store](t)(Open(whole.options(false)))
	fillBlocks(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	manifests := must[[]string](t)(filepath.Glob(filepath.Join(whole.dir, "MANIFEST-*")))
	name := filepath.Base(manifests[len(manifests)-1])
	marker := filepath.Base(must[[]string](t)(filepath.Glob(filepath.Join(whole.dir, "marker.manifest.*")))[0])
	for what, f := range map[string]func(*damagedStore) error{
		"damaged":   func(d *damagedStore) error { d.flip(name, 30); return nil },
		"missing":   func(d *damagedStore) error { return os.Remove(filepath.Join(d.dir, name)) },
		"no marker": func(d *damagedStore) error { return os.Remove(filepath.Join(d.dir, marker)) },
	} {
		t.Run(what, func(t *testing.T) {
			d := copyOf(t, whole.dir)
			if err := f(d); err != nil {
				t.Fatal(err)
			}
			before := contents(t, d.dir)
			if err := d.meet(); err == nil || !strings.Contains(err.Error(), "MANIFEST") || !strings.Contains(err.Error(), d.dir) {
				t.Errorf("refused with %v", err)
			}
			if got := contents(t, d.dir); got != before {
				t.Errorf("refusing it has changed it to\n%s\nfrom\n%s", got, before)
			}
			if got := d.repaired().String(); got != "" {
				t.Errorf("it has %s", got)
			}
			if got := contents(t, d.aside()); got != before {
				t.Errorf("repairing has changed what is kept to\n%s\nfrom\n%s", got, before)
			}
			d.logs("nothing of the store can be read", "unreadable_records=all", d.aside())
		})
	}
}

// contents are the names and sizes of the files of a directory that are not
// empty.
func contents(t *testing.T, dir string) (text string) {
	t.Helper()
	for _, e := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
		if n := must[os.FileInfo](t)(e.Info()).Size(); n > 0 {
			text += fmt.Sprintln(e.Name(), n)
		}
	}
	return text
}

// told is how many records the log says are lost, at least.
func (d *damagedStore) told() (n int) {
	d.t.Helper()
	line := regexp.MustCompile(`dropped=("[^"]*"|\w+) unreadable_records=("[^"]*"|\w+) uncertain_records=\d+`).FindString(d.log.String())
	for _, k := range regexp.MustCompile(`\b\d+\b`).FindAllString(strings.ReplaceAll(line, "QoS 2", "QoS"), -1) {
		n += must[int](d.t)(strconv.Atoi(k))
	}
	if strings.Contains(line, "and more") {
		n = math.MaxInt
	}
	return n
}
