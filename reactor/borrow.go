package reactor

// Large payloads are sent from where they lie in the read buffer, without a
// copy. The buffer is needed again for the next connection, so who borrowed
// from it is flushed before that, and only what the kernel does not take then
// is copied.

// AppendBorrowed sends data after what is in Output now. The data may change
// once Handler.Data has returned; data of another origin must not change at
// all.
func (c *Conn) AppendBorrowed(data []byte) {
	c.AppendShared(data, nil)
	l := c.loop
	if k := len(l.borrowers); k == 0 || l.borrowers[k-1].conn != c {
		l.borrowers = append(l.borrowers, connRef{c, c.Generation()})
	}
}

// settle ends all borrowing.
func (l *Loop) settle() {
	if len(l.borrowers) == 0 {
		return
	}
	var copies map[*byte][]byte             // several connections may have borrowed the same
	for i := 0; i < len(l.borrowers); i++ { // a flush may lead to more output
		r := l.borrowers[i]
		l.borrowers[i] = connRef{}
		if !r.alive() || r.conn.out == nil {
			continue
		}
		l.guard(r.conn, func() { l.flush(r.conn) })
		if o := r.conn.out; o != nil && len(o.shared) > 0 {
			if copies == nil {
				copies = map[*byte][]byte{}
			}
			o.own(copies)
		}
	}
	l.borrowers = l.borrowers[:0]
}

// own replaces what is borrowed by copies.
func (o *output) own(copies map[*byte][]byte) {
	for i := range o.shared {
		s := &o.shared[i]
		if s.ref != nil || len(s.data) == 0 {
			continue
		}
		// The kernel may have taken the first part, so the end is what copies
		// of the same have in common.
		last := &s.data[len(s.data)-1]
		whole := copies[last]
		if len(whole) < len(s.data) {
			whole = append([]byte(nil), s.data...)
			copies[last] = whole
		}
		s.data, s.ref = whole[len(whole)-len(s.data):], collected{}
	}
}

// collected is a copy that the garbage collector takes back.
type collected struct{}

func (collected) Release() {}
