package server

import (
	"fmt"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/queue/store/disk"
	"vernemq/server/config"
	"vernemq/server/metrics"
	"vernemq/server/session"
)

// restore makes the clients, subscriptions and retained messages that the store
// has. It comes before the loops run: each is filled by a goroutine of its own.
// What is queued stays on disk.
func (b *Broker) restore(st *disk.Store) error {
	st.ServeRetained(func(mountpoint, topic string) *queue.Message {
		m, _ := b.retained.Get(mountpoint, topic)
		return m
	})
	err := st.Retained(func(mountpoint string, m *queue.Message) error {
		b.retained.Put(mountpoint, string(m.Topic()), m)
		b.retainedBytes.Add(sizeOf(m, true))
		return nil
	})
	if err != nil {
		return err
	}
	limits := limitsOf(b.config.Load(), &config.Listener{})
	limits.MaxSubscriptions = 0 // what a client has it keeps, as when the setting changes
	err = st.Sessions(len(b.loops), func(i int, c store.Client, x *store.Session, subs []store.Subscription) error {
		return b.loops[i].restore(c, x, subs, limits)
	})
	if err != nil {
		return err
	}
	if err := b.findLeft(st); err != nil {
		return err
	}
	st.DropCache()
	return b.finishHandovers(st)
}

// restore makes one client.
func (l *loop) restore(name store.Client, x *store.Session, subs []store.Subscription, limits *session.Limits) error {
	c := l.newClient(name.Mountpoint, name.ID)
	c.session.Restore(x, limits)
	if x.Absent == 0 && c.session.Timed() {
		l.cut = append(l.cut, c)
	}
	l.metrics.Inc(metrics.QueueInitialized)
	for i := range subs {
		s := &subs[i]
		f := codec.Filter{Filter: []byte(s.Filter), QoS: s.QoS, NoLocal: s.NoLocal, RetainAsPublished: s.RetainAsPublished}
		if _, code := l.addSubscription(c, &f, s.ID); code >= 0x80 {
			return fmt.Errorf("subscription %q of %q: %s", s.Filter, name.ID, code)
		}
	}
	return nil
}

// findLeft notes which sessions have more in the store than their records, and
// what is there of sessions that have ended.
func (b *Broker) findLeft(st *disk.Store) error {
	err := st.Backlogs(func(name store.Client, first uint64) error {
		l := b.loops[b.home(name.Key)]
		c := l.clients.find(name.Key, name.Mountpoint, name.ID)
		switch {
		case c == nil:
			l.orphans = append(l.orphans, orphan{name, st.Last()})
			return nil
		case first <= c.session.Birth():
			l.orphans = append(l.orphans, orphan{name, c.session.Birth()})
		}
		c.session.MarkUnread()
		l.unread = append(l.unread, c)
		return nil
	})
	if err != nil {
		return err
	}
	return st.Exchanging(func(name store.Client) error {
		l := b.loops[b.home(name.Key)]
		if c := l.clients.find(name.Key, name.Mountpoint, name.ID); c != nil && !c.session.Unread() {
			c.session.MarkUnread()
			l.unread = append(l.unread, c)
		}
		return nil
	})
}

// orphan is what is left of the queue of a session that has ended: entries up
// to a sequence.
type orphan struct {
	client store.Client
	limit  uint64
}

// finishHandovers delivers the messages that were on their way from one loop to
// another one when the process ended. Only clients that belonged to that loop
// get them, whatever loop they belong to now. All of it is one batch.
func (b *Broker) finishHandovers(st *disk.Store) error {
	shared := st.NewBatch()
	for _, l := range b.loops {
		l.handIn()
		l.ledger.batch = shared
	}
	err := st.Handovers(func(ref queue.Ref, h store.Handover) error {
		b.finishHandover(&h)
		shared.TakeOver(h.Loop, ref)
		h.Msg.Release()
		return nil
	})
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	st.Commit(shared, func(err error) { done <- err })
	for _, l := range b.loops {
		l.ledger.batch, l.ledger.handed = st.NewBatch(), l.ledger.written
	}
	return <-done
}

func (b *Broker) finishHandover(h *store.Handover) {
	name, filter, shared := codec.SplitShared([]byte(h.Filter))
	node := b.index.Find(h.Mountpoint, string(filter))
	if node == nil {
		return
	}
	p := &b.loops[0].arrived
	p.View(h.Msg)
	defer p.Reset()
	if shared {
		if g := node.Value.group(string(name)); g != nil {
			if i := b.loops[0].choose(g); i >= 0 {
				b.loops[i].deliverShared(g, p)
			}
		}
		return
	}
	for _, l := range b.loops {
		s := node.Value.subscribersOf(l.index)
		if s == nil {
			continue
		}
		for x := range s.all {
			if slot := x.client.session.Key & (1<<slotBits - 1); slot%uint64(h.Loops) == uint64(h.Loop) {
				x.client.deliver(p, &x.options)
			}
		}
	}
}

// readLeft begins to read what restore has found, a few sessions at a time:
// their messages are counted, and those of sessions that have ended go.
func (l *loop) readLeft() {
	for _, o := range l.orphans {
		l.bequeath(o.client, o.limit)
	}
	l.orphans = nil
	l.readNext()
	l.noteAbsences()
}

// noteAtOnce is how many absences are written in a turn.
const noteAtOnce = 1024

// noteAbsences writes since when those are away who were connected when the
// process ended, some at a time.
func (l *loop) noteAbsences() {
	n := min(len(l.cut), noteAtOnce)
	for _, c := range l.cut[:n] {
		c.session.NoteAbsence()
	}
	if l.cut = l.cut[n:]; len(l.cut) == 0 {
		l.cut = nil
		return
	}
	l.whenSafe(l.noteAbsences)
}

// readAhead is how many sessions are read at a time after a restart.
const readAhead = 64

func (l *loop) readNext() {
	n := min(len(l.unread), readAhead-min(len(l.loading), readAhead))
	for _, c := range l.unread[:n] {
		if c.session.Unread() {
			l.load(c, nil)
		}
	}
	clear(l.unread[:n])
	if l.unread = l.unread[n:]; len(l.unread) == 0 {
		l.unread = nil
	}
}
