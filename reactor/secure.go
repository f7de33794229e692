package reactor

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"reflect"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// secure is the TLS layer of a connection, and the net.Conn below its tls.Conn.
//
// crypto/tls wants a connection that it may wait for. It runs on a goroutine of
// its own while a handshake lasts (handshake). From then on it runs on the
// loop: a Read that finds nothing returns an error that says to be temporary,
// which crypto/tls hands on without keeping it. It is only given whole records,
// so that between two reads it holds no input, and its buffer can be lent to
// the next connection.
type secure struct {
	c       *Conn
	conn    *tls.Conn  // nil until the first record is whole
	shaking *handshake // nil before and after
	part    []byte     // a record that is not whole
}

// rawBuffer is the size of the buffer that a loop reads TLS records into. All
// that is read at once fits into what readSpace gives.
const rawBuffer = largeRest

const recordHead = 5 // bytes

// maxRecord is the size of the largest record: 2^14 bytes and, up to TLS 1.2,
// 2048 of expansion [RFC 5246, 6.2.3].
const maxRecord = recordHead + 1<<14 + 2048

// wholeRecords is the size of the whole records at the beginning of b. What
// cannot be a record is left to crypto/tls, which says what is wrong with it.
func wholeRecords(b []byte) int {
	n := 0
	for len(b)-n >= recordHead {
		size := recordHead + int(b[n+3])<<8 + int(b[n+4])
		if b[n+1] != 3 || size > maxRecord {
			return len(b)
		}
		if len(b)-n < size {
			break
		}
		n += size
	}
	return n
}

// read reads the socket and gives what it means.
func (s *secure) read(l *Loop, into []byte) (int, error) {
	if l.raw == nil {
		l.raw = make([]byte, rawBuffer)
	}
	k := copy(l.raw, s.part)
	n, err := unix.Read(int(s.c.fd), l.raw[k:])
	if n <= 0 || err != nil {
		return n, err
	}
	return s.feed(l, l.raw[:k+n], into)
}

// feed takes raw bytes: the rest of the time before and what has arrived since.
func (s *secure) feed(l *Loop, raw, into []byte) (int, error) {
	n := wholeRecords(raw)
	if n == len(raw) {
		s.part = nil
	} else {
		s.part = append(s.part[:0:cap(s.part)], raw[n:]...)
	}
	switch {
	case n == 0:
		return 0, unix.EAGAIN
	case s.conn == nil:
		l.shake(s, raw[:n])
		return 0, unix.EAGAIN
	case s.shaking != nil:
		s.shaking.give(raw[:n])
		s.c.watch(s.c.interest &^ watchRead)
		return 0, unix.EAGAIN
	}
	return s.decrypt(l, raw[:n], into)
}

// decrypt gives what whole records hold. When they end the connection, it ends
// after that.
func (s *secure) decrypt(l *Loop, records, into []byte) (n int, err error) {
	l.feed = records
	if own := slim.input(s.conn); own != nil && own.Len() == 0 {
		*own, l.tlsInput = l.tlsInput, bytes.Buffer{}
	}
	for n < len(into) && err == nil {
		var k int
		k, err = s.conn.Read(into[n:])
		n += k
	}
	if own := slim.input(s.conn); own != nil && own.Len() == 0 {
		l.tlsInput, *own = *own, bytes.Buffer{}
	}
	l.feed = nil
	s.c.flushRaw() // an alert, or an answer to a KeyUpdate
	if err == error(errNothing) {
		err = nil
	}
	switch {
	case err == nil && n == 0:
		return 0, unix.EAGAIN
	case errors.Is(err, io.EOF):
		s.c.wire.end = &ending{}
	case err != nil:
		s.c.wire.end = &ending{cause: err}
	}
	if n == 0 {
		l.checkEnd(s.c)
		return 0, unix.EAGAIN
	}
	return n, nil
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
	l := s.c.loop
	if len(l.feed) == 0 {
		return 0, errNothing
	}
	n := copy(b, l.feed)
	l.feed = l.feed[n:]
	return n, nil
}

// Write is called by crypto/tls with whole records.
func (s *secure) Write(b []byte) (int, error) {
	if s.shaking != nil {
		s.shaking.write(b)
	} else {
		s.c.appendRaw(b)
	}
	return len(b), nil
}

func (*secure) Close() error                     { return nil }
func (*secure) LocalAddr() net.Addr              { return nil }
func (*secure) RemoteAddr() net.Addr             { return nil }
func (*secure) SetDeadline(time.Time) error      { return nil }
func (*secure) SetReadDeadline(time.Time) error  { return nil }
func (*secure) SetWriteDeadline(time.Time) error { return nil }

// slim finds what a tls.Conn keeps of its handshake and does not need any more.
var slim = findFields()

// fields are the places of fields in a tls.Conn, 0 for what this version of Go
// does not have. Then connections take more memory, and nothing else.
type fields struct {
	rawInput, hand, certificates, chains uintptr
}

func findFields() (f fields) {
	t := reflect.TypeFor[tls.Conn]()
	find := func(name string, typ reflect.Type) uintptr {
		if x, ok := t.FieldByName(name); ok && x.Type == typ {
			return x.Offset
		}
		return 0
	}
	f.rawInput = find("rawInput", reflect.TypeFor[bytes.Buffer]())
	f.hand = find("hand", reflect.TypeFor[bytes.Buffer]())
	f.certificates = find("peerCertificates", reflect.TypeFor[[]*x509.Certificate]())
	f.chains = find("verifiedChains", reflect.TypeFor[[][]*x509.Certificate]())
	return f
}

// field is a field of a tls.Conn, nil if it has none there.
func field[T any](c *tls.Conn, offset uintptr) *T {
	if offset == 0 {
		return nil
	}
	return (*T)(unsafe.Add(unsafe.Pointer(c), offset))
}

// input is the buffer of records that were read.
func (f *fields) input(c *tls.Conn) *bytes.Buffer { return field[bytes.Buffer](c, f.rawInput) }

// forget gives back what a handshake has left.
func (f *fields) forget(c *tls.Conn) {
	for _, offset := range []uintptr{f.rawInput, f.hand} {
		if b := field[bytes.Buffer](c, offset); b != nil && b.Len() == 0 {
			*b = bytes.Buffer{}
		}
	}
	if p := field[[]*x509.Certificate](c, f.certificates); p != nil {
		*p = nil
	}
	if p := field[[][]*x509.Certificate](c, f.chains); p != nil {
		*p = nil
	}
}
