package server

import (
	"vernemq/codec"
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/reactor"
	"vernemq/server/hooks"
	"vernemq/server/metrics"
	"vernemq/server/session"
)

// client is a client of this broker, connected or away: its session and its
// place on its home loop. It is the session's Host.
type client struct {
	session session.Session
	loop    *loop
	conn    *reactor.Conn // nil while the client is away
	timer   uint32        // id in the loop's wheel
	created uint32        // Unix second
	online  bool          // counted as connected
	more    *[]*attached  // further connections, nil when there are none
	subs    subscriptions
	login   *login // nil for a client without a name that has connected once
}

// login is who connected, when, and with what limits.
type login struct {
	user  string
	named bool                     // there was a user name
	since uint32                   // Unix second
	own   *hooks.RegisterModifiers // limits that plugins want for it, nil when they want none
}

// loginOf is the login of a client that was admitted, nil if it says no more
// than when the client was made.
func loginOf(a *admission, now, created uint32) *login {
	if a.User == nil {
		if now == created && a.own == nil {
			return nil
		}
		return &login{since: now, own: a.own}
	}
	return &login{*a.User, true, now, a.own}
}

// change gives the limits of a client whose listener has these.
func (x *login) change(l *session.Limits) *session.Limits {
	if x == nil || x.own == nil {
		return l
	}
	return limitsFor(x.own, l)
}

func (c *client) Clock() uint32             { return c.loop.clock() }
func (c *client) Unix() int64               { return c.loop.unix() }
func (c *client) Scratch() *session.Scratch { return &c.loop.scratch }
func (c *client) Metrics() *metrics.Set     { return &c.loop.metrics }
func (c *client) Records() store.Records    { return c.loop.records() }
func (c *client) Writes() uint64            { return c.loop.ledger.written }
func (c *client) Last() uint64              { return c.loop.ledger.store.Last() }
func (c *client) Hold()                     { c.loop.keepBack(c.conn) }
func (c *client) Safe() bool                { return c.loop.broker.safe() }

func (c *client) Arm(deadline uint32) { c.loop.wheel.Set(c.timer, deadline) }

func (c *client) Subscribe(f *codec.Filter, id uint32) (bool, codec.ReasonCode) {
	return c.loop.subscribe(c, f, id)
}

func (c *client) Unsubscribe(filter []byte) bool {
	if filter != nil {
		return c.loop.unsubscribe(c, filter)
	}
	c.unsubscribedAll()
	all := c.subs
	c.subs = subscriptions{}
	for x := range all.all {
		c.loop.endSubscription(x)
	}
	return all.len() > 0
}

func (c *client) Retained(filter []byte, yield func(*queue.Message) bool) {
	c.loop.retainedFor(c.session.Mountpoint, filter, c.Unix(), yield)
}

func (c *client) Presence(online bool) {
	if !online {
		c.conn = nil
		c.loop.wheel.Cancel(c.timer)
	}
	if c.more != nil { // one of them takes this place
		return
	}
	c.countPresence(online)
	for x := range c.subs.all {
		if x.group != nil {
			x.group.loops[c.loop.index].moved(x)
		}
	}
}

func (c *client) Dropped() {
	c.loop.drops[c]++
}

func (c *client) Redeliver(share uint32, m *queue.Message) { c.loop.redeliver(share, m) }

func (c *client) Accompanied() bool { return c.more != nil }

func (c *client) Inherit(m *queue.Message, e queue.Entry) bool {
	return c.inherit(&c.session, m, e)
}

func (c *client) Ended() {
	if c.more != nil {
		c.promote()
		return
	}
	c.loop.forget(c)
}

// deliver gives p to the client because of a subscription.
func (c *client) deliver(p *queue.Publication, o *session.Options) {
	if c.more == nil {
		c.session.Deliver(p, o)
		return
	}
	c.deliverAll(p, o)
}

// link is a connection as its session sees it.
type link struct{ *reactor.Conn }

func (l link) AppendShared(data []byte, ref interface{ Release() }) { l.Conn.AppendShared(data, ref) }

func (l link) Finish(cause error) { l.CloseAfterFlush(cause, finishTimeout) }

// find gives the client of a name, if this loop has it.
func (l *loop) find(mountpoint, id string) *client {
	return l.clients.find(queue.KeyOf(mountpoint, id), mountpoint, id)
}

// clientTable finds the clients of a loop by name: open addressing with linear
// probing, because a map costs several times as much for a million clients.
type clientTable struct {
	slots []*client // length is zero or a power of two; at most 3/4 are used
	used  int
}

// start is where the search for a key begins. The low bits of the key are the
// same for many clients of a loop: they chose the loop.
func start(key uint64) uint64 { return key >> slotBits }

func (t *clientTable) find(key uint64, mountpoint, id string) *client {
	if t.used == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := start(key) & mask; t.slots[i] != nil; i = (i + 1) & mask {
		if c := t.slots[i]; c.session.Key == key && c.session.ID == id && c.session.Mountpoint == mountpoint {
			return c
		}
	}
	return nil
}

func (t *clientTable) add(c *client) {
	if 4*(t.used+1) > 3*len(t.slots) {
		t.resize(max(64, 2*len(t.slots)))
	}
	t.insert(c)
	t.used++
}

func (t *clientTable) insert(c *client) {
	mask := uint64(len(t.slots) - 1)
	i := start(c.session.Key) & mask
	for t.slots[i] != nil {
		i = (i + 1) & mask
	}
	t.slots[i] = c
}

func (t *clientTable) resize(n int) {
	old := t.slots
	t.slots = make([]*client, n)
	for _, c := range old {
		if c != nil {
			t.insert(c)
		}
	}
}

// remove takes c out and closes the gap in its probe sequence.
func (t *clientTable) remove(c *client) {
	mask := uint64(len(t.slots) - 1)
	i := start(c.session.Key) & mask
	for t.slots[i] != c {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.slots[j] != nil; j = (j + 1) & mask {
		if home := start(t.slots[j].session.Key) & mask; (j-home)&mask >= (j-i)&mask {
			t.slots[i], i = t.slots[j], j
		}
	}
	t.slots[i] = nil
	t.used--
	if len(t.slots) > 64 && 8*t.used < len(t.slots) {
		t.resize(len(t.slots) / 2)
	}
}

func (t *clientTable) all(yield func(*client) bool) {
	for _, c := range t.slots {
		if c != nil && !yield(c) {
			return
		}
	}
}
