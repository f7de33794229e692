package server

import (
	"vernemq/queue/store"
	"vernemq/queue/store/disk"
	"vernemq/reactor"
)

// behindLimit is the number of bytes on their way to the disk from which
// publishers are not read until it has caught up.
const behindLimit = 32 << 20

// ledger is what a loop writes: the records of one turn go into one batch,
// which is handed over when the turn ends. Meanwhile output that
// acknowledges them waits; the next turns go on.
type ledger struct {
	store   *disk.Store
	batch   *disk.Batch
	number  uint64 // of batch; those of earlier turns are lower
	written uint64 // records so far
	handed  uint64 // of those, how many are in earlier batches
	done    *reactor.Inbox[commit]
	after   []afterCommit
	behind  bool // the disk has too much to do
}

// commit is the end of a batch.
type commit struct {
	number uint64
	err    error
}

// afterCommit is what waits for a batch.
type afterCommit struct {
	number uint64
	f      func()
}

func (l *loop) openLedger(st *disk.Store) {
	l.ledger = ledger{store: st, batch: st.NewBatch(), number: 1}
	l.ledger.done = reactor.NewInbox(l.reactor, l.committed)
}

// records gives the batch of this turn, for one record.
func (l *loop) records() *disk.Batch {
	l.ledger.written++
	l.reactor.EndTurn()
	return l.ledger.batch
}

// keepBack has what c is sent from here on wait for the records of this turn.
func (l *loop) keepBack(c *reactor.Conn) {
	if c != nil {
		c.Hold(l.ledger.number)
	}
}

// handIn hands over the records of this turn.
func (l *loop) handIn() {
	g := &l.ledger
	if g.written == g.handed {
		return
	}
	g.handed = g.written
	b, number := g.batch, g.number
	g.batch, g.number = g.store.NewBatch(), number+1
	g.store.Commit(b, func(err error) { g.done.Put(commit{number, err}) })
	g.behind = g.behind || g.store.Behind() > behindLimit
}

// committed is told which batches are safe.
func (l *loop) committed(list []commit) {
	g := &l.ledger
	for _, c := range list {
		if c.err != nil {
			l.broker.storeFailed(c.err)
			l.reactor.Abandon(func(c *reactor.Conn) {
				if s := sessionOf(c); s != nil {
					s.Kick(errStoreFailed)
				}
			})
		}
	}
	last := list[len(list)-1].number
	l.reactor.Release(last)
	k := 0
	for ; k < len(g.after) && g.after[k].number <= last; k++ {
		g.after[k].f()
	}
	n := copy(g.after, g.after[k:])
	clear(g.after[n:])
	g.after = g.after[:n]
	l.catchUp()
}

// catchUp reads publishers again once the disk has caught up. Tick asks too:
// what it still had to do after the last batch of this loop was others'.
func (l *loop) catchUp() {
	if g := &l.ledger; g.behind && g.store.Behind() < behindLimit/2 {
		g.behind = false
		l.resumeHeld()
	}
}

// whenSafe runs f on the loop once all that was written so far is safe, or
// cannot be any more.
func (l *loop) whenSafe(f func()) {
	l.records() // a batch without records tells when those before it are safe
	l.ledger.after = append(l.ledger.after, afterCommit{l.ledger.number, f})
}

func (c *client) name() store.Client {
	return store.Client{Key: c.session.Key, Mountpoint: c.session.Mountpoint, ID: c.session.ID}
}
