package server

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"

	"vernemq/codec"
)

// render makes the bytes that a case sends, for a protocol version.
type render func(codec.Version) []byte

// Parts of a packet, beside byte values (untyped numbers), strings with their
// length and bare bytes.
type (
	u16 uint16
	u32 uint32
	// only5 is left out before MQTT 5.
	only5 []byte
	// protocol stands for the protocol name and level of the version.
	protocol struct{}
)

var none = only5{0} // no properties

// props are properties with their length.
func props(parts ...any) only5 {
	b := join(codec.V5, parts)
	return append(varint(len(b)), b...)
}

func varint(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

// packet is one with the right Remaining Length.
func packet(first byte, parts ...any) render {
	return func(v codec.Version) []byte {
		body := join(v, parts)
		return append(append([]byte{first}, varint(len(body))...), body...)
	}
}

// sequence sends one thing after the other.
func sequence(all ...render) render {
	return func(v codec.Version) (out []byte) {
		for _, r := range all {
			out = append(out, r(v)...)
		}
		return out
	}
}

// raw are bytes in hexadecimal.
func raw(s string) render {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return func(codec.Version) []byte { return b }
}

func text(s string) render { return func(codec.Version) []byte { return []byte(s) } }

func join(v codec.Version, parts []any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case byte:
			b = append(b, p)
		case u16:
			b = binary.BigEndian.AppendUint16(b, uint16(p))
		case u32:
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		case string:
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(p))), p...)
		case []byte:
			b = append(b, p...)
		case only5:
			if v == codec.V5 {
				b = append(b, p...)
			}
		case protocol:
			name := "MQTT"
			if v == codec.V31 {
				name = "MQIsdp"
			}
			b = append(join(v, []any{name}), byte(v))
		default:
			panic(fmt.Sprintf("%T", p))
		}
	}
	return b
}

var clientNumber atomic.Int32

// usual is the CONNECT of a client without any wishes.
func usual(v codec.Version) []byte { return connectWith()(v) }

// connectWith is a CONNECT with properties.
func connectWith(parts ...any) render {
	return func(v codec.Version) []byte {
		id := fmt.Sprintf("hostile-%d", clientNumber.Add(1))
		return packet(0x10, protocol{}, 2, u16(60), props(parts...), id)(v)
	}
}

// publish, subscribe and ping are in order.
func publish(qos int, id u16, topic string) render {
	if qos == 0 {
		return packet(0x30, topic, none, []byte("payload"))
	}
	return packet(byte(0x30|qos<<1), topic, id, none, []byte("payload"))
}

func subscribe(id u16, filter string, qos int) render { return packet(0x82, id, none, filter, qos) }

var ping = raw("c0 00")

// describe puts a packet from the broker into words. One that is malformed
// gives the decoder's words for that.
func describe(v codec.Version, f codec.Frame) string {
	var err error
	out := f.Type().String()
	switch f.Type() {
	case codec.CONNACK:
		var c codec.Connack
		err = codec.DecodeConnack(v, f, &c)
		out += fmt.Sprintf(" %02x", byte(c.Reason))
	case codec.PUBLISH:
		var p codec.Publish
		err = codec.DecodePublish(v, f, &p)
		out += fmt.Sprintf(" %s %s", p.Topic, p.Payload)
	case codec.PUBACK, codec.PUBREC, codec.PUBREL, codec.PUBCOMP:
		var a codec.Ack
		err = codec.DecodeAck(v, f, &a)
		out += fmt.Sprintf(" %d", a.PacketID)
		if a.Reason != codec.Success {
			out += fmt.Sprintf(" %02x", byte(a.Reason))
		}
	case codec.SUBACK:
		var s codec.Suback
		err = codec.DecodeSuback(v, f, &s)
		out += fmt.Sprintf(" %d % x", s.PacketID, s.Codes)
	case codec.UNSUBACK:
		var s codec.Suback
		err = codec.DecodeUnsuback(v, f, &s)
		out += strings.TrimRight(fmt.Sprintf(" %d % x", s.PacketID, s.Codes), " ")
	case codec.DISCONNECT:
		var d codec.Disconnect
		err = codec.DecodeDisconnect(v, f, &d)
		out += fmt.Sprintf(" %02x", byte(d.Reason))
		if v != codec.V5 {
			out += " to a client of MQTT 3"
		}
	case codec.PINGRESP:
		err = codec.DecodeEmpty(f)
	default:
		out += " from a server"
	}
	if err != nil {
		return out + ": " + err.Error()
	}
	return out
}
