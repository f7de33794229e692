package reactor

import (
	"time"

	"vernemq/codec"
)

// lobbyPacket is the largest first packet, in bytes.
const lobbyPacket = 1 << 20

// lobby are the connections of a loop that have not sent their whole first
// packet, in the order in which they came. Those that have left stay in the
// list until they come to its front.
type lobby struct {
	waiting []guest
	front   int
	size    int // that really wait
}

type guest struct {
	connRef
	deadline uint32 // in quarter seconds of the loop
}

func (g *guest) waits() bool { return g.alive() && g.conn.state == stateLobby }

// receive puts a new connection into the lobby. When the lobby is full, the one
// that has waited longest goes.
func (l *Loop) receive(c *Conn) {
	b := &l.lobby
	if b.size >= l.reactor.lobby {
		l.stats.lobbyEvicted.inc()
		for ; b.front < len(b.waiting); b.front++ {
			if g := &b.waiting[b.front]; g.waits() {
				g.conn.Close(errLobbyEvicted)
				break
			}
		}
	}
	b.trim()
	b.waiting = append(b.waiting, guest{connRef{c, c.Generation()}, l.quarterAfter(l.reactor.cfg.ConnectTimeout())})
	b.size++
}

// trim cuts off the guests that have left at the front.
func (b *lobby) trim() {
	for b.front < len(b.waiting) && !b.waiting[b.front].waits() {
		b.front++
	}
	if b.front == len(b.waiting) {
		b.waiting, b.front = b.waiting[:0], 0
		if cap(b.waiting) > 4096 {
			b.waiting = nil
		}
		return
	}
	if b.front >= 1024 && b.front > len(b.waiting)/2 {
		k := copy(b.waiting, b.waiting[b.front:])
		clear(b.waiting[k:])
		b.waiting, b.front = b.waiting[:k], 0
	}
}

// leaveLobby comes before every change of state.
func (c *Conn) leaveLobby() {
	if c.state == stateLobby {
		c.loop.lobby.size--
	}
}

// lobbyDeadlines closes connections that have waited too long.
func (l *Loop) lobbyDeadlines() {
	b := &l.lobby
	for i := b.front; i < len(b.waiting); i++ {
		g := &b.waiting[i]
		if !g.waits() {
			continue
		}
		deadline, cause := g.deadline, errLobbyTimeout
		if w := g.conn.wire; w != nil {
			if deadline = w.deadline; w.step == stepTLS {
				cause = errShakeTimeout
			}
		}
		if l.quarter < deadline {
			continue // with a transport, those behind may have less time
		}
		l.stats.lobbyTimeouts.inc()
		g.conn.Close(cause)
	}
	b.trim()
}

// CloseWaiting ends the connections of a listener that wait in the lobby. On
// the loop.
func (l *Loop) CloseWaiting(li *Listener) {
	b := &l.lobby
	for i := b.front; i < len(b.waiting); i++ {
		if g := &b.waiting[i]; g.waits() && g.conn.listener == li {
			g.conn.Close(nil)
		}
	}
}

// enter looks at what a connection in the lobby has sent so far. With its first
// packet whole it goes to its home loop.
func (l *Loop) enter(c *Conn, data []byte) {
	limit := lobbyPacket
	if m := l.reactor.cfg.MaxRemaining; m != nil {
		if k := m(c.listener); k > 0 {
			limit = min(limit, k)
		}
	}
	in := c.stream(data)
	f, n, _, err := codec.Cut(in, limit)
	if err == nil && codec.Type(data[0]>>4) != codec.CONNECT {
		err = errGarbage
	}
	var refusal []byte
	more := err == nil && n == 0
	if err != nil {
		if d, ok := l.handler.(Doorkeeper); ok {
			refusal, more = d.Refused(in, err)
		}
	}
	switch {
	case more:
		l.keep(c, data)
		if c.wire != nil {
			l.checkEnd(c)
		}
		return
	case err != nil:
		l.stats.lobbyGarbage.inc()
		if refusal != nil {
			l.turnAway(c, refusal, err)
		} else {
			c.Close(err)
		}
		return
	}
	home, reply, err := l.handler.Home(c, f)
	if c.state != stateLobby { // the handler closed it
		return
	}
	if err != nil {
		l.turnAway(c, reply, err)
		return
	}
	if c.wire != nil {
		c.settleIn()
	}
	to := l.reactor.loops[home]
	if to == l {
		c.leaveLobby()
		l.open(c, data)
		return
	}
	l.keep(c, data)
	c.watch(0)
	if c.state == stateLobby { // the poller let go of it
		c.leaveLobby()
		c.leaveFor(home)
	}
}

// turnAway closes a connection in the lobby after an answer.
func (*Loop) turnAway(c *Conn, reply []byte, err error) {
	out := c.Output()
	out.B = append(out.B, reply...)
	c.CloseAfterFlush(err, refuseDrain)
}

// refuseDrain is how long a refused connection may take to accept the answer.
const refuseDrain = 2 * time.Second
