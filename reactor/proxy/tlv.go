package proxy

import (
	"encoding/binary"
	"hash/crc32"
	"unicode/utf8"
)

// The types of TLVs [2.2].
const (
	typeALPN      = 0x01
	typeAuthority = 0x02
	typeCRC32C    = 0x03
	typeNOOP      = 0x04
	typeUniqueID  = 0x05
	typeTLS       = 0x20
	typeNetNS     = 0x30

	// within typeTLS
	typeVersion    = 0x21
	typeCommonName = 0x22
	typeCipher     = 0x23
	typeSigAlg     = 0x24
	typeKeyAlg     = 0x25
)

const tlvHead = 3

// cutTLV takes the first TLV of b, which is not empty.
func cutTLV(b []byte) (kind byte, value, rest []byte, err *Error) {
	if len(b) < tlvHead {
		return 0, nil, nil, errTLVHead
	}
	n := tlvHead + int(binary.BigEndian.Uint16(b[1:]))
	if len(b) < n {
		return 0, nil, nil, errTLVSize
	}
	return b[0], b[tlvHead:n:n], b[n:], nil
}

// seen remembers the types that were there: those that are known are unique.
type seen uint64

// twice tells whether the type was there already.
func (s *seen) twice(kind byte) bool {
	bit := seen(1) << (kind & 63)
	before := *s&bit != 0
	*s |= bit
	return before
}

// tlvs reads the TLVs of a whole header, which begin at b[at:]. Types that are
// not known may be for others.
func (h *Header) tlvs(b []byte, at int) *Error {
	var s seen
	for rest := b[at:]; len(rest) > 0; {
		kind, value, next, e := cutTLV(rest)
		if e != nil {
			return e
		}
		known, e := h.tlv(kind, value)
		if kind == typeCRC32C {
			e = verify(b, len(b)-len(rest)+tlvHead, value)
		}
		switch {
		case known && s.twice(kind):
			return errTwice
		case e != nil:
			return e
		}
		rest = next
	}
	return nil
}

// tlv takes one TLV. known is false for those that may be repeated.
func (h *Header) tlv(kind byte, value []byte) (known bool, e *Error) {
	switch kind {
	case typeALPN:
		h.ALPN = value
		return true, unless(len(value) > 0 && len(value) <= 255, errALPN)
	case typeAuthority:
		h.Authority = value
		return true, unless(len(value) > 0 && len(value) <= 255 && printable(value), errAuthority)
	case typeCRC32C:
		return true, nil
	case typeUniqueID:
		h.UniqueID = value
		return true, unless(len(value) <= 128, errUniqueID)
	case typeTLS:
		return true, h.TLS.read(value)
	case typeNetNS:
		h.NetNS = value
		return true, unless(ascii(value), errNetNS)
	}
	return false, nil // NOOP among them
}

// read reads the description of a TLS connection [2.2.6].
func (t *TLS) read(b []byte) *Error {
	if len(b) < 5 {
		return errTLSHead
	}
	t.Present, t.Client, t.Verify = true, b[0], binary.BigEndian.Uint32(b[1:])
	var s seen
	for rest := b[5:]; len(rest) > 0; {
		kind, value, next, e := cutTLV(rest)
		if e != nil {
			return e
		}
		field := t.field(kind)
		switch {
		case field == nil:
		case s.twice(kind):
			return errTwice
		case kind == typeCommonName && !printable(value):
			return errCommonName
		case kind != typeCommonName && !ascii(value):
			return errTLSText
		default:
			*field = value
		}
		rest = next
	}
	return nil
}

func (t *TLS) field(kind byte) *[]byte {
	switch kind {
	case typeVersion:
		return &t.TLSVersion
	case typeCommonName:
		return &t.CommonName
	case typeCipher:
		return &t.Cipher
	case typeSigAlg:
		return &t.SigAlg
	case typeKeyAlg:
		return &t.KeyAlg
	}
	return nil
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	noSum      = make([]byte, 4)
)

// verify checks the checksum at b[at:]. It goes over the whole header, with
// zeros in its own place [2.2.4].
func verify(b []byte, at int, value []byte) *Error {
	if len(value) != 4 {
		return errChecksize
	}
	return unless(checksum(b, at) == binary.BigEndian.Uint32(value), errChecksum)
}

func checksum(b []byte, at int) uint32 {
	sum := crc32.Update(0, castagnoli, b[:at])
	sum = crc32.Update(sum, castagnoli, noSum)
	return crc32.Update(sum, castagnoli, b[at+4:])
}

func unless(ok bool, e *Error) *Error {
	if ok {
		return nil
	}
	return e
}

// printable tells whether b is UTF-8 without control characters.
func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// ascii tells whether b is text in US-ASCII, and some.
func ascii(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return len(b) > 0
}
