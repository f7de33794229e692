package server

import (
	"slices"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/reactor"
	"vernemq/server/session"
)

// attached is a further connection of a client, where allow_multiple_sessions
// lets it have several. Each has a session machine of its own with its window
// and queue; subscriptions and backlog are the client's. While a client is
// connected at all, its own session is: when that connection ends, an attached
// one takes its place. So an absent client looks the same in every mode.
type attached struct {
	*client // the Host, but for what follows
	session session.Session
	conn    *reactor.Conn
	timer   uint32
	login   *login
	joined  uint64 // latest entry of the store when it came
}

// others are the further connections of a client.
func (c *client) others() []*attached {
	if c.more == nil {
		return nil
	}
	return *c.more
}

func (c *client) setOthers(list []*attached) {
	c.more = nil
	if len(list) > 0 {
		c.more = &list
	}
}

// attach adds a connection to a client that has one.
func (l *loop) attach(c *client, conn *reactor.Conn, p *codec.Connect, adm *admission, limits *session.Limits, f codec.Frame) {
	a := &attached{client: c, conn: conn, login: loginOf(adm, uint32(l.unix()), c.created), joined: c.Last()}
	a.session = session.New(a, c.session.Mountpoint, c.session.ID)
	a.timer = l.addTimer(&a.session)
	c.setOthers(append(c.others(), a))
	conn.SetUser(a)
	l.tellRegistered(conn, adm, p)
	a.session.Join(l.linkTo(conn, adm, f), p, &adm.Admission, limits)
}

func (a *attached) Arm(deadline uint32) { a.loop.wheel.Set(a.timer, deadline) }

func (a *attached) Presence(online bool) {
	if !online {
		a.conn = nil
		a.loop.wheel.Cancel(a.timer)
	}
}

// Accompanied: the client's own session is always there.
func (a *attached) Accompanied() bool { return true }

func (a *attached) Inherit(m *queue.Message, e queue.Entry) bool {
	return a.inherit(&a.session, m, e)
}

func (a *attached) Hold() { a.loop.keepBack(a.conn) }

func (a *attached) Ended() {
	a.setOthers(slices.DeleteFunc(a.others(), func(x *attached) bool { return x == a }))
	a.loop.dropTimer(a.timer)
}

// promote puts an attached session in the place of the client's own, whose
// connection has ended.
func (c *client) promote() {
	a := c.others()[0]
	c.setOthers(slices.Delete(c.others(), 0, 1))
	c.loop.dropTimer(c.timer)
	old := c.session
	c.session, c.conn, c.timer, c.login = a.session, a.conn, a.timer, a.login
	had := a.joined
	if old.Limits().Balance {
		had = c.Last() // nothing that is in the store
	}
	c.session.Succeed(&old, c, had)
	if c.session.Stored() && !old.Stored() {
		c.loop.storeSubscriptions(c)
	}
	c.loop.timers[c.timer] = &c.session
	c.conn.SetUser(c)
}

// deliverAll gives p to every connection of the client or to one of them.
func (c *client) deliverAll(p *queue.Publication, o *session.Options) {
	if c.session.Limits().Balance {
		c.pick(nil).Deliver(p, o)
		return
	}
	c.session.Deliver(p, o)
	for _, a := range c.others() {
		a.session.Deliver(p, o)
	}
}

// pick chooses a random session of the client, except for one, and prefers
// those that keep up.
func (c *client) pick(except *session.Session) *session.Session {
	var found *session.Session
	others := c.others()
	n := len(others) + 1
	for i, first := 0, int(c.loop.random.Uint64N(uint64(n))); i < n; i++ {
		s := &c.session
		if k := (first + i) % n; k > 0 {
			s = &others[k-1].session
		}
		if s == except || !s.Online() {
			continue
		}
		if found == nil {
			found = s
		}
		if !s.Busy() {
			return s
		}
	}
	return found
}

// inherit gives a message of a session that leaves to another one of the
// client, if each message goes to one of them. Else the connection that becomes
// the client's first one gets what is older than itself.
func (c *client) inherit(leaves *session.Session, m *queue.Message, e queue.Entry) bool {
	to := c.pick(leaves)
	if !leaves.Limits().Balance {
		if leaves != &c.session {
			return false
		}
		next := c.others()[0]
		if e.Ref.Seq == 0 || e.Ref.Seq > next.joined {
			return false
		}
		to = &next.session
	}
	if e.QoS == 0 || to == nil {
		return false
	}
	p := &c.loop.behind
	p.View(m)
	to.Take(p, e)
	p.Reset()
	return true
}
