package reactor

// Output may have to wait for something that takes longer than a turn, such as
// a commit on disk: Conn.Hold marks where, Loop.Release lets go. What is before
// the mark is sent.

// hold is a place in the output from which on it waits for a number.
type hold struct {
	at     int // bytes of output.buf before it
	number uint64
}

// holding is a connection that has such a place.
type holding struct {
	connRef
	number uint64
}

// Hold keeps back what is appended to Output from now on until Release is
// called with this number or a higher one. The numbers of a loop never fall.
func (c *Conn) Hold(number uint64) {
	at := len(c.Output().B)
	o := c.out
	if k := len(o.holds); k > 0 {
		last := &o.holds[k-1]
		if last.number == number {
			return
		}
		if last.at == at {
			last.number = number
		} else {
			o.hold(at, number)
		}
	} else {
		o.hold(at, number)
	}
	c.loop.holding = append(c.loop.holding, holding{connRef{c, c.Generation()}, number})
}

// hold has what follows wait. Shared pieces in the same place come before it.
func (o *output) hold(at int, number uint64) {
	for i := len(o.shared) - 1; i >= 0 && o.shared[i].at == at; i-- {
		o.shared[i].early = true
	}
	o.holds = append(o.holds, hold{at, number})
}

// Release sends what waits for a number, or a lower one, when the turn ends.
func (l *Loop) Release(number uint64) {
	k := 0
	for ; k < len(l.holding) && l.holding[k].number <= number; k++ {
		r := l.holding[k].connRef
		if !r.alive() || r.conn.out == nil {
			continue
		}
		o := r.conn.out
		for len(o.holds) > 0 && o.holds[0].number <= number {
			o.holds = o.holds[1:]
		}
		if len(o.holds) == 0 {
			o.holds = nil
		}
		o.progress = l.now.Load() // SendTimeout is about the peer
		if r.conn.flags&flagDirty == 0 {
			l.markDirty(r.conn)
		}
	}
	l.holding = append(l.holding[:0], l.holding[k:]...)
	if len(l.holding) == 0 && cap(l.holding) > 4096 {
		l.holding = nil
	}
}

// Abandon throws away all output that waits for Release, and shows each
// connection that had some.
func (l *Loop) Abandon(each func(*Conn)) {
	list := l.holding
	l.holding = nil
	for _, h := range list {
		if !h.alive() || h.conn.out == nil || len(h.conn.out.holds) == 0 {
			continue
		}
		h.conn.out.cut()
		l.guard(h.conn, func() { each(h.conn) })
	}
}

// ready is where the output ends that may be sent now.
func (o *output) ready() int {
	if len(o.holds) > 0 {
		return o.holds[0].at
	}
	if o.buf == nil {
		return 0
	}
	return len(o.buf.B)
}

// sendable tells whether there is something to send that need not wait.
func (o *output) sendable() bool {
	if len(o.holds) == 0 || o.raw != nil {
		return o.pending() > 0
	}
	end := o.holds[0].at
	return end > o.sent || len(o.shared) > 0 && !o.shared[0].behind(end)
}

// behind tells that a shared piece comes after the place of the first hold.
func (s *shared) behind(end int) bool { return s.at > end || s.at == end && !s.early }

// cut throws away what waits.
func (o *output) cut() {
	end := o.ready()
	o.holds = nil
	o.buf.B = o.buf.B[:end]
	for i := range o.shared {
		if !o.shared[i].behind(end) {
			continue
		}
		rest := o.shared[i:]
		o.shared = o.shared[:i]
		for _, s := range rest {
			o.bytes -= len(s.data)
			if s.ref != nil {
				s.ref.Release()
			}
		}
		return
	}
}
