// Package codec cuts, decodes and encodes MQTT 3.1, 3.1.1 and 5 packets over
// byte slices. It keeps no state and starts no goroutine. Decoded fields alias
// the input; encoders append to a slice of the caller. Decoding a packet never
// allocates, not even for an error.
//
// It is strict: what the specifications call malformed or a protocol error is
// refused with the MQTT 5 reason code that they give. Which side may send a
// packet is not its business.
package codec

// Version is a protocol version.
type Version byte

// The versions, by their protocol level.
const (
	V31  Version = 3
	V311 Version = 4
	V5   Version = 5
)

// Type is a control packet type [MQTT 5, 2.1.2].
type Type byte

// The control packet types.
const (
	CONNECT Type = 1 + iota
	CONNACK
	PUBLISH
	PUBACK
	PUBREC
	PUBREL
	PUBCOMP
	SUBSCRIBE
	SUBACK
	UNSUBSCRIBE
	UNSUBACK
	PINGREQ
	PINGRESP
	DISCONNECT
	AUTH
)

var typeNames = [16]string{"RESERVED", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
	"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"}

func (t Type) String() string { return typeNames[t&15] }

// Error is a packet that is refused. The values are made once, so that a
// decoding error allocates nothing.
type Error struct {
	Code ReasonCode // for DISCONNECT or CONNACK of MQTT 5
	Text string     // which packet or field is wrong
}

func (e *Error) Error() string { return e.Code.String() + ": " + e.Text }

func malformed(text string) *Error { return &Error{MalformedPacket, text} }
func violation(text string) *Error { return &Error{ProtocolError, text} }

// Frame is one packet that was cut out of a byte stream.
type Frame struct {
	First byte   // type and flags
	Body  []byte // what follows the Remaining Length
}

// Type is the packet's type.
func (f Frame) Type() Type { return Type(f.First >> 4) }

// Flags are the lower four bits of the first byte.
func (f Frame) Flags() byte { return f.First & 15 }

// MaxRemaining is the largest Remaining Length there is [MQTT 5, 1.5.5].
const MaxRemaining = 268_435_455

var (
	errType     = malformed("packet type 0 is reserved")
	errLength   = malformed("Remaining Length is not a minimal Variable Byte Integer of at most 4 bytes")
	errTooLarge = &Error{PacketTooLarge, "packet is larger than allowed"}
)

// Cut takes the first packet of b. n is the number of bytes that it occupies,
// 0 when b holds only a part of one; need is then the size of the whole packet,
// or 0 when that is not known yet. A maxRemaining above 0 limits the Remaining
// Length.
func Cut(b []byte, maxRemaining int) (f Frame, n, need int, err error) {
	if len(b) < 2 {
		if len(b) == 1 && b[0]>>4 == 0 {
			return f, 0, 0, errType
		}
		return f, 0, 0, nil
	}
	if b[0]>>4 == 0 {
		return f, 0, 0, errType
	}
	size, at := int(b[1]), 2
	if size >= 0x80 {
		var ok bool
		if size, at, ok = length(b, 1); !ok {
			return f, 0, 0, errLength
		}
		if at == 0 {
			return f, 0, 0, nil
		}
	}
	if maxRemaining > 0 && size > maxRemaining {
		return f, 0, 0, errTooLarge
	}
	if need = at + size; len(b) < need {
		return f, 0, need, nil
	}
	return Frame{b[0], b[at:need:need]}, need, 0, nil
}

// length reads a Variable Byte Integer at b[i:]. next is 0 when it is not
// complete; ok is false when it is malformed [MQTT-1.5.5-1].
func length(b []byte, i int) (v, next int, ok bool) {
	for shift := 0; shift <= 21; shift += 7 {
		if i >= len(b) {
			return 0, 0, true
		}
		c := b[i]
		i++
		v |= int(c&0x7f) << shift
		if c < 0x80 {
			return v, i, c != 0 || shift == 0
		}
	}
	return 0, 0, false
}

// reader walks through a packet's body. The first failure sticks.
type reader struct {
	b   []byte
	err *Error
}

func (r *reader) fail(e *Error) {
	if r.err == nil {
		r.err = e
	}
	r.b = nil
}

var errShort = malformed("packet ends before its last field")

func (r *reader) byte() byte {
	if len(r.b) < 1 {
		r.fail(errShort)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) uint16() uint16 {
	if len(r.b) < 2 {
		r.fail(errShort)
		return 0
	}
	v := uint16(r.b[0])<<8 | uint16(r.b[1])
	r.b = r.b[2:]
	return v
}

func (r *reader) uint32() uint32 {
	if len(r.b) < 4 {
		r.fail(errShort)
		return 0
	}
	v := uint32(r.b[0])<<24 | uint32(r.b[1])<<16 | uint32(r.b[2])<<8 | uint32(r.b[3])
	r.b = r.b[4:]
	return v
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.fail(errShort)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// binary reads a field with a two-byte length.
func (r *reader) binary() []byte { return r.take(int(r.uint16())) }

var errUTF8 = malformed("string is not UTF-8 or holds U+0000")

// text reads a UTF-8 string [MQTT-1.5.4-1] [MQTT-1.5.4-2].
func (r *reader) text() []byte {
	v := r.binary()
	if r.err == nil && !validText(v) {
		r.fail(errUTF8)
	}
	return v
}

var errVarint = malformed("number is not a minimal Variable Byte Integer")

func (r *reader) varint() int {
	v, next, ok := length(r.b, 0)
	if !ok {
		r.fail(errVarint)
		return 0
	}
	if next == 0 {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[next:]
	return v
}

var (
	errPacketID = malformed("packet identifier is 0")
	errRest     = malformed("bytes behind the last field")
)

// packetID reads a packet identifier, which is not zero [MQTT-2.2.1-3].
func (r *reader) packetID() uint16 {
	v := r.uint16()
	if v == 0 {
		r.fail(errPacketID)
	}
	return v
}

// end fails if something is left and gives the first failure.
func (r *reader) end() error {
	if len(r.b) > 0 {
		r.fail(errRest)
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

var errFlags = malformed("reserved flags of the fixed header are wrong")

// flags checks the reserved flags of a packet [MQTT-2.1.3-1]. MQTT 3.1 used
// them in some packets, so they are not checked there.
func flags(v Version, f Frame) error {
	want := byte(0)
	switch f.Type() {
	case PUBREL, SUBSCRIBE, UNSUBSCRIBE:
		if v == V31 {
			return nil
		}
		want = 2
	}
	if f.Flags() != want {
		return errFlags
	}
	return nil
}

var errBody = malformed("packet has a body")

// DecodeEmpty checks a packet that is a fixed header only: PINGREQ, PINGRESP.
func DecodeEmpty(f Frame) error {
	if f.Flags() != 0 {
		return errFlags
	}
	if len(f.Body) > 0 {
		return errBody
	}
	return nil
}
