package disk

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// groupBytes bounds what is committed at once; a batch is never split.
const groupBytes = 4 << 20

// write is the writer: it commits what was handed over, group by group. While
// it commits one, the next gathers.
func (s *Store) write() {
	defer s.running.Done()
	for {
		batches, open := s.take()
		for len(batches) > 0 {
			n := s.cut(batches)
			s.commit(batches[:n])
			batches = batches[n:]
		}
		if !open {
			return
		}
		if len(s.doomed) > 0 && s.idle() {
			s.commit(nil)
		}
	}
}

// take waits for batches, or for the end. It does not wait while there is
// something to delete.
func (s *Store) take() (batches []*Batch, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.waiting) == 0 && !s.closed && (len(s.doomed) == 0 || s.fail.disk() != nil) {
		s.handed.Wait()
	}
	batches, s.waiting = s.waiting, nil
	return batches, !s.closed || len(batches) > 0
}

func (s *Store) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) == 0 && !s.closed
}

// cut tells how many of the batches make the next group: as many as fit in,
// but none that deletes a client which an earlier one of the group writes to.
// For deleting reads what is committed.
func (s *Store) cut(batches []*Batch) int {
	deleted := deletedIn(batches)
	touched := map[uint64]bool{}
	if len(s.doomed) > 0 && len(deleted) > 0 {
		touched[s.doomed[0].client.Key] = true
	}
	size := 0
	for i, b := range batches {
		if size += b.size + s.findRetained(b); i > 0 && size > groupBytes {
			return i
		}
		if len(deleted) == 0 {
			continue
		}
		if key, again := b.deletesOneOf(touched); again {
			if i > 0 {
				return i
			}
			s.postpone(key)
		}
		for j := range b.ops {
			if key := b.ops[j].client.Key; deleted[key] {
				touched[key] = true
			}
		}
	}
	return len(batches)
}

// deletedIn is whom the batches delete.
func deletedIn(batches []*Batch) map[uint64]bool {
	var deleted map[uint64]bool
	for _, b := range batches {
		if !b.deletes {
			continue
		}
		for i := range b.ops {
			if o := &b.ops[i]; o.deletes() {
				if deleted == nil {
					deleted = map[uint64]bool{}
				}
				deleted[o.client.Key] = true
			}
		}
	}
	return deleted
}

// deletesOneOf tells whether the batch deletes one of the clients, and whom.
func (b *Batch) deletesOneOf(clients map[uint64]bool) (key uint64, one bool) {
	if b.deletes {
		for i := range b.ops {
			if o := &b.ops[i]; o.deletes() && clients[o.client.Key] {
				return o.client.Key, true
			}
		}
	}
	return 0, false
}

// commit writes a group and tells who handed it over. Part of what is still to
// be deleted goes with it.
func (s *Store) commit(batches []*Batch) {
	start := time.Now()
	annihilate(batches)
	err := s.fail.disk()
	if err == nil {
		err = s.writeGroup(batches)
	}
	s.figures.deleting(len(s.doomed))
	if len(batches) > 0 {
		s.figures.group(batches, time.Since(start))
	}
	for _, b := range batches {
		s.bytes.Add(-int64(b.handedSize))
		s.finish(b, err)
	}
}

func (s *Store) finish(b *Batch, err error) {
	done := b.done
	b.reset()
	s.pool.Put(b)
	if done != nil {
		done(err)
	}
}

// annihilate finds entries that are enqueued and dequeued within the group.
func annihilate(batches []*Batch) {
	if len(batches) < 2 {
		return
	}
	byNumber := make(map[uint32]*Batch, len(batches))
	for _, b := range batches {
		for i := range b.ops {
			o := &b.ops[i]
			if o.act != actDequeue || o.dead {
				continue
			}
			if from := byNumber[o.inBatch]; from != nil && from.kill(o.inOps, o.client, o.seq) {
				b.bury(o)
			}
		}
		byNumber[b.number] = b
	}
}

func (s *Store) writeGroup(batches []*Batch) error {
	g := group{s: s, w: s.db.NewBatch()}
	err := g.sweep()
	for _, b := range batches {
		if err == nil {
			err = g.encode(b)
		}
	}
	if err == nil {
		err = g.writeGone()
	}
	if cerr := g.close(); err == nil {
		err = cerr
	}
	if err != nil {
		s.fail.set("preparing a group", err)
		return s.fail.disk()
	}
	return s.apply(g.w)
}

// apply has a Pebble batch applied, elsewhere, because that may not end.
func (s *Store) apply(w *pebble.Batch) error {
	if w.Empty() {
		return w.Close()
	}
	s.figures.wrote(w)
	s.toApply <- w
	return s.await(s.applied)
}

func (s *Store) applyAll() {
	for w := range s.toApply {
		s.applied <- s.applyOne(w)
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
