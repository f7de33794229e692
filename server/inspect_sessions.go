package server

import (
	"context"
	"math"
	"net/netip"

	"vernemq/queue/store/disk"
	"vernemq/reactor"
	"vernemq/server/admin"
	"vernemq/server/session"
)

// scanDetails is the most subscriptions that are copied in one turn of a loop.
const scanDetails = 1024

// scan copies sessions on their loops and yields them on the goroutine of who
// asks, while the loops go on.
type scan struct {
	*admin.Scan
	rows    []row // copied in the latest turn
	store   *disk.Store
	details int // subscriptions in rows
	large   []admin.Client
}

// row is a connection of a client, or the client, as it was copied.
type row struct {
	admin.Session
	peer     netip.AddrPort
	subs     []copiedSubscription
	messages bool // those in the store are asked for
}

// Each yields sessions.
func (s sessions) Each(ctx context.Context, q *admin.Scan, yield func(*admin.Session) bool) error {
	x := &scan{Scan: q, store: s.store}
	if q.ClientID != nil && q.Mountpoint != nil { // no need to search
		_, err := s.large(ctx, x, admin.Client{Mountpoint: *q.Mountpoint, ID: *q.ClientID}, yield)
		return err
	}
	var failed error
	err := s.walk(ctx, x.visit, x.full, func() bool {
		more := x.yield(yield)
		for _, name := range x.large {
			if more {
				more, failed = s.large(ctx, x, name, yield)
			}
		}
		x.large = x.large[:0]
		return more && failed == nil
	})
	if err == nil {
		err = failed
	}
	return err
}

// visit copies a client if it is asked for. On its loop. Clients with too many
// details for this turn are left for later.
func (x *scan) visit(l *loop, c *client) {
	if x.ClientID != nil && *x.ClientID != c.session.ID || x.Mountpoint != nil && *x.Mountpoint != c.session.Mountpoint {
		return
	}
	n := 0
	if x.Details&admin.Subscriptions != 0 {
		n = c.subs.len()
	}
	if n > 0 && x.details+n > scanDetails {
		x.large = append(x.large, admin.Client{Mountpoint: c.session.Mountpoint, ID: c.session.ID})
		return
	}
	x.copy(l, c, 0, n)
}

// full tells that a turn had better end before another block.
func (x *scan) full() bool { return x.details >= scanDetails/2 || len(x.large) > 0 }

// large yields a client of a name, some of its subscriptions in each turn, the
// last ones first: when one ends meanwhile, the last takes its place, so that
// none that stays is missed.
func (s sessions) large(ctx context.Context, x *scan, name admin.Client, yield func(*admin.Session) bool) (more bool, err error) {
	l := s.homeOf(name.Mountpoint, name.ID)
	for to := math.MaxInt; to > 0; {
		err := s.onLoop(ctx, l, func() {
			c := l.find(name.Mountpoint, name.ID)
			if c == nil {
				to = 0
				return
			}
			to = min(to, c.subs.len())
			from := max(to-scanDetails, 0)
			x.copy(l, c, from, to)
			to = from
			if x.Details&admin.Subscriptions == 0 {
				to = 0
			}
		})
		if err != nil {
			return false, err
		}
		if !x.yield(yield) {
			return false, nil
		}
	}
	return true, nil
}

// copy copies a client, of its subscriptions those from a place in the list to
// another one. On its loop.
func (x *scan) copy(l *loop, c *client, from, to int) {
	r := row{Session: l.inspect(c)}
	if x.Details&admin.Subscriptions != 0 {
		r.subs = copySubscriptions(c, from, to)
		x.details += len(r.subs)
	}
	r.messages = x.Details&(admin.References|admin.Messages) != 0 && !r.Online
	if x.Details&admin.Connections == 0 || !r.Online {
		x.rows = append(x.rows, r)
		return
	}
	x.rows = append(x.rows, r.connection(l, &c.session, c.conn, loginOr(c.login, c.created)))
	for _, a := range c.others() {
		x.rows = append(x.rows, r.connection(l, &a.session, a.conn, loginOr(a.login, c.created)))
	}
}

// inspect copies what a client costs nothing to tell. On its loop.
func (l *loop) inspect(c *client) admin.Session {
	s := admin.Session{
		Client:  admin.Client{Mountpoint: c.session.Mountpoint, ID: c.session.ID},
		Queue:   admin.PID{uint32(l.index), c.timer, 0},
		Online:  c.session.Online(),
		Balance: c.session.Limits().Balance,
		Clean:   c.session.Clean(),
		Waiting: c.session.Queued(),
		Created: 1000 * int64(c.created),
	}
	if !s.Online {
		s.Waiting, s.Stored = 0, c.session.Queued()+c.session.Unacknowledged()
		return s
	}
	s.Connections = 1 + len(c.others())
	for _, a := range c.others() {
		s.Waiting += a.session.Queued()
	}
	return s
}

// connection adds what is true of one connection.
func (r row) connection(l *loop, s *session.Session, c *reactor.Conn, who login) row {
	r.User, r.HasUser, r.Connected = who.user, who.named, 1000*int64(who.since)
	r.Protocol, r.Unacked = byte(s.Version()), s.Unacknowledged()
	if s.Bridge() {
		r.Protocol |= 0x80
	}
	if c != nil {
		r.Connection = admin.PID{uint32(l.index), uint32(c.FD()), c.Generation()}
		r.peer = c.Peer()
	}
	return r
}

// loginOr gives the login of a connection that may have none of its own.
func loginOr(own *login, created uint32) login {
	if own == nil {
		return login{since: created}
	}
	return *own
}

// yield gives out what was copied, a row for each subscription and message if
// those are asked for. It tells whether more is wanted.
func (x *scan) yield(f func(*admin.Session) bool) bool {
	more := true
	for i := range x.rows {
		r := &x.rows[i]
		if r.PeerHost = "local"; r.peer.IsValid() {
			r.PeerHost, r.PeerPort = r.peer.Addr().String(), r.peer.Port()
		}
		more = more && r.multiply(x.store, x.Details, f)
	}
	clear(x.rows)
	x.rows, x.details = x.rows[:0], 0
	return more
}
