package disk

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vernemq/queue"
	"vernemq/queue/store"
)

// TestPace holds when the writer lingers: while there is much to write, and it
// is of use.
func TestPace(t *testing.T) {
	for _, c := range []struct {
		what   string
		every  time.Duration // a batch comes
		writes int           // in each
		saved  int           // percent of the writes, when the writer lingers
		during bool          // it lingers at some time in two seconds
		often  bool          // it does before most commits
	}{
		{"a lone message", 50 * time.Millisecond, 1, 90, false, false},
		{"a burst now and then", 200 * time.Millisecond, 1000, 90, false, false},
		{"few messages", 100 * time.Microsecond, 2, 90, false, false},
		{"many that are saved", 20 * time.Microsecond, 2, 90, true, true},
		{"many of which some are saved", 100 * time.Microsecond, 20, 40, true, true},
		{"many that are not saved", 100 * time.Microsecond, 20, 0, true, false},
		{"many that are rarely saved", 20 * time.Microsecond, 2, 10, true, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			var p pace
			lingered, commits := 0, 0
			start := time.Now()
			for now := start; now.Before(start.Add(2 * time.Second)); now = now.Add(c.every) {
				writes, saved := c.writes, 0
				if d := p.pause(now); d > 0 {
					lingered++
					writes *= 1 + int(d/c.every)
					saved = writes * c.saved / 100
					now = now.Add(d)
				}
				p.commit(now, writes-saved, saved)
				commits++
			}
			if (lingered > 0) != c.during || (2*lingered > commits) != c.often {
				t.Errorf("lingered before %d of %d commits", lingered, commits)
			}
		})
	}
}

// lingering is a store whose writer waits until something but time ends that.
func lingering(t *testing.T) *Store {
	s := must[*Store](t)(Open(Options{Dir: "s", FS: vfs.NewMem()}))
	s.writer.pace = pace{lingers: true, latest: time.Now().Add(time.Hour)}
	return s
}

// TestLingerEnds holds that what is dead is done at once, without a write, and
// that nobody waits for a lingering writer when the store is closed or when a
// group is full.
func TestLingerEnds(t *testing.T) {
	m := testMessage("t", "p")
	defer m.Release()
	c := testClients[0]
	enqueue := func(s *Store, done chan error) queue.Ref {
		b := s.NewBatch()
		defer s.Commit(b, func(err error) { done <- err })
		return b.Enqueue(c, store.Delivery{Msg: m, QoS: 1}, false)
	}
	for what, end := range map[string]func(s *Store, done chan error, r queue.Ref) (entries int){
		"dead": func(s *Store, done chan error, r queue.Ref) int {
			b := s.NewBatch()
			b.Dequeue(c, r)
			s.Commit(b, func(err error) { done <- err })
			return 0
		},
		"full": func(s *Store, done chan error, _ queue.Ref) int {
			large := queue.NewMessage([]byte("t"), nil, make([]byte, groupBytes))
			defer large.Release()
			b := s.NewBatch()
			b.Enqueue(c, store.Delivery{Msg: large, QoS: 1}, false)
			s.Commit(b, func(err error) { done <- err })
			return 2
		},
		"closed": func(s *Store, done chan error, _ queue.Ref) int {
			go func() { done <- s.Close() }()
			return 1
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := lingering(t)
			before := s.Metrics().Writes
			done := make(chan error, 2)
			r := enqueue(s, done)
			select {
			case err := <-done:
				t.Fatalf("done at once: %v", err)
			case <-time.After(20 * time.Millisecond):
			}
			entries := end(s, done, r)
			for range 2 {
				select {
				case err := <-done:
					if err != nil {
						t.Fatal(err)
					}
				case <-time.After(20 * time.Second):
					t.Fatal("the writer lingers on")
				}
			}
			if n := s.figures.read().Writes - before; n != uint64(entries) {
				t.Errorf("%d writes, want %d", n, entries)
			}
			if what != "closed" {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
