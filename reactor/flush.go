package reactor

import (
	"sync"

	gnetio "github.com/panjf2000/gnet/v2/pkg/io"
	"golang.org/x/sys/unix"
)

var outputs = sync.Pool{New: func() any { return new(output) }}

func newOutput() *output { return outputs.Get().(*output) }

// markDirty puts c on the list of connections to flush when the turn ends.
func (l *Loop) markDirty(c *Conn) {
	c.flags |= flagDirty
	l.dirty = append(l.dirty, c)
	l.EndTurn()
}

// flushDirty writes what the turn has produced, one call per connection.
func (l *Loop) flushDirty() {
	list := l.dirty
	l.dirty = l.spare[:0] // what Writable produces waits for the next turn
	for _, c := range list {
		if c.owner.Load() != int32(l.index)+1 || c.flags&flagDirty == 0 {
			continue
		}
		c.flags &^= flagDirty
		l.guard(c, func() { l.flush(c) })
	}
	clear(list)
	l.spare = list[:0]
	if cap(list) > 4096 && len(list) < cap(list)/8 {
		l.spare = nil
	}
}

// maxPieces is the largest number of pieces in one writev.
const maxPieces = 1024

// flush writes pending output as far as the kernel takes it.
func (l *Loop) flush(c *Conn) {
	if c.out != nil {
		all, err := l.push(c)
		if err != nil {
			c.out.discard()
			c.Close(err)
			return
		}
		if !all {
			l.wait(c)
		}
	}
	l.written(c)
}

// push writes what need not wait, and tells whether the kernel took all of it.
func (l *Loop) push(c *Conn) (all bool, err error) {
	o := c.out
	for o.sendable() {
		n, want, err := l.write(c, o)
		switch err {
		case nil:
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false, nil
		default:
			return false, err
		}
		l.stats.bytesOut.add(n)
		o.progress = l.now.Load()
		o.advance(n)
		if n < want {
			return false, nil
		}
	}
	return true, nil
}

// large notes that c has much output, unless the kernel is known to take none.
func (l *Loop) large(c *Conn) {
	if c.state != stateOpen || c.interest&watchWrite != 0 {
		return
	}
	if k := len(l.larges); k == 0 || l.larges[k-1].conn != c {
		l.larges = append(l.larges, connRef{c, c.Generation()})
	}
}

// FlushLarge writes the output of connections that have half of the high-water
// mark and were asked whether they are Full. Called between two messages, it
// keeps a turn that is mostly for one connection from filling it. An error is met
// again, and handled, when the turn ends.
func (l *Loop) FlushLarge() {
	if len(l.larges) == 0 {
		return
	}
	for _, r := range l.larges {
		if !r.alive() || r.conn.out == nil || r.conn.interest&watchWrite != 0 {
			continue
		}
		o := r.conn.out
		switch all, _ := l.push(r.conn); {
		case !all:
			l.wait(r.conn)
		case o.pending() == 0 && len(o.holds) == 0 && o.buf != nil:
			o.buf.B, o.sent = o.buf.B[:0], 0
		}
	}
	clear(l.larges)
	l.larges = l.larges[:0]
}

// write hands the kernel as much as fits into one call.
func (l *Loop) write(c *Conn, o *output) (n, want int, err error) {
	l.stats.writes.inc()
	if o.raw != nil {
		return l.writeRaw(c, o)
	}
	end := o.ready()
	if len(o.shared) == 0 {
		b := o.buf.B[o.sent:end]
		if c.wire != nil {
			return l.seal(c, b)
		}
		n, err = unix.Write(int(c.fd), b)
		return n, len(b), err
	}
	pieces, at := l.iov[:0], o.sent
	for i := range o.shared {
		s := &o.shared[i]
		if len(o.holds) > 0 && s.behind(end) {
			break
		}
		if s.at > at {
			pieces = append(pieces, o.buf.B[at:s.at])
			at = s.at
		}
		pieces = append(pieces, s.data)
		if len(pieces) >= maxPieces-2 {
			break
		}
	}
	if len(pieces) < maxPieces-2 && at < end {
		pieces = append(pieces, o.buf.B[at:end])
	}
	for _, p := range pieces {
		want += len(p)
	}
	if c.wire != nil {
		n, want, err = l.seal(c, pieces...)
	} else {
		n, err = gnetio.Writev(int(c.fd), pieces)
	}
	clear(pieces)
	l.iov = pieces[:0]
	return n, want, err
}

// advance marks n bytes as written.
func (o *output) advance(n int) {
	for len(o.shared) > 0 {
		s := &o.shared[0]
		if k := min(n, s.at-o.sent); k > 0 {
			o.sent += k
			n -= k
		}
		k := min(n, len(s.data))
		s.data = s.data[k:]
		o.bytes -= k
		n -= k
		if len(s.data) > 0 || s.at > o.sent {
			return
		}
		ref := s.ref
		*s = shared{}
		o.shared = o.shared[1:]
		if ref != nil {
			ref.Release()
		}
	}
	o.sent += n
}

// compactAt is the number of written bytes from which they are cut off the
// buffer of a slow connection.
const compactAt = 64 << 10

// wait watches for the moment at which the kernel takes output again.
func (l *Loop) wait(c *Conn) {
	o := c.out
	if o.sent >= compactAt && o.sent > len(o.buf.B)/2 {
		k := copy(o.buf.B, o.buf.B[o.sent:])
		o.buf.B = o.buf.B[:k]
		for i := range o.shared {
			o.shared[i].at -= o.sent
		}
		for i := range o.holds {
			o.holds[i].at -= o.sent
		}
		o.sent = 0
	}
	c.watch(c.interest | watchWrite)
	if c.flags&flagStuck == 0 {
		c.flags |= flagStuck
		l.stuck = append(l.stuck, connRef{c, c.Generation()})
	}
}

// written goes on after a flush: buffers are given back, a handler that waits
// is told, a draining connection comes to its end.
func (l *Loop) written(c *Conn) {
	o := c.out
	pending := 0
	if o != nil {
		if pending = o.pending(); pending == 0 && len(o.holds) == 0 {
			o.discard()
			c.watch(c.interest &^ watchWrite)
			if c.state == stateOpen || c.state == stateLobby {
				c.freeOutput()
			}
		} else if !o.sendable() {
			c.watch(c.interest &^ watchWrite)
		}
	}
	if c.flags&flagFull != 0 && pending < l.reactor.cfg.HighWater/2 && c.state == stateOpen {
		c.flags &^= flagFull
		l.handler.Writable(c)
	}
	if c.state == stateDraining && pending == 0 {
		l.drained(c)
	}
}

// discard gives the buffers back and throws away what is pending in them.
func (o *output) discard() {
	if o.buf != nil {
		o.bufs.put(o.buf)
		o.buf = nil
	}
	if o.raw != nil {
		o.dropRaw()
	}
	list := o.shared
	o.sent, o.bytes, o.shared, o.holds = 0, 0, nil, nil
	for _, s := range list {
		if s.ref != nil {
			s.ref.Release()
		}
	}
}

func (c *Conn) freeOutput() {
	if o := c.out; o != nil {
		o.discard()
		*o = output{}
		outputs.Put(o)
		c.out = nil
	}
}

// sendDeadlines closes connections that take nothing.
func (l *Loop) sendDeadlines(now uint32) {
	timeout := uint32(l.reactor.cfg.SendTimeout.Seconds())
	kept := l.stuck[:0]
	for _, r := range l.stuck {
		if !r.alive() {
			continue
		}
		c := r.conn
		switch {
		case c.Pending() == 0:
			c.flags &^= flagStuck
		case now-c.out.progress > timeout:
			c.flags &^= flagStuck
			l.stats.sendTimeouts.inc()
			c.Close(errSendTimeout)
		default:
			kept = append(kept, r)
		}
	}
	clear(l.stuck[len(kept):])
	l.stuck = kept
}
