package e2e

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// wire is a connection of a robot: what comes is in a channel, which is closed
// at the end.
type wire struct {
	conn net.Conn
	v    int
	in   chan packet
	gone chan struct{} // nobody reads in any more
	once sync.Once
}

// open connects. The session must be there if it was before.
func (r *rig) open(c connect, known bool) (*wire, error) {
	conn, err := net.DialTimeout("tcp", r.b.addr(), patience)
	if err != nil {
		return nil, err
	}
	w := &wire{conn: conn, v: c.v, in: make(chan packet, 64), gone: make(chan struct{})}
	go w.read()
	w.send(c.bytes())
	p, ok := <-w.in
	if !ok {
		w.close()
		return nil, fmt.Errorf("no CONNACK")
	}
	if p.head != 0x20 || len(p.body) < 2 || p.body[1] != 0 {
		r.fault("%s: got %v, want CONNACK 0", c.id, p)
	} else if present := p.body[0] == 1; present != known {
		r.fault("%s: session present %v, want %v", c.id, present, known)
	}
	return w, nil
}

func (w *wire) read() {
	defer close(w.in)
	from := raw{c: w.conn, r: bufio.NewReader(w.conn)}
	for {
		p, err := from.try(time.Hour)
		if err != nil {
			return
		}
		select {
		case w.in <- p:
		case <-w.gone:
			return
		}
	}
}

// send may fail: then the end comes on the other side, too.
func (w *wire) send(b []byte) {
	_ = w.conn.SetWriteDeadline(time.Now().Add(patience))
	_, _ = w.conn.Write(b)
}

func (w *wire) close() {
	w.once.Do(func() {
		close(w.gone)
		w.conn.Close()
	})
}

// lasting is a session that never ends by itself.
func lasting(v int, name string, receiveMax int) connect {
	c := connect{v: v, id: name, keep: true}
	if v == 5 {
		c.props = sessionExpiry(0xFFFFFFFF)
		if receiveMax > 0 {
			c.props = join(c.props, 0x21, id(receiveMax))
		}
	}
	return c
}

// matches tells whether a topic matches a filter without $share.
func matches(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		switch {
		case level == "#":
			return true
		case i >= len(t) || level != "+" && level != t[i]:
			return false
		}
	}
	return len(f) == len(t)
}
