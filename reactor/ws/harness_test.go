package ws

import (
	"encoding/binary"
	"math/rand/v2"
	"unicode/utf8"
)

// frame builds a client's frame by hand.
func frame(first byte, key uint32, payload []byte) []byte {
	out := []byte{first}
	switch n := len(payload); {
	case n < 126:
		out = append(out, bitMask|byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, bitMask|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, bitMask|127), uint64(n))
	}
	out = binary.LittleEndian.AppendUint32(out, key)
	at := len(out)
	out = append(out, payload...)
	for i := range payload {
		out[at+i] ^= byte(key >> (8 * (i % 4)))
	}
	return out
}

func text(s string) []byte { return []byte(s) }

// frames cuts a byte stream into random messages and fragments, with control
// frames in between. It gives the answers that are due, too.
func frames(r *rand.Rand, stream []byte, size int) (raw, answers []byte) {
	going := false
	for len(stream) > 0 || going {
		n := min(r.IntN(size+1), len(stream))
		first := byte(opBinary)
		if going {
			first = opContinuation
		}
		if going = r.IntN(3) == 0; !going {
			first |= bitFin
		}
		raw = append(raw, frame(first, r.Uint32(), stream[:n])...)
		stream = stream[n:]
		if r.IntN(4) > 0 {
			continue
		}
		body := make([]byte, r.IntN(126))
		for i := range body {
			body[i] = byte(r.Uint32())
		}
		if r.IntN(3) == 0 {
			raw = append(raw, frame(bitFin|opPong, r.Uint32(), body)...)
			continue
		}
		raw = append(raw, frame(bitFin|opPing, r.Uint32(), body)...)
		answers = append(append(answers, bitFin|opPong, byte(len(body))), body...)
	}
	return raw, answers
}

// outcome is all that a client's bytes lead to.
type outcome struct {
	stream, answers string
	code            Code // 0 while the connection goes on
	closed          bool // by the peer
}

// pieces feeds a decoder with the raw bytes in pieces, as a reactor does: what
// it kept lies in front of what it reads. The handler takes a random part of
// the stream each time.
func pieces(r *rand.Rand, raw []byte, limit, size int) (o outcome, d Decoder) {
	var kept, taken, reply []byte
	for len(raw) > 0 {
		n := min(1+r.IntN(size), len(raw))
		b := append(append(make([]byte, 0, len(kept)+n), kept...), raw[:n]...)
		raw = raw[n:]
		var stream, total int
		var err error
		stream, total, reply, err = d.Decode(b, len(kept), limit, reply)
		if err == nil && r.IntN(4) == 0 { // a paused connection is looked at again
			stream, total, reply, err = d.Decode(b[:total], total, limit, reply)
		}
		if total-stream != d.Tail() || d.Tail() > 130 {
			panic("tail")
		}
		if err != nil {
			o.code, o.closed = err.(*Error).Code, err == ErrClosed
			kept = b[:total]
			break
		}
		use := r.IntN(stream + 1)
		taken = append(taken, b[:use]...)
		kept = b[use:total]
	}
	o.stream = string(append(taken, kept[:len(kept)-d.Tail()]...))
	o.answers = string(reply)
	return o, d
}

// naive is a decoder that has all bytes at once and follows RFC 6455 step by
// step.
func naive(raw []byte, limit int) (o outcome) {
	fail := func(c Code) outcome {
		o.code = c
		o.answers += string([]byte{0x88, 2, byte(c >> 8), byte(c)})
		return o
	}
	message := false
	for at := 0; len(raw)-at >= 2; {
		fin, rsv, op := raw[at]>>7 == 1, raw[at]>>4&7, raw[at]&15
		masked, length := raw[at+1]>>7 == 1, uint64(raw[at+1]&127)
		at += 2
		if rsv != 0 || !masked || op != 0 && op != 1 && op != 2 && op != 8 && op != 9 && op != 10 {
			return fail(1002)
		}
		if op == 1 {
			return fail(1003)
		}
		if op >= 8 && (!fin || length > 125) {
			return fail(1002)
		}
		for _, wide := range []struct{ mark, bytes, least uint64 }{{126, 2, 126}, {127, 8, 65536}} {
			if length != wide.mark || wide.bytes == 2 && raw[at-1]&127 == 127 {
				continue
			}
			if uint64(len(raw)-at) < wide.bytes {
				return o
			}
			length = 0
			for range wide.bytes {
				length = length<<8 | uint64(raw[at])
				at++
			}
			if length < wide.least || length>>63 == 1 {
				return fail(1002)
			}
			break
		}
		if length > uint64(limit) {
			return fail(1009)
		}
		if len(raw)-at < 4 {
			return o
		}
		key := raw[at : at+4]
		at += 4
		if op < 8 && message != (op == 0) {
			return fail(1002)
		}
		if op < 8 {
			message = !fin
		}
		var payload []byte
		for i := 0; i < int(length) && at < len(raw); i++ {
			payload = append(payload, raw[at]^key[i%4])
			at++
		}
		whole := len(payload) == int(length)
		switch {
		case op < 8:
			o.stream += string(payload)
		case !whole:
			return o
		case op == 9:
			o.answers += string([]byte{0x8a, byte(length)}) + string(payload)
		case op == 8:
			return naiveClose(o, payload, fail)
		}
	}
	return o
}

func naiveClose(o outcome, payload []byte, fail func(Code) outcome) outcome {
	if len(payload) == 1 {
		return fail(1002)
	}
	if len(payload) >= 2 {
		c := int(payload[0])<<8 | int(payload[1])
		known := map[int]bool{1000: true, 1001: true, 1002: true, 1003: true, 1007: true, 1008: true, 1009: true,
			1010: true, 1011: true, 1012: true, 1013: true, 1014: true}
		if !known[c] && (c < 3000 || c > 4999) {
			return fail(1002)
		}
		if !utf8.Valid(payload[2:]) {
			return fail(1007)
		}
		payload = payload[:2]
	}
	o.answers += string([]byte{0x88, byte(len(payload))}) + string(payload)
	o.code, o.closed = Normal, true
	return o
}
