package proxy

import (
	"bytes"
	"net/netip"
)

// maxLine is the size of the longest line of version 1 [2.1].
const maxLine = 107

// parse1 reads a header of version 1, a line of text.
func parse1(b []byte, h *Header) (n, need int, err error) {
	end := bytes.IndexByte(b[:min(len(b), maxLine)], '\n')
	switch {
	case end < 0 && len(b) >= maxLine:
		return 0, 0, errLong1
	case end < 0:
		return 0, 0, nil
	case b[end-1] != '\r':
		return 0, 0, errLineEnd
	}
	h.Version = 1
	if e := h.line(b[len("PROXY ") : end-1]); e != nil {
		return 0, 0, e
	}
	return end + 1, 0, nil
}

// line reads what follows PROXY. What follows UNKNOWN says nothing.
func (h *Header) line(line []byte) *Error {
	if bytes.IndexByte(line, '\r') >= 0 {
		return errLineEnd
	}
	family, rest, more := bytes.Cut(line, []byte{' '})
	six := string(family) == "TCP6"
	switch {
	case string(family) == "UNKNOWN":
		h.Local = true
		return nil
	case !six && string(family) != "TCP4":
		return errFamily1
	case !more || bytes.Count(rest, []byte{' '}) != 3:
		return errParts
	}
	var parts [4][]byte
	for i := range parts {
		parts[i], rest, _ = bytes.Cut(rest, []byte{' '})
	}
	var e *Error
	if h.Source, e = endpoint(parts[0], parts[2], six); e != nil {
		return e
	}
	h.Destination, e = endpoint(parts[1], parts[3], six)
	return e
}

func endpoint(addr, port []byte, six bool) (netip.AddrPort, *Error) {
	a, err := netip.ParseAddr(string(addr))
	if err != nil || a.Is6() != six || a.Zone() != "" {
		return netip.AddrPort{}, errAddress
	}
	p := 0
	for _, c := range port {
		if c < '0' || c > '9' || p > 65535 {
			return netip.AddrPort{}, errPort
		}
		p = 10*p + int(c-'0')
	}
	if len(port) == 0 || p > 65535 || port[0] == '0' && len(port) > 1 {
		return netip.AddrPort{}, errPort
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}
