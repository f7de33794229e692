package server

import (
	"fmt"
	"strings"
)

// sample is a property with a value in order, and the packets that it may
// stand in: C CONNECT, W will, P PUBLISH, A acknowledgements, S SUBSCRIBE,
// U UNSUBSCRIBE, D DISCONNECT; AUTH and what servers send are elsewhere.
type sample struct {
	name  string
	bytes []any
	in    string
}

var samples = []sample{
	{"payload format indicator", []any{0x01, 1}, "WP"},
	{"message expiry interval", []any{0x02, u32(60)}, "WP"},
	{"content type", []any{0x03, "text"}, "WP"},
	{"response topic", []any{0x08, "answer"}, "WP"},
	{"correlation data", []any{0x09, "data"}, "WP"},
	{"subscription identifier", []any{0x0b, 7}, "S"},
	{"session expiry interval", []any{0x11, u32(0)}, "CD"},
	{"assigned client identifier", []any{0x12, "id"}, ""},
	{"server keep alive", []any{0x13, u16(60)}, ""},
	{"authentication method", []any{0x15, "m"}, "C"},
	{"authentication data", []any{0x16, "d"}, "C"},
	{"request problem information", []any{0x17, 1}, "C"},
	{"will delay interval", []any{0x18, u32(0)}, "W"},
	{"request response information", []any{0x19, 1}, "C"},
	{"response information", []any{0x1a, "r"}, ""},
	{"server reference", []any{0x1c, "other"}, ""},
	{"reason string", []any{0x1f, "because"}, "AD"},
	{"receive maximum", []any{0x21, u16(10)}, "C"},
	{"topic alias maximum", []any{0x22, u16(10)}, "C"},
	{"topic alias", []any{0x23, u16(1)}, "P"},
	{"maximum QoS", []any{0x24, 1}, ""},
	{"retain available", []any{0x25, 1}, ""},
	{"user property", []any{0x26, "name", "value"}, "CWPASUD"},
	{"maximum packet size", []any{0x27, u32(1000)}, "C"},
	{"wildcard subscription available", []any{0x28, 1}, ""},
	{"subscription identifier available", []any{0x29, 1}, ""},
	{"shared subscription available", []any{0x2a, 1}, ""},
}

// unknown are property identifiers that do not exist.
var unknown = []int{0x00, 0x04, 0x07, 0x0a, 0x0c, 0x10, 0x14, 0x1b, 0x1d, 0x1e, 0x20, 0x2b, 0x3f, 0x40, 0x41, 0x7f, 0x80, 0x81, 0xff}

// holder is a packet with room for properties.
type holder struct {
	name, letter string
	make         func(only5) render
	malformed    string
	protocol     string // what a protocol error gives
	fine         string // what a good one gives
	routed       int
}

var connectHolders = []holder{
	{"CONNECT", "C", func(p only5) render { return packet(0x10, protocol{}, 2, u16(60), p, "id") },
		"refuse 81", "refuse 82", "CONNACK 00, open", 0},
	{"will", "W", func(p only5) render {
		return sequence(packet(0x10, protocol{}, 6, u16(60), none, "id", p, "w", "m"))
	}, "refuse 81", "refuse 82", "", 0},
}

var holders = []holder{
	{"PUBLISH", "P", func(p only5) render { return packet(0x32, "a", u16(1), p, []byte("payload")) },
		"bye 81", "bye 82", "PUBACK 1, open", 1},
	{"PUBACK", "A", func(p only5) render { return packet(0x40, u16(1), 0, p) }, "bye 81", "bye 82", "open", 0},
	{"PUBREC", "A", func(p only5) render { return packet(0x50, u16(1), 0, p) }, "bye 81", "bye 82", "PUBREL 1 92, open", 0},
	{"PUBREL", "A", func(p only5) render { return packet(0x62, u16(1), 0, p) }, "bye 81", "bye 82", "PUBCOMP 1 92, open", 0},
	{"PUBCOMP", "A", func(p only5) render { return packet(0x70, u16(1), 0, p) }, "bye 81", "bye 82", "open", 0},
	{"SUBSCRIBE", "S", func(p only5) render { return packet(0x82, u16(1), p, "a", 0) }, "bye 81", "bye 82", "SUBACK 1 00, open", 0},
	{"UNSUBSCRIBE", "U", func(p only5) render { return packet(0xa2, u16(1), p, "a") }, "bye 81", "bye 82", "UNSUBACK 1 11, open", 0},
	{"DISCONNECT", "D", func(p only5) render { return packet(0xe0, 0, p) }, "bye 81", "bye 82", "closed", 0},
}

// propertyCases put every property into every packet, once and twice, and
// break the encoding.
func propertyCases(hs []holder) (cases []hostile) {
	for _, h := range hs {
		add := func(name string, p only5, want string) {
			x := hostile{name: name + " in " + h.name, v: "5", send: h.make(p), want: want}
			if want == h.fine {
				x.routed = h.routed
			}
			cases = append(cases, x)
		}
		for _, s := range samples {
			sampleCases(&h, s, add)
		}
		for _, id := range unknown {
			add(fmt.Sprintf("unknown property %02x", id), props(id, 1), h.malformed)
		}
		encodingCases(&h, add)
	}
	return cases
}

func sampleCases(h *holder, s sample, add func(name string, p only5, want string)) {
	twice := props(append(append([]any(nil), s.bytes...), s.bytes...)...)
	bytes := join(5, s.bytes)
	switch {
	case s.in != "" && strings.Contains(s.in, h.letter):
		if s.name == "user property" {
			if h.fine != "" {
				add(s.name+" twice", twice, h.fine)
			}
		} else {
			add(s.name+" twice", twice, h.protocol)
		}
		for n := 1; n < len(bytes); n++ { // the value ends early
			add(fmt.Sprintf("%d bytes of %s", n, s.name), props(bytes[:n]), h.malformed)
		}
	case s.name == "subscription identifier" && h.letter == "P":
		add(s.name, props(s.bytes...), h.protocol) // [MQTT-3.3.4-6]
	case s.name == "server reference" && h.letter == "D":
		add(s.name, props(s.bytes...), h.protocol) // a server's DISCONNECT only
	default:
		add(s.name, props(s.bytes...), h.malformed)
	}
}

// encodingCases are about the length of the properties.
func encodingCases(h *holder, add func(name string, p only5, want string)) {
	user := join(5, []any{0x26, "name", "value"})
	add("length one too large", append(only5(varint(len(user)+120)), user...), h.malformed)
	add("length beyond everything", append(only5(varint(268435455)), user...), h.malformed)
	add("length of five bytes", append(only5{0x8e, 0x80, 0x80, 0x80, 0x00}, user...), h.malformed)
	add("length of ff bytes", append(only5{0xff, 0xff, 0xff, 0xff, 0xff}, user...), h.malformed)
	add("length that is not minimal", append(only5{0x8e, 0x00}, user...), h.malformed)
	add("length 0 in two bytes", only5{0x80, 0x00}, h.malformed)
	add("length one too small", append(only5{byte(len(user) - 1)}, user...), h.malformed)
	add("user property without a value", props(0x26, "name"), h.malformed)
	add("user property whose name goes on and on", props(0x26, u16(0xffff), []byte("name")), h.malformed)
	add("user property whose value goes on and on", props(0x26, "name", u16(0xffff), []byte("value")), h.malformed)
	add("good property, then an unknown one", props(0x26, "name", "value", 0x7f), h.malformed)
}

// valueCases are properties whose value is not allowed.
func valueCases() []hostile {
	c := func(name, want string, parts ...any) hostile {
		return hostile{name: name, v: "5", want: want, send: packet(0x10, protocol{}, 2, u16(60), props(parts...), "id")}
	}
	w := func(name, want string, parts ...any) hostile {
		return hostile{name: "will with " + name, v: "5", want: want,
			send: packet(0x10, protocol{}, 6, u16(60), none, "id", props(parts...), "w", "m")}
	}
	return []hostile{
		c("receive maximum 0", "refuse 82", 0x21, u16(0)),
		c("maximum packet size 0", "refuse 82", 0x27, u32(0)),
		c("request problem information 2", "refuse 82", 0x17, 2),
		c("request problem information 255", "refuse 82", 0x17, 255),
		c("request response information 2", "refuse 82", 0x19, 2),
		c("authentication data without a method", "refuse 82", 0x16, "data"),
		c("empty authentication data without a method", "refuse 82", 0x16, ""),
		c("authentication method that nobody knows", "CONNACK 8c, closed", 0x15, "SCRAM-SHA-1"),
		c("empty authentication method", "CONNACK 8c, closed", 0x15, ""),
		c("authentication method and data", "CONNACK 8c, closed", 0x15, "m", 0x16, "data"),
		c("topic alias maximum 0", "CONNACK 00, open", 0x22, u16(0)),
		c("session expiry interval that never ends, then 0 by a clean start", "refuse 82", 0x11, u32(0xffffffff), 0x11, u32(0)),
		c("receive maximum twice with different values", "refuse 82", 0x21, u16(1), 0x21, u16(2)),
		// CONNACK has 11 bytes here, one that refuses 5.
		c("maximum packet size that takes CONNACK", "CONNACK 00, open", 0x27, u32(11)),
		c("maximum packet size that does not take CONNACK", "closed", 0x27, u32(10)),
		c("maximum packet size 1", "closed", 0x27, u32(1)),
		c("authentication method and a maximum packet size that takes the answer", "CONNACK 8c, closed", 0x15, "m", 0x27, u32(5)),
		c("authentication method and a maximum packet size that does not take the answer", "closed", 0x15, "m", 0x27, u32(4)),
		c("maximum packet size 4, twice", "closed", 0x27, u32(4), 0x27, u32(4)),
		w("payload format 2", "refuse 82", 0x01, 2),
		w("payload format 255", "refuse 82", 0x01, 255),
		w("response topic with #", "refuse 82", 0x08, "a/#"),
		w("response topic with +", "refuse 82", 0x08, "+"),
		w("delay twice", "refuse 82", 0x18, u32(1), 0x18, u32(1)),
		w("properties that swallow the topic", "refuse 81", 0x26, "name"),
	}
}
