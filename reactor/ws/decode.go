package ws

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// Decoder turns the frames of one client into a byte stream. Its zero value is
// ready, and it is zero again after each message: 12 bytes that an idle
// connection need not even have.
type Decoder struct {
	left  uint32 // payload of the current data frame that has not come yet
	key   uint32 // its mask, turned so that it begins with the next byte
	tail  uint8  // raw bytes at the end of what was kept
	flags decoderFlags
}

type decoderFlags uint8

const (
	flagMessage decoderFlags = 1 << iota // a message has begun, its last frame has not
	flagClosed                           // our Close frame was made
	flagDead                             // nothing more is read
)

// Tail is the number of bytes at the end of the latest total that are the
// beginning of a frame's header or of a control frame, at most 130.
func (d *Decoder) Tail() int { return int(d.tail) }

// Decode goes over what has arrived. b[:kept] is what the caller has kept of
// the call before: all or the end of its b[:total]. What was read since lies
// behind it.
//
// After it b[:stream] is the byte stream: what was kept of it, then the
// payloads, moved together where they lay. b[stream:total] is the beginning of
// something that is not whole. The caller uses as much of the stream as it
// likes and keeps the rest up to total.
//
// Answers to control frames are appended to out; they go between frames of
// output, after what the stream leads to. With an error the connection ends:
// the stream before it is good, and reply ends with the Close frame to send.
// Frames may have up to limit bytes of payload; 0 stands for 4 GiB - 1.
func (d *Decoder) Decode(b []byte, kept, limit int, out []byte) (stream, total int, reply []byte, err error) {
	stream = kept - int(d.tail)
	at := stream // the next raw byte
	d.tail = 0
	if d.flags&flagDead != 0 {
		return stream, stream, out, nil
	}
	for at < len(b) {
		if d.left > 0 {
			n := min(len(b)-at, int(d.left))
			d.payload(b[stream:], b[at:at+n])
			stream += n
			at += n
			continue
		}
		var n int
		if n, out, err = d.frame(b[at:], limit, out); err != nil {
			return stream, stream, out, err
		}
		if n == 0 {
			break
		}
		at += n
	}
	rest := copy(b[stream:], b[at:])
	d.tail = uint8(rest)
	return stream, stream + rest, out, nil
}

// payload unmasks a piece of a data frame to where it belongs in the stream.
func (d *Decoder) payload(to, from []byte) {
	d.key = unmask(to, from, d.key)
	if d.left -= uint32(len(from)); d.left == 0 {
		d.key = 0
	}
}

// frame takes the header of a data frame or a whole control frame. n is 0 when
// it is not there yet.
func (d *Decoder) frame(b []byte, limit int, out []byte) (n int, reply []byte, err error) {
	h, n, e := cutHeader(b, limit)
	if e != nil {
		return 0, d.fail(out, e), e
	}
	if n == 0 {
		return 0, out, nil
	}
	if h.opcode()&bitsControl == 0 {
		if e := d.begin(h); e != nil {
			return 0, d.fail(out, e), e
		}
		return n, out, nil
	}
	size := int(h.size)
	if len(b)-n < size {
		return 0, out, nil
	}
	body := b[n : n+size]
	unmask(body, body, h.key)
	if out, e = d.control(h.opcode(), body, out); e != nil {
		return 0, out, e
	}
	return n + size, out, nil
}

// begin begins a data frame [RFC 6455, 5.4].
func (d *Decoder) begin(h header) *Error {
	going := d.flags&flagMessage != 0
	switch {
	case h.opcode() == opContinuation && !going:
		return errContinuation
	case h.opcode() != opContinuation && going:
		return errInterleaved
	}
	d.flags |= flagMessage
	if h.first&bitFin != 0 {
		d.flags &^= flagMessage
	}
	if d.left = h.size; h.size > 0 {
		d.key = h.key
	}
	return nil
}

// control answers a control frame.
func (d *Decoder) control(opcode byte, body, out []byte) ([]byte, *Error) {
	switch {
	case opcode == opPing && d.flags&flagClosed == 0:
		return AppendPong(out, body), nil
	case opcode == opClose:
		if e := checkClose(body); e != nil {
			return d.fail(out, e), e
		}
		if d.flags&flagClosed == 0 { // its code comes back, the reason does not [RFC 6455, 5.5.1]
			out = appendControl(out, opClose, body[:min(len(body), 2)])
		}
		d.flags |= flagClosed | flagDead
		return out, ErrClosed
	}
	return out, nil
}

// checkClose checks the payload of a Close frame [RFC 6455, 5.5.1].
func checkClose(body []byte) *Error {
	switch {
	case len(body) == 0:
		return nil
	case len(body) == 1:
		return errCloseSize
	case !Code(binary.BigEndian.Uint16(body)).valid():
		return errCloseCode
	case !utf8.Valid(body[2:]):
		return errCloseText
	}
	return nil
}

// fail ends reading and tells the peer why.
func (d *Decoder) fail(out []byte, e *Error) []byte {
	d.flags |= flagDead
	return d.Close(out, e.Code)
}

// Close appends a Close frame, unless one was made already, by Decode or here.
// Nothing may be sent after it.
func (d *Decoder) Close(out []byte, code Code) []byte {
	if d.flags&flagClosed != 0 {
		return out
	}
	d.flags |= flagClosed
	return AppendClose(out, code, "")
}

// header is the beginning of a frame [RFC 6455, 5.2].
type header struct {
	first byte
	size  uint32
	key   uint32 // as it lies in memory, little endian
}

func (h header) opcode() byte { return h.first & bitsOpcode }

// cutHeader takes the header at the beginning of b. n is its size, 0 when it is
// not whole.
func cutHeader(b []byte, limit int) (h header, n int, err *Error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	if err := checkStart(b[0], b[1]); err != nil {
		return h, 0, err
	}
	size, n, err := frameSize(b)
	if err != nil || n == 0 {
		return h, 0, err
	}
	if limit <= 0 || limit > math.MaxUint32 {
		limit = math.MaxUint32
	}
	if size > uint64(limit) {
		return h, 0, errTooBig
	}
	if len(b) < n+4 {
		return h, 0, nil
	}
	return header{b[0], uint32(size), binary.LittleEndian.Uint32(b[n:])}, n + 4, nil
}

// checkStart checks the first two bytes of a frame.
func checkStart(first, second byte) *Error {
	opcode := first & bitsOpcode
	switch {
	case first&bitsRSV != 0:
		return errReserved
	case opcode > opBinary && opcode < opClose, opcode > opPong:
		return errOpcode
	case second&bitMask == 0: // [RFC 6455, 5.1]
		return errUnmasked
	case opcode == opText: // [MQTT-6.0.0-1]
		return errText
	case opcode&bitsControl == 0:
		return nil
	case first&bitFin == 0:
		return errFragment
	case second&bitsLength > maxControl:
		return errControlSize
	}
	return nil
}

// frameSize reads the length of the payload. n is where the mask begins, 0 when
// the length is not whole.
func frameSize(b []byte) (size uint64, n int, err *Error) {
	size, n = uint64(b[1]&bitsLength), 2
	switch size {
	case 126:
		if n = 4; len(b) < n {
			return 0, 0, nil
		}
		if size = uint64(binary.BigEndian.Uint16(b[2:])); size < 126 {
			return 0, 0, errMinimal
		}
	case 127:
		if n = 10; len(b) < n {
			return 0, 0, nil
		}
		if size = binary.BigEndian.Uint64(b[2:]); size <= math.MaxUint16 {
			return 0, 0, errMinimal
		}
		if size>>63 != 0 {
			return 0, 0, errLength
		}
	}
	return size, n, nil
}
