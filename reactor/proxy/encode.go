package proxy

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// AppendV1 appends a header of version 1. The addresses are of one family, or
// IPv4 in IPv6 is used for the other one; without both it says UNKNOWN.
func AppendV1(out []byte, source, destination netip.AddrPort) []byte {
	out = append(out, "PROXY "...)
	if !source.IsValid() || !destination.IsValid() {
		return append(out, "UNKNOWN\r\n"...)
	}
	from, to, six := sameFamily(source.Addr(), destination.Addr())
	if six {
		out = append(out, "TCP6 "...)
	} else {
		out = append(out, "TCP4 "...)
	}
	out = append(from.AppendTo(out), ' ')
	out = append(to.AppendTo(out), ' ')
	out = append(strconv.AppendUint(out, uint64(source.Port()), 10), ' ')
	out = strconv.AppendUint(out, uint64(destination.Port()), 10)
	return append(out, "\r\n"...)
}

func sameFamily(a, b netip.Addr) (x, y netip.Addr, six bool) {
	a, b = a.Unmap().WithZone(""), b.Unmap().WithZone("")
	if a.Is4() == b.Is4() {
		return a, b, a.Is6()
	}
	return netip.AddrFrom16(a.As16()), netip.AddrFrom16(b.As16()), true
}

// AppendV2 appends a header of version 2: LOCAL when h.Local, with all that h
// holds otherwise, and a checksum when that is asked for. It is for headers
// that Parse would accept.
func AppendV2(out []byte, h *Header, withChecksum bool) []byte {
	start := len(out)
	out = append(out, signature...)
	if h.Local {
		return append(out, 2<<4|commandLocal, familyNone, 0, 0)
	}
	out = append(out, 2<<4|commandProxy)
	from, to, six := sameFamily(h.Source.Addr(), h.Destination.Addr())
	if six {
		out = append(out, familyINET6, 0, 0)
	} else {
		out = append(out, familyINET, 0, 0)
	}
	out = append(append(out, from.AsSlice()...), to.AsSlice()...)
	out = binary.BigEndian.AppendUint16(out, h.Source.Port())
	out = binary.BigEndian.AppendUint16(out, h.Destination.Port())
	out = appendOptional(out, typeALPN, h.ALPN)
	out = appendOptional(out, typeAuthority, h.Authority)
	out = appendOptional(out, typeUniqueID, h.UniqueID)
	if h.TLS.Present {
		out = h.TLS.append(out)
	}
	out = appendOptional(out, typeNetNS, h.NetNS)
	at := len(out) - start + tlvHead
	if withChecksum {
		out = appendTLV(out, typeCRC32C, make([]byte, 4))
	}
	b := out[start:]
	binary.BigEndian.PutUint16(b[14:], uint16(len(b)-headSize))
	if withChecksum {
		binary.BigEndian.PutUint32(b[at:], checksum(b, at))
	}
	return out
}

func (t *TLS) append(out []byte) []byte {
	at := len(out)
	out = binary.BigEndian.AppendUint32(append(out, typeTLS, 0, 0, t.Client), t.Verify)
	for kind := byte(typeVersion); kind <= typeKeyAlg; kind++ {
		out = appendOptional(out, kind, *t.field(kind))
	}
	binary.BigEndian.PutUint16(out[at+1:], uint16(len(out)-at-tlvHead))
	return out
}

func appendTLV(out []byte, kind byte, value []byte) []byte {
	out = binary.BigEndian.AppendUint16(append(out, kind), uint16(len(value)))
	return append(out, value...)
}

func appendOptional(out []byte, kind byte, value []byte) []byte {
	if value == nil {
		return out
	}
	return appendTLV(out, kind, value)
}
