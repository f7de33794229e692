package disk

import "time"

// groupBytes bounds what is committed at once; a batch is never split.
const groupBytes = 4 << 20

// gathered is the batches that will be committed as one group, all or none.
// What comes and goes within them is dead already.
type gathered struct {
	batches  []*Batch
	byNumber map[uint32]*Batch
	live     int // writes that are not dead
	saved    int // writes that are dead because of another batch
	size     int // bytes of the batches
}

// Commit hands a batch over; the caller must not touch it any more. Later done
// is called by the writer: with nil when the batch will survive, else with the
// error, and then it may or may not be there after the next Open. The batches
// of all callers are committed in the order of these calls. done must be quick
// and may call Commit.
func (s *Store) Commit(b *Batch, done func(error)) {
	b.done = done
	b.handed, b.handedSize = time.Now(), b.size
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.finish(b, ErrClosed)
		return
	}
	s.bytes.Add(int64(b.size))
	s.gather(b)
	s.wakeWriter()
	s.mu.Unlock()
}

// gather adds a batch to the last group, or to a new one.
func (s *Store) gather(b *Batch) {
	n := len(s.groups)
	if n == 0 || s.groups[n-1].size+b.size > groupBytes {
		s.groups = append(s.groups, s.newGathered())
		n++
	}
	s.groups[n-1].add(b)
}

func (s *Store) newGathered() *gathered {
	if g := s.spare; g != nil {
		s.spare = nil
		return g
	}
	return &gathered{byNumber: map[uint32]*Batch{}}
}

// keepBatches bounds what an idle group keeps.
const keepBatches = 1024

// giveBack keeps the memory of a group that is committed.
func (s *Store) giveBack(g *gathered) {
	if len(g.batches) > keepBatches {
		return
	}
	clear(g.batches)
	clear(g.byNumber)
	*g = gathered{batches: g.batches[:0], byNumber: g.byNumber}
	s.mu.Lock()
	s.spare = g
	s.mu.Unlock()
}

// add adds a batch, without what it removes of those before it.
func (g *gathered) add(b *Batch) {
	for i := range b.ops {
		o := &b.ops[i]
		if o.act != actDequeue || o.dead {
			continue
		}
		from := g.byNumber[o.inBatch]
		if from == nil {
			continue
		}
		size := from.size
		if from.kill(o.inOps, o.client, o.seq) {
			b.bury(o)
			g.live--
			g.saved += 2
			g.size -= size - from.size
		}
	}
	g.batches = append(g.batches, b)
	g.byNumber[b.number] = b
	g.live += b.live
	g.size += b.size
}
