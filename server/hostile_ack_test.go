package server

import "fmt"

// ackCases are about PUBACK, PUBREC, PUBREL and PUBCOMP.
func ackCases() []hostile {
	cases := ackShapeCases()
	cases = append(cases, ackCodeCases()...)
	return append(cases, outgoingCases()...)
}

func ackShapeCases() (cases []hostile) {
	for _, first := range []byte{0x40, 0x50, 0x62, 0x70} {
		name := codecName(first)
		add := func(title, v, want string, send render) {
			cases = append(cases, hostile{name: name + " " + title, v: v, send: send, want: want})
		}
		add("without a body", "345", "bye 81", packet(first))
		add("with half an id", "345", "bye 81", packet(first, 1))
		add("with id 0", "345", "bye 81", packet(first, u16(0)))
		add("with id 0, a code and properties", "5", "bye 81", packet(first, u16(0), 0, 0))
		add("with a byte too many", "34", "closed", packet(first, u16(1), 0))
		add("with the fields of MQTT 5", "34", "closed", packet(first, u16(1), 0, 0))
		add("with a byte behind the properties", "5", "bye 81", packet(first, u16(1), 0, 0, 0))
		add("with much behind the properties", "5", "bye 81", packet(first, u16(1), 0, 0, make([]byte, 300)))
		add("with half a property", "5", "bye 81", packet(first, u16(1), 0, 1, 0x1f))
		add("with two reason strings", "5", "bye 82", packet(first, u16(1), 0, props(0x1f, "a", 0x1f, "b")))
	}
	return cases
}

// legalAcks are the codes of each acknowledgement. Code 10, no matching
// subscribers, makes no sense from a client, but no rule forbids it: it is a
// success [MQTT-3.4.2-1] [MQTT-4.3.3-4].
var legalAcks = map[byte][]byte{
	0x40: {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
	0x50: {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
	0x62: {0x00, 0x92},
	0x70: {0x00, 0x92},
}

// ackCodeCases send every code that there is and some that are not.
func ackCodeCases() (cases []hostile) {
	answers := map[byte]string{0x40: "open", 0x50: "PUBREL 1 92, open", 0x62: "PUBCOMP 1 92, open", 0x70: "open"}
	codes := []byte{0x00, 0x01, 0x02, 0x03, 0x04, 0x10, 0x11, 0x18, 0x19, 0x7f, 0xa3, 0xff}
	for c := byte(0x80); c <= 0xa2; c++ {
		codes = append(codes, c)
	}
	for first, legal := range legalAcks {
		for _, code := range codes {
			want := "bye 82"
			for _, c := range legal {
				if c == code {
					want = answers[first]
				}
			}
			cases = append(cases, hostile{name: fmt.Sprintf("%s with code %02x", codecName(first), code), v: "5",
				send: packet(first, u16(1), code), want: want})
		}
	}
	return cases
}

// outgoingCases acknowledge what the broker has sent, or has not, in the wrong
// way. The client subscribes and publishes to itself: the broker's first
// packet id is 1, as is the client's.
func outgoingCases() []hostile {
	one := sequence(subscribe(9, "own", 1), publish(1, 7, "own"))
	two := sequence(subscribe(9, "own", 2), publish(2, 7, "own"))
	got1, got2 := "SUBACK 9 01, PUBLISH own payload, PUBACK 7, ", "SUBACK 9 02, PUBLISH own payload, PUBREC 7, "
	puback, pubrec, pubcomp := raw("40 02 00 01"), raw("50 02 00 01"), raw("70 02 00 01")
	add := func(name, v string, before render, want string, more ...render) hostile {
		return hostile{name: name, v: v, send: sequence(append([]render{before}, more...)...), want: want, routed: 1}
	}
	nothing := publish(0, 0, "a")
	return []hostile{
		add("PUBACK for nothing", "345", nothing, "open", puback),
		add("PUBACK for nothing, again and again", "345", nothing, "open", puback, puback, puback),
		add("PUBREC for nothing", "5", nothing, "PUBREL 1 92, open", pubrec),
		add("PUBREC for nothing", "34", nothing, "PUBREL 1, open", pubrec),
		add("PUBREC for nothing that refuses", "5", nothing, "PUBREL 1 92, open", raw("50 03 00 01 80")),
		add("PUBREL for nothing", "5", nothing, "PUBCOMP 1 92, open", raw("62 02 00 01")),
		add("PUBREL for nothing", "34", nothing, "PUBCOMP 1, open", raw("62 02 00 01")),
		add("PUBCOMP for nothing", "345", nothing, "open", pubcomp),
		add("PUBACK with the highest id", "345", nothing, "open", raw("40 02 ff ff")),
		add("PUBACK with the client's own id", "345", one, got1+"open", raw("40 02 00 07")),
		add("PUBACK twice", "345", one, got1+"open", puback, puback),
		add("PUBACK with an error", "5", one, got1+"open", raw("40 03 00 01 80")),
		add("PUBREC for QoS 1", "5", one, got1+"PUBREL 1 92, open", pubrec),
		add("PUBREC for QoS 1", "34", one, got1+"PUBREL 1, open", pubrec),
		add("PUBREC for QoS 1, then PUBACK", "5", one, got1+"PUBREL 1 92, open", pubrec, puback),
		add("PUBCOMP for QoS 1", "345", one, got1+"open", pubcomp),
		add("PUBREL for what the broker sent", "5", one, got1+"PUBCOMP 1 92, open", raw("62 02 00 01")),
		add("PUBACK for QoS 2", "345", two, got2+"open", puback),
		add("PUBCOMP before PUBREC", "345", two, got2+"open", pubcomp),
		add("PUBCOMP before PUBREC, then in order", "345", two, got2+"PUBREL 1, open", pubcomp, pubrec, pubcomp),
		add("PUBREC twice", "345", two, got2+"PUBREL 1, PUBREL 1, open", pubrec, pubrec),
		add("PUBREC with an error ends it", "5", two, got2+"PUBREL 1 92, open", raw("50 03 00 01 80"), pubrec),
		add("PUBCOMP twice", "345", two, got2+"PUBREL 1, open", pubrec, pubcomp, pubcomp),
		add("PUBREC after PUBCOMP", "5", two, got2+"PUBREL 1, PUBREL 1 92, open", pubrec, pubcomp, pubrec),
		add("PUBCOMP that does not know the id", "5", two, got2+"PUBREL 1, open", pubrec, raw("70 03 00 01 92")),
		add("a code that PUBACK does not have, for a message", "5", one, got1+"bye 82", raw("40 03 00 01 92")),
		add("malformed PUBACK for a message", "345", one, got1+"bye 81", raw("40 01 00")),
	}
}
