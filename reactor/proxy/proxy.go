// Package proxy reads and writes the header of the PROXY protocol, versions 1
// and 2, with which a load balancer says whom a connection comes from. It works
// on byte slices and knows no socket; nothing is kept between calls. Sections
// are those of HAProxy's proxy-protocol.txt.
package proxy

import "net/netip"

// MaxSize is the size of the largest header that is read, in bytes.
const MaxSize = 4096

// Header is what a header says. Slices alias what was parsed; a nil one was not
// there.
type Header struct {
	Version int // 1 or 2
	// Local means that the socket's own addresses hold: LOCAL, UNKNOWN, and
	// address families without a port.
	Local       bool
	Source      netip.AddrPort // of the client; IPv4 in IPv6 is unmapped
	Destination netip.AddrPort

	ALPN      []byte
	Authority []byte // host name that the client asked for (SNI)
	UniqueID  []byte
	NetNS     []byte // name of a network namespace
	TLS       TLS
}

// TLS describes the client's TLS connection to the proxy [2.2.6].
type TLS struct {
	Present bool
	Client  byte   // Client… bits
	Verify  uint32 // 0 when the client's certificate was verified

	TLSVersion []byte
	CommonName []byte
	Cipher     []byte
	SigAlg     []byte
	KeyAlg     []byte
}

// The bits of TLS.Client.
const (
	ClientTLS      = 1 << iota // the client used TLS
	ClientCertConn             // it gave a certificate on this connection
	ClientCertSess             // or earlier in the TLS session
)

// CN is the common name of a certificate that the client gave and the proxy has
// verified, nil when there is none.
func (h *Header) CN() []byte {
	if h.TLS.Client&(ClientCertConn|ClientCertSess) == 0 || h.TLS.Verify != 0 {
		return nil
	}
	return h.TLS.CommonName
}

// Error is a header that is refused. The values are made once.
type Error struct {
	Text string // what is wrong
}

func (e *Error) Error() string { return "PROXY header: " + e.Text }

var (
	errNone       = &Error{"there is none"}
	errLong1      = &Error{"line is longer than 107 bytes"}
	errLineEnd    = &Error{"line does not end with CR LF"}
	errFamily1    = &Error{"family is not TCP4, TCP6 or UNKNOWN"}
	errParts      = &Error{"line has not two addresses and two ports between single spaces"}
	errAddress    = &Error{"address is not one of its family"}
	errPort       = &Error{"port is not a number up to 65535 without leading zeros"}
	errVersion    = &Error{"version is not 2"}
	errCommand    = &Error{"command is not LOCAL or PROXY"}
	errFamily2    = &Error{"address family is reserved"}
	errDatagram   = &Error{"transport is a datagram"}
	errTransport  = &Error{"transport is reserved or does not fit the address family"}
	errTooLong    = &Error{"header is longer than allowed"}
	errAddresses  = &Error{"header is too short for its addresses"}
	errTLVHead    = &Error{"TLV is cut off in its head"}
	errTLVSize    = &Error{"TLV is longer than what is left"}
	errTwice      = &Error{"TLV is there twice"}
	errChecksum   = &Error{"checksum is wrong"}
	errChecksize  = &Error{"checksum has not 4 bytes"}
	errALPN       = &Error{"ALPN has not 1 to 255 bytes"}
	errAuthority  = &Error{"authority is not UTF-8 of 1 to 255 bytes"}
	errUniqueID   = &Error{"unique id is longer than 128 bytes"}
	errNetNS      = &Error{"name of a network namespace is empty or not US-ASCII"}
	errTLSHead    = &Error{"TLS description has less than 5 bytes"}
	errCommonName = &Error{"common name is not UTF-8 or has a control character"}
	errTLSText    = &Error{"part of a TLS description is empty or not US-ASCII"}
)

// signature begins a header of version 2 [2.2].
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// Parse reads a header at the beginning of b. n is its size, 0 when b holds
// only a part of it; need is then the size of the whole, or 0 when that is not
// known yet. What lies behind it are the client's bytes. An error is an
// *Error.
func Parse(b []byte, h *Header) (n, need int, err error) {
	*h = Header{}
	switch {
	case len(b) == 0:
		return 0, 0, nil
	case begins(b, "PROXY "):
		return parse1(b, h)
	case begins(b, signature):
		return parse2(b, h)
	}
	return 0, 0, errNone
}

// begins tells whether b begins with s, as far as it goes.
func begins(b []byte, s string) bool {
	k := min(len(b), len(s))
	return string(b[:k]) == s[:k]
}
