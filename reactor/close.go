package reactor

import (
	"golang.org/x/sys/unix"
)

// drained goes on with a draining connection that has sent everything: it shuts
// its direction down and waits for the peer to do the same, so that the last
// packet is not lost in a reset. A connection that ends by the peer's wish
// needs no such care.
func (l *Loop) drained(c *Conn) {
	if c.wire != nil && l.farewell(c) {
		l.flush(c) // comes back here
		return
	}
	if c.out == nil || c.out.cause == nil || c.flags&flagShut != 0 {
		if c.flags&flagShut == 0 {
			c.Close(nil)
		}
		return
	}
	if c.flags&flagPeerShut != 0 {
		c.Close(nil)
		return
	}
	c.flags |= flagShut
	if err := unix.Shutdown(int(c.fd), unix.SHUT_WR); err != nil {
		c.Close(c.out.cause)
		return
	}
	c.out.deadline = min(c.out.deadline, l.quarter+lingerQuarters)
	c.watch(watchRead)
}

// lingerQuarters is how long a peer may take to close its side, in quarter
// seconds.
const lingerQuarters = 4

// drainDeadlines ends draining connections whose time is over.
func (l *Loop) drainDeadlines() {
	kept := l.draining[:0]
	for _, r := range l.draining {
		switch {
		case !r.alive() || r.conn.state != stateDraining:
		case l.quarter >= r.conn.out.deadline:
			r.conn.Close(nil)
		default:
			kept = append(kept, r)
		}
	}
	clear(l.draining[len(kept):])
	l.draining = kept
}

// finishClosing ends the connections that were marked in this turn.
func (l *Loop) finishClosing() {
	for i := 0; i < len(l.closing); i++ {
		c := l.closing[i]
		l.closing[i] = nil
		l.finish(c)
	}
	l.closing = l.closing[:0]
	if cap(l.closing) > 4096 {
		l.closing = nil
	}
	if l.reactor.stopping.Load() && l.conns == 0 {
		l.exit = true
	}
}

// finish ends a connection: the handler is told, the entry becomes free, the
// descriptor is closed last, because from then on another loop may have it.
func (l *Loop) finish(c *Conn) {
	c.state = stateClosing
	if c.flags&flagDirty != 0 { // by another connection's callback, after the flush
		c.flags &^= flagDirty
		l.guard(nil, func() { l.flush(c) })
	}
	if c.flags&flagOpened != 0 || c.out != nil && c.out.cause != nil && c.listener != nil {
		var cause error
		if c.out != nil {
			cause = c.out.cause
		}
		l.guard(nil, func() { l.handler.Closed(c, cause) })
	}
	if c.out != nil && isTransportError(c.out.cause) {
		l.stats.transportErrors.inc()
	}
	fd, listener := int(c.fd), c.listener
	c.dropInput()
	c.freeOutput()
	if c.wire != nil {
		c.dropWire()
	}
	c.user, c.listener, c.loop = nil, nil, nil
	c.interest = 0 // the kernel forgets a closed descriptor by itself
	c.flags, c.state = 0, stateFree
	c.owner.Store(0)
	c.generation.Add(1)
	unix.Close(fd)
	l.conns--
	l.stats.closed.inc()
	listener.left()
}

// beginStop closes the connections of a loop that is to end.
func (l *Loop) beginStop() {
	for c := range l.reactor.table.all {
		if c.owner.Load() != int32(l.index)+1 {
			continue
		}
		switch c.state {
		case stateOpen:
			c.CloseAfterFlush(ErrStopped, stopDrain)
		case stateDraining:
			c.out.deadline = min(c.out.deadline, l.quarter+uint32(stopDrain/quarterSecond))
		case stateLobby:
			c.Close(nil)
		}
	}
	l.Ring()
}

// stopDrain is how long connections may take to accept their last output when
// the reactor stops.
const stopDrain = 8 * quarterSecond

// cutAll ends what is left when the loop's goroutine ends.
func (l *Loop) cutAll() {
	for c := range l.reactor.table.all {
		if c.owner.Load() == int32(l.index)+1 && c.state != stateListening && c.state != stateFree {
			l.finish(c)
		}
	}
}
