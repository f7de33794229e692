package e2e

import (
	"encoding/binary"
	"fmt"
)

// The packets of these tests are put together by hand, so that nothing of the
// broker's own codec judges the broker.

// id is a two-byte number, such as a packet identifier.
type id uint16

// pkt returns a packet of a fixed-header byte and what follows the remaining
// length: int is one byte, id two bytes, string a string with its length, and
// []byte is taken as it is.
func pkt(head byte, parts ...any) []byte {
	body := join(parts...)
	return append(binary.AppendUvarint([]byte{head}, uint64(len(body))), body...)
}

func join(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = append(out, byte(p))
		case byte:
			out = append(out, p)
		case id:
			out = binary.BigEndian.AppendUint16(out, uint16(p))
		case uint32:
			out = binary.BigEndian.AppendUint32(out, p)
		case string:
			out = append(binary.BigEndian.AppendUint16(out, uint16(len(p))), p...)
		case []byte:
			out = append(out, p...)
		default:
			panic(fmt.Sprintf("no encoding for %T", p))
		}
	}
	return out
}

// props returns v5 properties with their length in front.
func props(parts ...any) []byte {
	body := join(parts...)
	return append(binary.AppendUvarint(nil, uint64(len(body))), body...)
}

var (
	pingreq    = []byte{0xC0, 0}
	pingresp   = []byte{0xD0, 0}
	disconnect = []byte{0xE0, 0}
)

// connect is a CONNECT packet.
type connect struct {
	v     int // protocol level: 3, 4, 5, 131 or 132
	name  string
	id    string
	keep  bool // clean session, or clean start, is 0
	alive uint16
	flags byte // more connect flags
	props []byte
	will  *will
	rest  []byte // after client id and will
}

type will struct {
	topic, payload string
	qos            byte
	retain         bool
	props          []byte
}

func (c connect) bytes() []byte {
	name := c.name
	if name == "" {
		name = map[bool]string{true: "MQIsdp", false: "MQTT"}[c.v&0x7F == 3]
	}
	flags := c.flags
	if !c.keep {
		flags |= 0x02
	}
	var tail []byte
	if w := c.will; w != nil {
		flags |= 0x04 | w.qos<<3
		if w.retain {
			flags |= 0x20
		}
		if c.v == 5 {
			tail = props(w.props)
		}
		tail = append(tail, join(w.topic, w.payload)...)
	}
	var p []byte
	if c.v == 5 {
		p = props(c.props)
	}
	return pkt(0x10, name, c.v, flags, id(c.alive), p, c.id, tail, c.rest)
}

// sessionExpiry is the property of CONNECT and DISCONNECT.
func sessionExpiry(seconds uint32) []byte { return join(0x11, seconds) }

// publish is a PUBLISH packet.
type publish struct {
	topic, payload string
	qos            byte
	dup, retain    bool
	id             uint16
	props          string // of v5, without the length
}

func (p publish) bytes(v int) []byte {
	head := 0x30 | p.qos<<1
	if p.dup {
		head |= 8
	}
	if p.retain {
		head |= 1
	}
	parts := []any{p.topic}
	if p.qos > 0 {
		parts = append(parts, id(p.id))
	}
	if v == 5 {
		parts = append(parts, props([]byte(p.props)))
	}
	return pkt(head, append(parts, []byte(p.payload))...)
}

// packet is a packet received.
type packet struct {
	head byte
	body []byte
}

func (p packet) String() string { return fmt.Sprintf("packet %02x % x", p.head, cut(p.body)) }

func cut(b []byte) []byte { return b[:min(len(b), 80)] }

// publish reads p as a PUBLISH.
func (p packet) publish(v int) (out publish, err error) {
	if p.head>>4 != 3 {
		return out, fmt.Errorf("%v is no PUBLISH", p)
	}
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%v is cut short", p)
		}
	}()
	out.dup, out.qos, out.retain = p.head&8 != 0, p.head>>1&3, p.head&1 != 0
	b := p.body
	n := int(binary.BigEndian.Uint16(b))
	out.topic, b = string(b[2:2+n]), b[2+n:]
	if out.qos > 0 {
		out.id, b = binary.BigEndian.Uint16(b), b[2:]
	}
	if v == 5 {
		n, size := binary.Uvarint(b)
		out.props, b = string(b[size:size+int(n)]), b[size+int(n):]
	}
	out.payload = string(b)
	return out, nil
}

// ack reads p as an acknowledgement of any kind; a missing code is 0.
func (p packet) ack() (kind byte, id uint16, code byte) {
	if len(p.body) < 2 {
		return 0, 0, 0
	}
	if len(p.body) > 2 {
		code = p.body[2]
	}
	return p.head, binary.BigEndian.Uint16(p.body), code
}
