package ws

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// MaxHeader is the size of the largest header that AppendHeader makes.
const MaxHeader = 10

// AppendHeader appends the header of a binary frame with n bytes of payload,
// which is a whole message. The payload goes out as it is: a server does not
// mask [RFC 6455, 5.1].
func AppendHeader(out []byte, n int) []byte {
	const first = bitFin | opBinary
	switch {
	case n <= maxControl:
		return append(out, first, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(out, first, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(out, first, 127), uint64(n))
}

// AppendPong appends a Pong frame. It holds the payload of the Ping, at most
// 125 bytes [RFC 6455, 5.5.3].
func AppendPong(out, payload []byte) []byte { return appendControl(out, opPong, payload) }

// AppendClose appends a Close frame. The reason is UTF-8 and is cut to the 123
// bytes that there is room for.
func AppendClose(out []byte, code Code, reason string) []byte {
	if n := maxControl - 2; len(reason) > n {
		for n > 0 && !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	out = append(out, bitFin|opClose, byte(2+len(reason)))
	return append(binary.BigEndian.AppendUint16(out, uint16(code)), reason...)
}

func appendControl(out []byte, opcode byte, payload []byte) []byte {
	payload = payload[:min(len(payload), maxControl)]
	return append(append(out, bitFin|opcode, byte(len(payload))), payload...)
}
