package bench

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
)

// handshake is a TLS handshake under way. It has a goroutine, which ends with
// it; there are never more than a worker may have handshakes. The worker reads
// and writes the socket for it.
type handshake struct {
	worker *worker
	secure *secure
	more   chan struct{} // there is input
	gone   chan struct{} // closed when the client gives up

	mu   sync.Mutex
	in   []byte
	eof  bool
	out  []byte
	done bool
	err  error // of the handshake, valid once it is done
}

// shake begins the handshake of a client.
func (w *worker) shake(c *client) {
	h := &handshake{worker: w, more: make(chan struct{}, 1), gone: make(chan struct{})}
	h.secure = &secure{client: c, shaking: h}
	cfg := w.tls
	if c.ticket != nil {
		cfg = cfg.Clone()
		cfg.ClientSessionCache = c.ticket
	}
	h.secure.conn = tls.Client(h.secure, cfg)
	c.secure = h.secure
	w.shaking.Go(h.run)
}

// run is the goroutine of a handshake.
func (h *handshake) run() {
	err := h.secure.conn.Handshake()
	h.mu.Lock()
	h.done, h.err = true, err
	h.mu.Unlock()
	h.post()
}

// post lets the worker see what has changed.
func (h *handshake) post() { h.worker.post(func() { h.worker.shaken(h) }) }

// read is called by crypto/tls on the goroutine.
func (h *handshake) read(b []byte) (int, error) {
	for {
		h.mu.Lock()
		n, eof := copy(b, h.in), h.eof
		h.in = h.in[n:]
		h.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case eof:
			return 0, io.EOF
		}
		h.post() // what was written is sent
		select {
		case <-h.more:
		case <-h.gone:
			return 0, net.ErrClosed
		}
	}
}

// write is called by crypto/tls on the goroutine.
func (h *handshake) write(b []byte) {
	h.mu.Lock()
	h.out = append(h.out, b...)
	h.mu.Unlock()
}

// giveHandshake adds what was read. After the end of the stream the handshake
// says what went wrong: there may be an alert before it.
func (w *worker) giveHandshake(c *client, b []byte, eof bool) {
	h := c.secure.shaking
	h.mu.Lock()
	h.in, h.eof = append(h.in, b...), eof
	h.mu.Unlock()
	select {
	case h.more <- struct{}{}:
	default:
	}
	if eof {
		c.paused = true
		w.watch(c)
	}
}

// shaken goes on with a handshake that has something to say.
func (w *worker) shaken(h *handshake) {
	c := h.secure.client
	if c.secure != h.secure { // the client has given up
		return
	}
	h.mu.Lock()
	out, done, err, rest, eof := h.out, h.done, h.err, h.in, h.eof
	h.out = nil
	h.mu.Unlock()
	c.out = append(c.out, out...)
	h.secure.sealed = len(c.out)
	switch {
	case !done:
	case err == io.EOF:
		w.lose(c, errBrokerClosed)
		return
	case err != nil:
		w.lose(c, fmt.Errorf("TLS handshake: %w", err))
		return
	default:
		w.secured(c, rest)
		if eof {
			w.lose(c, errBrokerClosed)
			return
		}
	}
	w.mark(c)
}

// secured goes on with MQTT. The broker may have sent more than the handshake
// needed.
func (w *worker) secured(c *client, rest []byte) {
	s, at := c.secure, now()
	s.shaking = nil
	w.count.Secured++
	if s.conn.ConnectionState().DidResume {
		w.count.Resumed++
	}
	w.shakes.Record(at - c.stage)
	c.state, c.stage = greeting, at
	if len(rest) > 0 {
		n, err := s.open(rest, w.buf)
		if w.arrived(c, n, err) {
			w.packets(c, w.buf[:n], at)
		}
	}
	if c.fd >= 0 {
		w.greet(c)
	}
}
