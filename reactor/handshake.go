package reactor

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"slices"
	"sync"
)

// handshake is a TLS handshake that is under way. It takes about a millisecond
// of processor time, which a loop does not have, and waits for the peer in
// between; so it has a goroutine, which ends with it. There are never more than
// the lobby has places. How many compute at a time is limited by
// Reactor.shaking; who waits for the peer makes room.
type handshake struct {
	loop   *Loop
	conn   connRef
	secure *tls.Conn
	more   chan struct{} // there is input
	gone   chan struct{} // closed when the connection has ended

	mu   sync.Mutex
	in   []byte
	out  []byte
	done bool
	err  error // of the handshake, valid once it is done
}

// shake begins a handshake with the first records of a client.
func (l *Loop) shake(s *secure, records []byte) {
	h := &handshake{loop: l, conn: connRef{s.c, s.c.Generation()},
		more: make(chan struct{}, 1), gone: make(chan struct{}), in: slices.Clone(records)}
	h.secure = tls.Server(s, s.c.listener.options.TLS())
	s.conn, s.shaking = h.secure, h
	s.c.watch(s.c.interest &^ watchRead)
	l.reactor.running.Add(1)
	go h.run()
}

// run is the goroutine of a handshake.
func (h *handshake) run() {
	defer h.loop.reactor.running.Done()
	err := net.ErrClosed
	if h.begin() {
		err = h.compute()
		<-h.loop.reactor.shaking
	}
	h.mu.Lock()
	h.done, h.err = true, err
	h.mu.Unlock()
	h.loop.shaken.Put(h)
}

// compute contains a panic: what crypto/tls calls is given by the listener.
func (h *handshake) compute() (err error) {
	defer func() {
		if p := recover(); p != nil {
			h.loop.reactor.cfg.Log.Error("panic contained", "in", "TLS handshake", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return h.secure.Handshake()
}

// begin waits for room to compute. It is false when the connection has ended.
func (h *handshake) begin() bool {
	select {
	case h.loop.reactor.shaking <- struct{}{}:
		return true
	case <-h.gone:
		return false
	}
}

// read is called by crypto/tls on the goroutine.
func (h *handshake) read(b []byte) (int, error) {
	for {
		h.mu.Lock()
		n := copy(b, h.in)
		h.in = h.in[n:]
		h.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		h.loop.shaken.Put(h) // sends what was written and reads again
		<-h.loop.reactor.shaking
		select {
		case <-h.more:
		case <-h.gone:
		}
		h.loop.reactor.shaking <- struct{}{}
		select {
		case <-h.gone:
			return 0, net.ErrClosed
		default:
		}
	}
}

// write is called by crypto/tls on the goroutine.
func (h *handshake) write(b []byte) {
	h.mu.Lock()
	h.out = append(h.out, b...)
	h.mu.Unlock()
}

// give adds input. On the loop.
func (h *handshake) give(records []byte) {
	h.mu.Lock()
	h.in = append(h.in, records...)
	h.mu.Unlock()
	select {
	case h.more <- struct{}{}:
	default:
	}
}

// take gives what there is to send, and whether the handshake is over. On the
// loop.
func (h *handshake) take() (out []byte, done bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	out, h.out = h.out, nil
	return out, h.done, h.err
}

// shakenOn goes on with handshakes that have something to say.
func (l *Loop) shakenOn(list []*handshake) {
	for _, h := range list {
		if h.conn.alive() {
			l.guard(h.conn.conn, func() { l.stepOn(h) })
		}
	}
}

// stepOn sends what a handshake has written. One that is not over wants more
// input.
func (l *Loop) stepOn(h *handshake) {
	c := h.conn.conn
	if c.wire == nil || c.wire.secure.shaking != h {
		return
	}
	out, done, err := h.take()
	if len(out) > 0 {
		c.appendRaw(out)
		c.flushRaw()
	}
	if c.state != stateLobby {
		return // its time was over
	}
	if !done {
		c.watch(c.interest | watchRead)
		return
	}
	l.stats.handshakes.inc()
	if err != nil {
		l.stats.handshakeErrors.inc()
		c.fail(handshakeError(err))
		return
	}
	l.secured(c, h)
}

// secured goes on with a connection whose handshake has succeeded. The client
// may have sent more than was needed for that.
func (l *Loop) secured(c *Conn, h *handshake) {
	w := c.wire
	s := w.secure
	s.shaking = nil
	if certs := s.conn.ConnectionState().PeerCertificates; len(certs) > 0 {
		c.identify().Certificate = certs[0]
	}
	slim.forget(s.conn)
	w.step = w.after(stepTLS)
	w.deadline = l.quarterAfter(l.reactor.cfg.ConnectTimeout())
	c.watch(c.interest | watchRead)
	into, have := l.readSpace(c)
	if n, err := s.decrypt(l, h.in, into[have:]); err == nil && n > 0 && c.state == stateLobby {
		l.unwrap(c, into[:have+n], have)
	}
}

// handshakeError is a failed handshake.
func handshakeError(err error) error {
	if err == io.EOF {
		return err
	}
	return fmt.Errorf("TLS handshake: %w", err)
}

// Identity is what the transport of a connection says of its client.
type Identity struct {
	Certificate *x509.Certificate // verified; of the client's own TLS connection
	CommonName  string            // of a certificate, as a trusted proxy says; "" for none
}

// Identity is who the transport says that the client is, nil when it says
// nothing. It is known until Handler.Home has returned.
func (c *Conn) Identity() *Identity {
	if c.wire == nil {
		return nil
	}
	return c.wire.identity
}

func (c *Conn) identify() *Identity {
	if c.wire.identity == nil {
		c.wire.identity = &Identity{}
	}
	return c.wire.identity
}
