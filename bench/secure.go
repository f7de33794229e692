package bench

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// secure is the TLS layer of a client, and the net.Conn below its tls.Conn.
//
// crypto/tls wants a connection that it may wait for. It runs on a goroutine of
// its own while a handshake lasts (handshake). From then on it runs on the
// worker: a Read that finds nothing returns an error that says to be temporary,
// after which crypto/tls goes on where it was.
//
// The output of a secured client begins with sealed bytes of records; what
// follows is packets, which are sealed before they are written.
type secure struct {
	client  *client
	conn    *tls.Conn
	shaking *handshake // nil when it is over
	feed    []byte     // what has been read from the socket and not yet by conn
	sealed  int
}

// rawSize bounds what is read from a secured socket at once: what it holds fits
// into the half of the worker's buffer that no packet needs.
const rawSize = 64 << 10

// receive reads bytes of packets.
func (w *worker) receive(c *client, into []byte) (int, error) {
	s := c.secure
	if s == nil {
		return unix.Read(int(c.fd), into)
	}
	if w.raw == nil {
		w.raw = make([]byte, rawSize)
	}
	n, err := unix.Read(int(c.fd), w.raw)
	switch {
	case err != nil:
		return n, err
	case s.shaking != nil:
		w.giveHandshake(c, w.raw[:n], n == 0)
		return 0, unix.EAGAIN
	case n == 0:
		return 0, nil
	}
	w.seal(c) // an answer of TLS goes behind it
	before := len(c.out)
	m, err := s.open(w.raw[:n], into)
	if len(c.out) > before {
		w.mark(c)
	}
	return m, err
}

var errTooMuch = errors.New("TLS records held more than was read")

// open gives what records hold. into has room for all of it.
func (s *secure) open(records, into []byte) (n int, err error) {
	s.feed = records
	for err == nil {
		if n == len(into) {
			return 0, errTooMuch
		}
		var k int
		k, err = s.conn.Read(into[n:])
		n += k
	}
	s.feed = nil
	s.sealed = len(s.client.out)
	switch {
	case n > 0: // crypto/tls will say it again
		return n, nil
	case err == error(errNothing):
		return 0, unix.EAGAIN
	case errors.Is(err, io.EOF):
		return 0, nil
	}
	return 0, err
}

// seal turns packets at the end of the output into records.
func (w *worker) seal(c *client) {
	s := c.secure
	if s.shaking != nil || s.sealed == len(c.out) {
		return
	}
	w.plain = append(w.plain[:0], c.out[s.sealed:]...)
	c.out = c.out[:s.sealed]
	_, _ = s.conn.Write(w.plain) // after a fatal alert, which the next read tells
	s.sealed = len(c.out)
}

// nothing is what Read says when there is nothing to read now.
type nothing struct{}

func (nothing) Error() string   { return "nothing to read now" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

var errNothing net.Error = nothing{}

// Read is called by crypto/tls.
func (s *secure) Read(b []byte) (int, error) {
	if s.shaking != nil {
		return s.shaking.read(b)
	}
	if len(s.feed) == 0 {
		return 0, errNothing
	}
	n := copy(b, s.feed)
	s.feed = s.feed[n:]
	return n, nil
}

// Write is called by crypto/tls.
func (s *secure) Write(b []byte) (int, error) {
	if s.shaking != nil {
		s.shaking.write(b)
	} else {
		s.client.out = append(s.client.out, b...)
	}
	return len(b), nil
}

func (*secure) Close() error                     { return nil }
func (*secure) LocalAddr() net.Addr              { return nil }
func (*secure) RemoteAddr() net.Addr             { return nil }
func (*secure) SetDeadline(time.Time) error      { return nil }
func (*secure) SetReadDeadline(time.Time) error  { return nil }
func (*secure) SetWriteDeadline(time.Time) error { return nil }
