package session

import (
	"vernemq/codec"
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/server/metrics"
)

// What must outlive the process is written through Host.Records: the sessions
// of clients that asked for that, with what is queued for them from QoS 1 on,
// and how far their QoS 2 exchanges are. What a packet acknowledges is written
// before the packet is sent: Host.Hold keeps it back.

var errStore = &codec.Error{Code: codec.UnspecifiedError, Text: "the store takes nothing: its disk is full or has failed"}

// client names the session to the store.
func (s *Session) client() store.Client {
	return store.Client{Key: s.Key, Mountpoint: s.Mountpoint, ID: s.ID}
}

// Stored tells that the session is in the store.
func (s *Session) Stored() bool { return s.flags&stored != 0 }

// waitFor has what follows in the output wait, if something was written since
// a count of writes.
func (s *Session) waitFor(writes uint64) {
	if s.host.Writes() != writes {
		s.host.Hold()
	}
}

// save writes the session's own record, once the session is one that persists.
func (s *Session) save() {
	if s.flags&(persistent|stored) == 0 {
		return
	}
	if s.flags&stored == 0 {
		s.flags |= stored
		s.birth = s.host.Last()
	}
	r := store.Session{Version: byte(s.version), Expiry: s.expiry, LastID: s.lastID, Birth: s.birth}
	if e := s.extra; e != nil {
		r.LastID = e.inflight.LastID()
		r.Will = e.will.record(s.host)
	}
	if s.link == nil {
		r.Absent = s.host.Unix()
		if s.ends != 0 {
			r.Ends = wall(s.host, s.ends)
		}
	}
	s.host.Records().PutSession(s.client(), &r)
}

// wall is the wall clock at a second of the loop clock.
func wall(h Host, at uint32) int64 { return h.Unix() + int64(at) - int64(h.Clock()) }

func (w *will) record(h Host) *store.Will {
	if w == nil {
		return nil
	}
	r := &store.Will{Topic: w.data[:w.topic], Forward: w.data[w.topic : w.topic+w.forward], Payload: w.data[w.topic+w.forward:],
		QoS: w.qos, Retain: w.retain, Delay: w.delay, Expiry: w.expiry, Expires: w.expires, Mountpoint: w.mountpoint}
	if w.at != 0 {
		r.Due = wall(h, w.at)
	}
	return r
}

// write puts an entry into the store that is not there yet. p is what it was
// made from, nil when it was taken from the queue.
func (s *Session) write(e *queue.Entry, p *queue.Publication) {
	if s.flags&stored == 0 || e.QoS == 0 || e.Ref.Seq != 0 {
		return
	}
	d := store.Delivery{Msg: e.Msg, SubscriptionID: e.SubscriptionID, QoS: e.QoS, Retain: e.Retain}
	many := false
	if p != nil {
		d.Msg, d.Shared, many = p.Message(), p.Shared, p.Many
	}
	if e.Share != 0 {
		s.flags |= sharer
		if d.Shared == "" { // it was in memory only so far
			d.Shared = s.host.ShareFilter(e.Share)
		}
	}
	e.Ref = s.host.Records().Enqueue(s.client(), d, many)
}

// writeAll writes what a further connection has had in memory only, once it is the
// client's first one. What waits for it stays there if it could be read again.
func (s *Session) writeAll() {
	e := s.extra
	if e == nil || s.flags&stored == 0 {
		return
	}
	r, c := s.host.Records(), s.client()
	for f := range e.inflight.All {
		if f.Msg != nil {
			s.write(&f.Entry, nil)
		}
		switch f.State {
		case queue.AwaitPubrec:
			r.PutOutgoing(c, &store.Outgoing{ID: f.ID, State: store.Sent, Seq: f.Ref.Seq})
		case queue.AwaitPubcomp:
			r.PutOutgoing(c, &store.Outgoing{ID: f.ID, State: store.Released})
		}
	}
	for n := e.waiting.Len(); n > 0 && s.backlog == nil; n-- {
		x := e.waiting.Pop()
		s.write(&x, nil)
		e.waiting.Push(x)
	}
	for id := range e.received.All {
		r.PutIncoming(c, id)
	}
}

// unwrite removes an entry from the store.
func (s *Session) unwrite(r queue.Ref) {
	if r.Seq == 0 {
		return
	}
	s.host.Records().Dequeue(s.client(), r)
	if b := s.backlog; b != nil && b.reading {
		b.removed = append(b.removed, r.Seq)
	}
}

// discardEntry lets go of an entry in memory and in the store.
func (s *Session) discardEntry(e *queue.Entry) {
	s.unwrite(e.Ref)
	if e.Msg != nil {
		e.Msg.Release()
	}
}

// wrote notes how far the delivery of a message of QoS 2 is.
func (s *Session) wrote(id uint16, state store.OutgoingState, seq uint64) {
	if s.flags&stored != 0 {
		s.host.Records().PutOutgoing(s.client(), &store.Outgoing{ID: id, State: state, Seq: seq})
		s.host.Hold()
	}
}

// Restore makes the session that a restart has found. Its limits are those of
// the configuration until the client connects.
func (s *Session) Restore(r *store.Session, l *Limits) {
	now, unix := s.host.Clock(), s.host.Unix()
	s.limits, s.version, s.expiry = l, codec.Version(r.Version), r.Expiry
	s.lastID, s.birth = r.LastID, r.Birth
	s.flags = everPresent | persistent | stored
	absent := r.Absent
	if absent == 0 {
		absent = unix // it was connected
	}
	if r.Absent == 0 {
		if s.ends = s.expires(); s.expiry == 0 {
			s.ends = loopClock(now, 0) // it ended with its connection
		}
	} else if !s.v5() && s.expiry != 0 { // the setting may be another one now
		if l.PersistentExpiry > 0 {
			s.ends = loopClock(now, r.Absent+int64(l.PersistentExpiry)-unix)
		}
	} else if r.Ends != 0 {
		s.ends = loopClock(now, r.Ends-unix)
	}
	if w := r.Will; w != nil {
		s.more().will = &will{
			data:  append(append(append([]byte(nil), w.Topic...), w.Forward...), w.Payload...),
			topic: len(w.Topic), forward: len(w.Forward), delay: w.Delay, expiry: w.Expiry, mountpoint: w.Mountpoint,
			qos: w.QoS, retain: w.Retain, expires: w.Expires,
		}
		due := w.Due
		if due == 0 {
			due = absent + int64(w.Delay)
		}
		s.extra.will.at = loopClock(now, due-unix)
		s.arm(s.extra.will.at)
	}
	if s.ends != 0 {
		s.arm(s.ends)
	}
}

// Timed tells that time ends the session of a client that is away, or brings its
// will.
func (s *Session) Timed() bool { return s.ends != 0 || s.extra != nil && s.extra.will != nil }

// NoteAbsence writes since when a client is away that was connected when the
// process ended, unless it is back: the next start is to go on from there.
func (s *Session) NoteAbsence() {
	if s.link == nil {
		s.save()
	}
}

// loopClock is the loop clock in a number of seconds. What is past is the second
// before now, which has come whatever now is rounded to.
func loopClock(now uint32, in int64) uint32 {
	if in <= 0 {
		return max(now, 2) - 1
	}
	return after(now, uint32(min(in, int64(never))))
}

// Birth is the sequence up to which entries of the client's queue in the store
// belong to earlier sessions.
func (s *Session) Birth() uint64 { return s.birth }

// MarkUnread notes that the store has more of this session than Restore was
// given.
func (s *Session) MarkUnread() { s.flags |= unread }

// Unread tells that the store has more of this session than was read: Load
// must come before a connection does.
func (s *Session) Unread() bool { return s.flags&unread != 0 }

// BeforeLoad is called when what Load is given is about to be read.
func (s *Session) BeforeLoad() {
	if b := s.backlog; b != nil {
		b.fresh = 0
	}
}

// Exchange is an outgoing QoS 2 exchange that a restart has found, with the
// entry in state Sent.
type Exchange struct {
	store.Outgoing
	Entry store.Queued
}

// Load takes what the store has of this session: the exchanges of QoS 2 that
// have not ended, and how much is queued. It owns the messages.
func (s *Session) Load(out []Exchange, in []uint16, b store.Bounds) {
	s.flags &^= unread
	if len(out)+len(in) > 0 {
		e := s.more()
		for _, id := range in {
			e.earlier.Add(id)
		}
		for i := range out {
			x := &out[i]
			f := queue.Flight{ID: x.ID, State: queue.AwaitPubcomp}
			if x.State == store.Sent {
				if x.Entry.Msg == nil {
					s.host.Records().DeleteOutgoing(s.client(), x.ID)
					continue
				}
				f.State, f.Entry = queue.AwaitPubrec, s.entry(&x.Entry)
				b.Len--
			}
			e.inflight.Restore(f)
		}
	}
	fresh, counted := 0, 0
	if k := s.backlog; k != nil {
		fresh, counted = k.fresh, k.len-k.fresh // those came since the restart
	}
	s.host.Metrics().Add(metrics.QueueMessageIn, max(b.Len-counted, 0))
	if b.Len+fresh <= 0 {
		s.backlog = nil
		return
	}
	k := s.shelf()
	s.flags |= sharer // it may be: nobody has looked at the entries
	k.soonest = unknown
	k.len, k.next, k.newest = b.Len+fresh, min(k.next, b.First), max(k.newest, b.Last)
}

// forgetRecords removes the session from the store. Other members of shared
// subscriptions get what only the store has of theirs.
func (s *Session) forgetRecords() {
	if s.flags&stored == 0 {
		return
	}
	r, c := s.host.Records(), s.client()
	if (s.flags&(sharer|unread) == 0 || s.backlog == nil && s.flags&unread == 0) && !s.host.Bequeaths() {
		r.DeleteSession(c)
		return
	}
	r.DeleteState(c)
	if e := s.extra; e != nil { // these are known
		for f := range e.inflight.All {
			s.unwrite(f.Ref)
		}
		for x := range e.waiting.All {
			s.unwrite(x.Ref)
		}
	}
	s.host.Bequeath(s.host.Last())
}
