package session

import (
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/server/metrics"
)

// backlog is the part of a client's queue that is in the store and not in
// memory: all that came while the client was away, and what came since and
// found too much waiting. Memory holds a page of it.
//
// Whatever is in memory, in flight or waiting, is older, except after a
// restart and with lifo.
type backlog struct {
	len     int    // entries; those in flight are not counted
	surplus int    // of those, how many of the oldest are to be dropped (lifo)
	next    uint64 // sequence from which on they are looked for
	newest  uint64 // sequence of the latest

	// Since the client came back: entries up to bound were there already. Of
	// those keep are still to be delivered, the others are dropped. With lifo
	// they come newest first: top is where to go on, 0 when that is over.
	bound uint64
	top   uint64
	keep  int

	// Entries after hadFrom and up to hadTo came over this connection too, while
	// another one was the client's first. They are dropped.
	hadFrom, hadTo uint64

	reading bool
	ticket  uint32   // of the latest reading
	fresh   int      // entries added since it was asked for
	removed []uint64 // entries that were acknowledged since then: it may have seen them
	soonest int64    // Unix second up to which no entry expires, 0 = none does
}

// unknown is backlog.soonest after a restart.
const unknown = 1

// Reading is what a session wants from its queue in the store.
type Reading struct {
	of      *backlog // of the same client there may be another one by now
	ticket  uint32
	From    uint64
	Reverse bool // from the sequence downwards
	Max     int  // entries
}

const (
	pageEntries = 128 // read at a time
	lowWater    = 32  // waiting entries below which the next page is read
	spillFrom   = 256 // waiting entries from which on new ones are left in the store
	dropAtOnce  = 64  // surplus entries from which on they are removed
)

// shelf gives the backlog, which it makes if there is none.
func (s *Session) shelf() *backlog {
	if s.backlog == nil {
		s.backlog = &backlog{next: ^uint64(0)}
	}
	return s.backlog
}

// leave adds an entry of the store.
func (b *backlog) leave(seq uint64, expires int64) {
	if expires != 0 && (b.soonest == 0 || expires < b.soonest) {
		b.soonest = expires
	}
	b.len++
	b.fresh++
	b.next = min(b.next, seq)
	b.newest = max(b.newest, seq)
}

// Queued is the number of messages that wait for the client.
func (s *Session) Queued() (n int) {
	if b := s.backlog; b != nil {
		n = b.len - b.surplus
	}
	if e := s.extra; e != nil {
		n += e.waiting.Len()
	}
	return n
}

// unpark lets the backlog come after the client has come back. What exceeds the
// online limit is dropped unless the configuration says otherwise.
func (s *Session) unpark() {
	b := s.backlog
	if b == nil {
		return
	}
	if b.reading { // to drop some: with lifo that is not what comes next
		b.ticket++
		b.reading, b.soonest = false, unknown
	}
	b.bound, b.keep = b.newest, b.len-b.surplus
	if limit := s.limits.MaxOnline; limit >= 0 && !s.limits.OverrideMaxOnline {
		b.keep = min(b.keep, limit)
	}
	if b.top = 0; s.limits.LIFO {
		b.top = b.bound
	}
	s.page()
}

// page asks for the next entries of the backlog when memory has room for them.
func (s *Session) page() {
	b := s.backlog
	if b == nil || b.reading || s.extra != nil && s.extra.waiting.Len() > lowWater {
		return
	}
	r := Reading{From: b.next, Max: pageEntries}
	if b.top > 0 {
		r.From, r.Reverse = b.top, true
	}
	s.read(r)
}

func (s *Session) read(r Reading) {
	b := s.backlog
	b.ticket++
	b.reading, b.fresh, b.removed = true, 0, b.removed[:0]
	r.of, r.ticket = b, b.ticket
	s.host.Read(r)
}

// Read takes what was read, which it owns now, and puts list to use: it waits
// for a client that is connected. Of one that is away it is what was to be
// dropped.
func (s *Session) Read(r Reading, list []store.Queued, err error) {
	b := s.backlog
	if b == nil || r.of != b || r.ticket != b.ticket || !b.reading {
		release(list)
		return
	}
	b.reading = false
	switch {
	case err != nil:
		release(list)
		if s.link != nil {
			s.end(errStore)
		}
	case s.link == nil:
		s.dropFront(list)
	default:
		s.take(r, list)
		s.pump()
	}
}

func release(list []store.Queued) {
	for i := range list {
		list[i].Msg.Release()
	}
}

// sent tells which of the entries are in flight, or were when they were read.
func (s *Session) sent(list []store.Queued) (found map[uint64]bool) {
	if s.extra != nil && len(list) > 0 {
		a, b := list[0].Seq, list[len(list)-1].Seq
		found = s.extra.inflight.Stored(min(a, b), max(a, b))
	}
	for _, seq := range s.backlog.removed {
		if found == nil {
			found = map[uint64]bool{}
		}
		found[seq] = true
	}
	return found
}

// take puts a page into the queue of a connected client.
func (s *Session) take(r Reading, list []store.Queued) {
	b, e, now := s.backlog, s.more(), s.host.Unix()
	if len(list) == 0 {
		if r.Reverse {
			b.top, b.next, b.surplus = 0, b.bound+1, 0
		} else {
			b.len, b.surplus = b.fresh, 0 // there is no more, whatever was counted
		}
	}
	sent := s.sent(list)
	for i := range list {
		q := &list[i]
		if r.Reverse {
			b.top = q.Seq - 1
		} else {
			b.next = q.Seq + 1
		}
		if sent[q.Seq] || q.Seq <= s.birth { // or of an earlier session, which others inherit
			q.Msg.Release()
			continue
		}
		b.len--
		had := q.Seq > b.hadFrom && q.Seq <= b.hadTo
		switch old := q.Seq <= b.bound; {
		case b.surplus > 0 && (!r.Reverse || b.keep <= 0 || had || q.Msg.Expired(now)): // counted as dropped already
			b.surplus--
			s.loseStored(QueueFull, q)
		case had:
			s.host.Metrics().Inc(metrics.QueueMessageUnhandled)
		case q.Msg.Expired(now):
			if b.surplus > 0 { // it makes room for one that was counted as dropped
				b.surplus--
			} else {
				s.host.Metrics().Inc(metrics.QueueMessageExpired)
			}
			s.loseStored(Overdue, q)
		case old && b.keep <= 0:
			s.drop()
			s.loseStored(QueueFull, q)
		default:
			if old {
				b.keep--
			}
			e.waiting.Push(s.entry(q))
			continue
		}
		s.unwrite(q.Ref)
		q.Msg.Release()
	}
	if b.len <= 0 && b.top == 0 {
		s.backlog = nil
	}
}

// entry is an entry of the store as it waits in memory.
func (s *Session) entry(q *store.Queued) queue.Entry {
	e := queue.Entry{Msg: q.Msg, Ref: q.Ref, SubscriptionID: q.SubscriptionID, QoS: q.QoS, Retain: q.Retain}
	if q.Shared != "" {
		if e.Share = s.host.Share(q.Shared); e.Share != 0 {
			s.flags |= sharer
		}
	}
	return e
}

// dropFront drops entries of an absent client: the oldest if there are too
// many, and those that have expired.
func (s *Session) dropFront(list []store.Queued) {
	b, now := s.backlog, s.host.Unix()
	sent := s.sent(list)
	b.soonest = 0
	for i := range list {
		q := &list[i]
		switch {
		case sent[q.Seq]:
			continue
		case b.surplus > 0: // counted as dropped already
			b.surplus--
			s.loseStored(QueueFull, q)
		case q.Msg.Expired(now):
			s.host.Metrics().Inc(metrics.QueueMessageExpired)
			s.loseStored(Overdue, q)
		default:
			if x := q.Msg.Expires; x != 0 && (b.soonest == 0 || x < b.soonest) {
				b.soonest = x
			}
			continue
		}
		b.len--
		s.unwrite(q.Ref)
	}
	release(list)
	if b.len <= 0 {
		s.backlog = nil
	}
}

// room makes room for one more entry in the backlog of an absent client: with
// lifo the oldest entry goes, with fifo the new one is refused.
func (s *Session) room() bool {
	limit, b := s.limits.MaxOffline, s.backlog
	if limit < 0 || b == nil && limit > 0 || b != nil && b.len-b.surplus < limit {
		return true
	}
	busy := b != nil && b.reading || s.flags&unread != 0 // before Load the count has two parts
	if b != nil && b.soonest != 0 && s.host.Unix() > b.soonest && !busy {
		known := b.soonest != unknown
		b.soonest = 0
		s.read(Reading{From: b.next, Max: pageEntries})
		if known {
			return true // at least one goes
		}
	}
	s.host.Metrics().Inc(metrics.LimitOffline)
	s.drop()
	if b == nil || !s.limits.LIFO {
		return false
	}
	if b.surplus++; b.surplus >= dropAtOnce && !busy {
		s.read(Reading{From: b.next, Max: b.surplus})
	}
	return true
}

// park leaves what waits for a client that just left to the store, which has
// it. What is in flight stays in the window [MQTT-4.4.0-1].
func (s *Session) park() {
	if b := s.backlog; b != nil {
		b.ticket++
		b.reading, b.top = false, 0
	}
	if s.extra == nil {
		return
	}
	for w := &s.extra.waiting; w.Len() > 0; {
		e := w.Pop()
		switch {
		case e.QoS == 0:
			s.host.Metrics().Inc(metrics.QueueMessageUnhandled)
		case s.room():
			s.write(&e, nil)
			s.shelf().leave(e.Ref.Seq, e.Msg.Expires)
			e.Msg.Release()
			continue
		default:
			s.loseQueued(QueueFull, &e)
		}
		s.discardEntry(&e)
	}
}
