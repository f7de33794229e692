package proxy

import (
	"encoding/binary"
	"net/netip"
)

// headSize is the size of signature, command, family and length [2.2].
const headSize = len(signature) + 4

// parse2 reads a header of version 2.
func parse2(b []byte, h *Header) (n, need int, err error) {
	if len(b) > 12 {
		if e := checkHead(b); e != nil {
			return 0, 0, e
		}
	}
	if len(b) < headSize {
		return 0, headSize, nil
	}
	if need = headSize + int(binary.BigEndian.Uint16(b[14:])); need > MaxSize {
		return 0, 0, errTooLong
	}
	if len(b) < need {
		return 0, need, nil
	}
	h.Version = 2
	if b[12]&15 == commandLocal { // whatever else is there says nothing
		h.Local = true
		return need, 0, nil
	}
	if e := h.block(b[:need]); e != nil {
		return 0, 0, e
	}
	return need, 0, nil
}

const (
	commandLocal = 0
	commandProxy = 1

	familyNone  = 0x00
	familyINET  = 0x11 // over a stream, as the other two
	familyINET6 = 0x21
	familyUNIX  = 0x31
)

// checkHead checks version, command and family as far as they are there.
func checkHead(b []byte) *Error {
	command := b[12] & 15
	switch {
	case b[12]>>4 != 2:
		return errVersion
	case command > commandProxy:
		return errCommand
	case command == commandLocal || len(b) < 14: // the family counts for nothing
		return nil
	}
	switch family := b[13]; {
	case family>>4 > 3:
		return errFamily2
	case family == familyNone, family == familyINET, family == familyINET6, family == familyUNIX:
		return nil
	case family&15 == 2:
		return errDatagram
	}
	return errTransport
}

// addressSizes are the sizes of the addresses of a family: two of them, with
// ports.
var addressSizes = [4]int{0, 4 + 4 + 2 + 2, 16 + 16 + 2 + 2, 108 + 108}

// block reads addresses and TLVs of a whole header.
func (h *Header) block(b []byte) *Error {
	body := b[headSize:]
	size := addressSizes[b[13]>>4]
	if len(body) < size {
		return errAddresses
	}
	switch b[13] {
	case familyINET:
		h.Source = addrPort(netip.AddrFrom4([4]byte(body[0:])), body[8:])
		h.Destination = addrPort(netip.AddrFrom4([4]byte(body[4:])), body[10:])
	case familyINET6:
		h.Source = addrPort(netip.AddrFrom16([16]byte(body[0:])), body[32:])
		h.Destination = addrPort(netip.AddrFrom16([16]byte(body[16:])), body[34:])
	default:
		h.Local = true
	}
	return h.tlvs(b, headSize+size)
}

func addrPort(a netip.Addr, port []byte) netip.AddrPort {
	return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(port))
}
