package disk

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// writer is what belongs to the goroutine that commits.
type writer struct {
	doomed []doomed // queues still to be deleted
	pace   pace
	timer  *time.Timer

	group    *gathered   // being committed
	applying atomic.Bool // Pebble is called; who makes it false goes on as the writer
}

// resting says what the writer waits for.
type resting byte

const (
	atWork resting = iota
	idle           // for anything
	linger         // for a group that is full, or in which nothing is alive
)

// write is the writer: it commits what was handed over, group by group. While
// it commits one, the next gathers.
func (s *Store) write() {
	for {
		g, open := s.take()
		if g != nil || len(s.writer.doomed) > 0 && open {
			s.commit(g)
		}
		if !open {
			break
		}
	}
	s.running.Done()
}

// take waits for a group, or for the end. It does not wait while there is
// something to delete, and gives nil then.
func (s *Store) take() (g *gathered, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.groups) == 0 {
		if s.closed {
			return nil, false
		}
		if len(s.writer.doomed) > 0 && s.fail.disk() == nil {
			return nil, true
		}
		s.rest(idle, 0)
	}
	if d := s.writer.pace.pause(time.Now()); d > 0 && !s.ready() {
		s.rest(linger, d)
	}
	g = s.groups[0]
	n := copy(s.groups, s.groups[1:])
	s.groups[n] = nil
	s.groups = s.groups[:n]
	return g, true
}

// ready tells whether waiting for more would be of no use.
func (s *Store) ready() bool {
	return s.closed || len(s.groups) > 1 || len(s.groups) == 1 && s.groups[0].live == 0
}

// rest lets go of the lock until wakeWriter finds that the writer is needed, or
// until d has passed when it lingers.
func (s *Store) rest(how resting, d time.Duration) {
	s.rests = how
	s.mu.Unlock()
	if how == idle {
		<-s.wake
	} else {
		s.writer.timer.Reset(d)
		select {
		case <-s.wake:
			s.writer.timer.Stop()
		case <-s.writer.timer.C:
		}
	}
	s.mu.Lock()
	if s.rests == atWork && how == linger {
		select { // it was called just when the time was over
		case <-s.wake:
		default:
		}
	}
	s.rests = atWork
}

// wakeWriter ends the rest of the writer when there is work for it. s.mu is held.
func (s *Store) wakeWriter() {
	if s.rests == idle || s.rests == linger && s.ready() {
		s.rests = atWork
		s.wake <- struct{}{}
	}
}

// commit writes a group and tells who handed it over. Part of what is still to
// be deleted goes with it. g may be nil.
func (s *Store) commit(g *gathered) {
	start := time.Now()
	if s.writer.group = g; g != nil {
		s.writer.pace.commit(start, g.live, g.saved)
	}
	err := s.fail.disk()
	if err == nil {
		err = s.writeGroup(g)
	}
	s.finishGroup(start, err)
}

// finishGroup tells who handed the group over.
func (s *Store) finishGroup(start time.Time, err error) {
	g := s.writer.group
	s.writer.group = nil
	s.figures.deleting(len(s.writer.doomed))
	if g == nil {
		return
	}
	s.figures.group(g.batches, time.Since(start))
	for _, b := range g.batches {
		s.bytes.Add(-int64(b.handedSize))
		s.finish(b, err)
	}
	s.giveBack(g)
}

func (s *Store) finish(b *Batch, err error) {
	done := b.done
	b.reset()
	s.pool.Put(b)
	if done != nil {
		done(err)
	}
}

// apply applies a Pebble batch and waits for its WAL. Where Pebble does not
// come back, standBy finishes the group and goes on.
func (s *Store) apply(w *pebble.Batch) error {
	if w.Empty() {
		return w.Close()
	}
	s.figures.wrote(w)
	s.writer.applying.Store(true)
	err := s.fail.disk() // standBy has seen it or sees that we apply
	if err == nil {
		err = s.applyOne(w)
	}
	if !s.writer.applying.CompareAndSwap(true, false) {
		runtime.Goexit()
	}
	return err
}

// standBy takes the place of the writer when Pebble does not come back after
// the disk has failed: it waits for a flush that does not succeed, or hangs in
// guardFS.
func (s *Store) standBy() {
	select {
	case <-s.ended:
		return
	case <-s.fail.closed:
	}
	for range 100 {
		if !s.writer.applying.Load() {
			return // it will not apply anything more
		}
		if s.guard.hung.Load() {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s.writer.applying.CompareAndSwap(true, false) {
		s.guard.hung.Store(true)
		s.finishGroup(time.Now(), s.fail.disk())
		s.write()
	}
}

// applyOne applies a batch and waits for its WAL. Pebble returns nil after it
// has called Fatalf; after a panic it may keep a lock and cannot be closed.
func (s *Store) applyOne(w *pebble.Batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.guard.hung.Store(true)
			s.fail.set("pebble", panicked(p))
			err = s.fail.disk()
		}
	}()
	if err := s.db.Apply(w, pebble.Sync); err != nil {
		s.fail.set("commit", err)
	}
	if err := s.fail.disk(); err != nil {
		return err
	}
	return w.Close()
}
