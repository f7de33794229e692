package http

import (
	"net"
	"sync"
	"sync/atomic"
)

// bounded is a listener with a limited number of connections; others wait in
// the kernel's backlog. It may be suspended.
type bounded struct {
	net.Listener
	max    int // 0 = no limit
	active atomic.Int64
	total  atomic.Uint64

	mu        sync.Mutex // guards what follows
	changed   *sync.Cond // a connection ended, or suspended or closed changed
	taken     int
	suspended bool
	closed    bool
}

func newBounded(l net.Listener, limit int) *bounded {
	b := &bounded{Listener: l, max: limit}
	b.changed = sync.NewCond(&b.mu)
	return b
}

// Accept waits for a place and then for a connection.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		b.reserve()
		c, err := b.Listener.Accept()
		if err != nil {
			b.release()
			return nil, err
		}
		if b.isSuspended() { // suspended while it waited
			c.Close()
			b.release()
			continue
		}
		b.active.Add(1)
		b.total.Add(1)
		return &conn{Conn: c, of: b}, nil
	}
}

func (b *bounded) reserve() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.closed && (b.suspended || b.max > 0 && b.taken >= b.max) {
		b.changed.Wait()
	}
	b.taken++
}

func (b *bounded) release() {
	b.mu.Lock()
	b.taken--
	b.mu.Unlock()
	b.changed.Signal()
}

func (b *bounded) isSuspended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.suspended
}

func (b *bounded) suspend(yes bool) {
	b.mu.Lock()
	b.suspended = yes
	b.mu.Unlock()
	b.changed.Broadcast()
}

func (b *bounded) resume() { b.suspend(false) }

// Close also wakes an Accept that waits for a place.
func (b *bounded) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.changed.Broadcast()
	return b.Listener.Close()
}

// conn gives its place back once.
type conn struct {
	net.Conn
	of   *bounded
	once sync.Once
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.of.active.Add(-1)
		c.of.release()
	})
	return c.Conn.Close()
}

// Suspend stops accepting; connections stay. Resume goes on.
func (li *Listener) Suspend() { li.socket.suspend(true) }

// Resume accepts again.
func (li *Listener) Resume() { li.socket.resume() }

// Suspended tells whether the listener is suspended.
func (li *Listener) Suspended() bool { return li.socket.isSuspended() }

// Active is the number of open connections.
func (li *Listener) Active() int64 { return li.socket.active.Load() }

// Total is the number of connections so far.
func (li *Listener) Total() uint64 { return li.socket.total.Load() }
