package server

import "fmt"

// framingCases are about what every packet begins with.
func framingCases() []hostile {
	cases := []hostile{
		{name: "type 0", v: "345", send: raw("00 00"), want: "bye 81"},
		{name: "type 0 with flags", v: "345", send: raw("0f 00"), want: "bye 81"},
		{name: "type 0 with a body", v: "345", send: raw("00 02 00 01"), want: "bye 81"},
		{name: "a single zero byte", v: "345", send: raw("00"), want: "bye 81"},
		{name: "length of five bytes", v: "345", send: raw("30 80 80 80 80 01"), want: "bye 81"},
		{name: "length of five bytes, as large as can be", v: "345", send: raw("30 ff ff ff ff 7f"), want: "bye 81"},
		{name: "length that never ends", v: "345", send: raw("c0 ff ff ff ff ff ff ff ff ff ff"), want: "bye 81"},
		{name: "length 0 in two bytes", v: "345", send: raw("c0 80 00"), want: "bye 81"},
		{name: "length 0 in three bytes", v: "345", send: raw("c0 80 80 00"), want: "bye 81"},
		{name: "length 0 in four bytes", v: "345", send: raw("c0 80 80 80 00"), want: "bye 81"},
		{name: "length 2 in two bytes", v: "345", send: raw("40 82 00 00 01"), want: "bye 81"},
		{name: "length 127 in two bytes", v: "345", send: raw("30 ff 00"), want: "bye 81"},
		{name: "length 16383 in four bytes", v: "345", send: raw("30 ff ff 80 00"), want: "bye 81"},
		{name: "good packet, then type 0", v: "5", send: sequence(subscribe(1, "a", 0), raw("00 00")), want: "SUBACK 1 00, bye 81"},
		{name: "good packet, then type 0", v: "34", send: sequence(subscribe(1, "a", 0), raw("00 00")), want: "SUBACK 1 00, closed"},
		{name: "type 0, then a good message", v: "345", send: sequence(raw("00 00"), publish(0, 0, "a")), want: "bye 81"},
		{name: "nothing but zeros", v: "345", send: packet(0, make([]byte, 500)), want: "bye 81"},
		{name: "HTTP inside a connection", v: "345", send: text("GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: a browser\r\nAccept: */*\r\n\r\n"),
			want: "bye 81"}, // for MQTT a PUBACK with flags
		{name: "packet type only, then the end", v: "345", send: raw("30"), hangUp: true, want: "closed"},
		{name: "half a length, then the end", v: "345", send: raw("30 80"), hangUp: true, want: "closed"},
		{name: "half a packet, then the end", v: "345", send: raw("30 10 00 01 61"), hangUp: true, want: "closed"},
		{name: "length of 256 MB and little of it, then the end", v: "345", send: raw("30 ff ff ff 7f 00 01 61"), hangUp: true, want: "closed"},
		{name: "good message, half a packet, then the end", v: "345", send: sequence(publish(0, 0, "a"), raw("30 10 00 01 61")),
			hangUp: true, want: "closed", routed: 1},
	}
	cases = append(cases, flagCases()...)
	return append(cases, directionCases()...)
}

// flagCases are the reserved flags of all packets that a client may send.
// MQTT 3.1 has flags in those that it calls QoS 1 messages: nobody checks
// them there.
func flagCases() (cases []hostile) {
	for _, x := range []struct {
		name  string
		right byte
		rest  []any
		want  string // of level 3 when the flags do not matter there
	}{
		{"PUBACK", 0x40, []any{u16(1)}, ""},
		{"PUBREC", 0x50, []any{u16(1)}, ""},
		{"PUBREL", 0x62, []any{u16(1)}, "PUBCOMP 1, open"},
		{"PUBCOMP", 0x70, []any{u16(1)}, ""},
		{"SUBSCRIBE", 0x82, []any{u16(1), none, "a", 0}, "SUBACK 1 00, open"},
		{"UNSUBSCRIBE", 0xa2, []any{u16(1), none, "a"}, "UNSUBACK 1, open"},
		{"PINGREQ", 0xc0, nil, ""},
		{"DISCONNECT", 0xe0, nil, ""},
	} {
		for f := range byte(16) {
			first := x.right&0xf0 | f
			if first == x.right {
				continue
			}
			name := fmt.Sprintf("%s with flags %04b", x.name, f)
			send := packet(first, x.rest...)
			cases = append(cases, hostile{name: name, v: "45", send: send, want: "bye 81"})
			if x.want != "" {
				cases = append(cases, hostile{name: name, v: "3", send: send, want: x.want})
			} else {
				cases = append(cases, hostile{name: name, v: "3", send: send, want: "closed"})
			}
		}
	}
	return cases
}

// directionCases are packets that only a server may send, and AUTH, which a
// client without an authentication method may not send either.
func directionCases() (cases []hostile) {
	for _, x := range []struct {
		name string
		send render
	}{
		{"CONNACK", packet(0x20, 0, 0, none)},
		{"CONNACK with session present", packet(0x20, 1, 0, none)},
		{"CONNACK that refuses", packet(0x20, 0, 5, none)},
		{"CONNACK without a body", raw("20 00")},
		{"CONNACK with flags", packet(0x2f, 0, 0, none)},
		{"SUBACK", packet(0x90, u16(1), none, 0)},
		{"SUBACK without a body", raw("90 00")},
		{"SUBACK with flags", packet(0x92, u16(1), none, 0)},
		{"UNSUBACK", packet(0xb0, u16(1), only5{0, 0})},
		{"UNSUBACK without a body", raw("b0 00")},
		{"UNSUBACK with flags", packet(0xb2, u16(1), only5{0, 0})},
		{"PINGRESP", raw("d0 00")},
		{"PINGRESP with a body", raw("d0 01 00")},
		{"PINGRESP with flags", raw("d8 00")},
		{"AUTH", packet(0xf0, 0x18, props(0x15, "m"))},
		{"AUTH to authenticate again", packet(0xf0, 0x19, props(0x15, "m", 0x16, "data"))},
		{"AUTH that says success", packet(0xf0, 0, props(0x15, "m"))},
		{"AUTH without a body", raw("f0 00")},
		{"AUTH without a method", packet(0xf0, 0x18, only5{0})},
		{"AUTH with an unknown code", packet(0xf0, 0x42, props(0x15, "m"))},
	} {
		cases = append(cases, hostile{name: x.name, v: "345", send: x.send, want: "bye 82"},
			hostile{name: x.name + ", then a good message", v: "345", send: sequence(x.send, publish(1, 1, "a")), want: "bye 82"})
	}
	return append(cases, hostile{name: "AUTH with a bad method", v: "345", send: packet(0xf0, 0x18, props(0x15, "m\xff")), want: "bye 81"})
}
