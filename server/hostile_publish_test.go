package server

import "strings"

// publishCases are about PUBLISH. The broker takes 5 topic aliases and 3
// unreleased messages of QoS 2 from a client.
func publishCases() []hostile {
	cases := topicCases()
	cases = append(cases, publishShapeCases()...)
	cases = append(cases, publishPropertyCases()...)
	return append(cases, exactlyOnceCases()...)
}

func topicCases() (cases []hostile) {
	add := func(name, topic, want string) {
		cases = append(cases, hostile{name: "topic " + name, v: "345", send: publish(1, 1, topic), want: want},
			hostile{name: "topic " + name + ", QoS 0", v: "345", send: publish(0, 0, topic), want: want})
	}
	add("#", "#", "bye 90")
	add("+", "+", "bye 90")
	add("a/#", "a/#", "bye 90")
	add("a/+/b", "a/+/b", "bye 90")
	add("a+", "a+", "bye 90")
	add("#a", "#a", "bye 90")
	add("with a wildcard far behind", strings.Repeat("a", 2000)+"+", "bye 90")
	add("$share/g/#", "$share/g/#", "bye 90")
	add("with 11 levels", "1/2/3/4/5/6/7/8/9/10/11", "bye 90")
	add("of 10 slashes", "//////////", "bye 90")
	add("of 65535 slashes", strings.Repeat("/", 65535), "bye 90")
	cases = append(cases,
		hostile{name: "empty topic", v: "34", send: publish(1, 1, ""), want: "closed"},
		hostile{name: "empty topic", v: "5", send: publish(1, 1, ""), want: "bye 82"},
		hostile{name: "empty topic, QoS 0", v: "34", send: publish(0, 0, ""), want: "closed"},
		hostile{name: "empty topic, QoS 0", v: "5", send: publish(0, 0, ""), want: "bye 82"},
		hostile{name: "topic of 10 levels", v: "345", send: publish(1, 1, "1/2/3/4/5/6/7/8/9/10"), want: "PUBACK 1, open", routed: 1},
		hostile{name: "topic as long as can be", v: "345", send: publish(1, 1, strings.Repeat("a", 65535)), want: "PUBACK 1, open", routed: 1},
		// Topics with $ are the broker's own: answered, not routed.
		hostile{name: "$SYS", v: "34", send: publish(1, 1, "$SYS/a"), want: "PUBACK 1, open"},
		hostile{name: "$SYS", v: "5", send: publish(1, 1, "$SYS/a"), want: "PUBACK 1 87, open"},
		hostile{name: "$SYS, QoS 0", v: "345", send: publish(0, 0, "$SYS/a"), want: "open"},
		hostile{name: "$SYS, QoS 2", v: "34", send: sequence(publish(2, 1, "$SYS/a"), raw("62 02 00 01")), want: "PUBREC 1, PUBCOMP 1, open"},
		hostile{name: "$SYS, QoS 2", v: "5", send: sequence(publish(2, 1, "$SYS/a"), raw("62 02 00 01")), want: "PUBREC 1 87, PUBCOMP 1 92, open"},
		hostile{name: "$SYS, retained", v: "34", send: packet(0x33, "$SYS/a", u16(1), none, []byte("x")), want: "PUBACK 1, open"},
		hostile{name: "topic that looks like a shared filter", v: "34", send: publish(1, 1, "$share/g/a"), want: "PUBACK 1, open"},
		hostile{name: "topic that looks like a shared filter", v: "5", send: publish(1, 1, "$share/g/a"), want: "PUBACK 1 87, open"},
	)
	return cases
}

// publishShapeCases are about flags, identifier and lengths.
func publishShapeCases() []hostile {
	return []hostile{
		{name: "QoS 3", v: "345", send: packet(0x36, "a", u16(1), none), want: "bye 81"},
		{name: "QoS 3, DUP", v: "345", send: packet(0x3e, "a", u16(1), none), want: "bye 81"},
		{name: "QoS 3, RETAIN", v: "345", send: packet(0x37, "a", u16(1), none), want: "bye 81"},
		{name: "QoS 3 without a body", v: "345", send: raw("36 00"), want: "bye 81"},
		// As VerneMQ does, DUP is of no interest at QoS 0.
		{name: "DUP with QoS 0", v: "345", send: packet(0x38, "a", none, []byte("x")), want: "open", routed: 1},
		{name: "DUP at the first sending", v: "345", send: packet(0x3a, "a", u16(1), none), want: "PUBACK 1, open", routed: 1},
		{name: "packet id 0", v: "345", send: publish(1, 0, "a"), want: "bye 81"},
		{name: "packet id 0, QoS 2", v: "345", send: publish(2, 0, "a"), want: "bye 81"},
		{name: "packet id 0, DUP", v: "345", send: packet(0x3a, "a", u16(0), none), want: "bye 81"},
		{name: "no body", v: "345", send: raw("30 00"), want: "bye 81"},
		{name: "half a topic length", v: "345", send: raw("30 01 00"), want: "bye 81"},
		{name: "topic length only", v: "345", send: raw("30 02 00 01"), want: "bye 81"},
		{name: "topic beyond the packet", v: "345", send: raw("30 04 00 03 61 62"), want: "bye 81"},
		{name: "topic far beyond the packet", v: "345", send: raw("30 04 ff ff 61 62"), want: "bye 81"},
		{name: "topic beyond the packet, then good bytes", v: "345", send: sequence(raw("30 04 00 03 61 62"), publish(0, 0, "a")), want: "bye 81"},
		{name: "no packet id", v: "345", send: packet(0x32, "a"), want: "bye 81"},
		{name: "half a packet id", v: "345", send: packet(0x32, "a", 1), want: "bye 81"},
		{name: "half a packet id, QoS 2", v: "345", send: packet(0x34, "a", 1), want: "bye 81"},
		{name: "no properties", v: "5", send: packet(0x30, "a"), want: "bye 81"},
		{name: "no properties, QoS 1", v: "5", send: packet(0x32, "a", u16(1)), want: "bye 81"},
		{name: "packet id with QoS 0, which is payload", v: "34", send: packet(0x30, "a", u16(1)), want: "open", routed: 1},
		{name: "packet id with QoS 0, which is properties", v: "5", send: packet(0x30, "a", u16(0x0101), none), want: "bye 81"},
		{name: "good message, then QoS 3", v: "34", send: sequence(publish(1, 1, "a"), packet(0x36, "a", u16(2), none)), want: "PUBACK 1, closed", routed: 1},
		{name: "good message, then QoS 3", v: "5", send: sequence(publish(1, 1, "a"), packet(0x36, "a", u16(2), none)), want: "PUBACK 1, bye 81", routed: 1},
		{name: "QoS 3, then a good message", v: "345", send: sequence(packet(0x36, "a", u16(2), none), publish(1, 1, "a")), want: "bye 81"},
		{name: "bad message that would be retained", v: "345", send: packet(0x33, "a/#", u16(1), none, []byte("x")), want: "bye 90"},
		{name: "retained message without a payload", v: "345", send: packet(0x33, "nothing", u16(1), none), want: "PUBACK 1, open", routed: 1},
	}
}

// message is a PUBLISH of QoS 1 with properties.
func message(topic string, parts ...any) render {
	return packet(0x32, topic, u16(1), props(parts...), []byte("payload"))
}

func publishPropertyCases() []hostile {
	return []hostile{
		{name: "payload format 2", v: "5", send: message("a", 0x01, 2), want: "bye 82"},
		{name: "payload format 255", v: "5", send: message("a", 0x01, 255), want: "bye 82"},
		{name: "payload that is not what the format says", v: "5", send: packet(0x30, "a", props(0x01, 1), []byte{0xff}), want: "open", routed: 1},
		{name: "response topic #", v: "5", send: message("a", 0x08, "#"), want: "bye 82"},
		{name: "response topic with +", v: "5", send: message("a", 0x08, "a/+"), want: "bye 82"},
		{name: "subscription identifier", v: "5", send: message("a", 0x0b, 1), want: "bye 82"},
		{name: "two subscription identifiers", v: "5", send: message("a", 0x0b, 1, 0x0b, 2), want: "bye 82"},
		{name: "subscription identifier 0", v: "5", send: message("a", 0x0b, 0), want: "bye 82"},
		{name: "subscription identifier that is not minimal", v: "5", send: message("a", 0x0b, 0x81, 0), want: "bye 81"},
		{name: "subscription identifier of five bytes", v: "5", send: message("a", 0x0b, 0x80, 0x80, 0x80, 0x80, 1), want: "bye 81"},
		{name: "alias 0", v: "5", send: message("a", 0x23, u16(0)), want: "bye 94"},
		{name: "alias 0 without a topic", v: "5", send: message("", 0x23, u16(0)), want: "bye 94"},
		{name: "alias above the maximum", v: "5", send: message("a", 0x23, u16(6)), want: "bye 94"},
		{name: "alias far above the maximum", v: "5", send: message("a", 0x23, u16(65535)), want: "bye 94"},
		{name: "alias above the maximum without a topic", v: "5", send: message("", 0x23, u16(6)), want: "bye 94"},
		{name: "alias that was never set", v: "5", send: message("", 0x23, u16(1)), want: "bye 82"},
		{name: "another alias than the one that was set", v: "5", want: "PUBACK 1, bye 82", routed: 1,
			send: sequence(message("a", 0x23, u16(1)), message("", 0x23, u16(2)))},
		{name: "alias at the maximum", v: "5", want: "PUBACK 1, PUBACK 1, open", routed: 2,
			send: sequence(message("a", 0x23, u16(5)), message("", 0x23, u16(5)))},
		{name: "alias for a wildcard", v: "5", send: message("a/#", 0x23, u16(1)), want: "bye 90"},
		{name: "alias for a topic of the broker", v: "5", want: "PUBACK 1 87, PUBACK 1 87, open",
			send: sequence(message("$SYS/a", 0x23, u16(1)), message("", 0x23, u16(1)))},
		{name: "alias for a topic that is too deep", v: "5", send: message("1/2/3/4/5/6/7/8/9/10/11", 0x23, u16(1)), want: "bye 90"},
		{name: "empty topic with other properties", v: "5", send: message("", 0x26, "name", "value"), want: "bye 82"},
		{name: "message that expires at once", v: "5", send: message("expires", 0x02, u32(0)), want: "PUBACK 1, open"},
	}
}

// exactlyOnceCases break the rules of QoS 2.
func exactlyOnceCases() []hostile {
	three := sequence(publish(2, 1, "a"), publish(2, 2, "a"), publish(2, 3, "a"))
	release := raw("62 02 00 01")
	return []hostile{
		{name: "more than the receive maximum", v: "5", send: sequence(three, publish(2, 4, "a")),
			want: "PUBREC 1, PUBREC 2, PUBREC 3, bye 93", routed: 3},
		{name: "MQTT 3 has no receive maximum", v: "34", send: sequence(three, publish(2, 4, "a")),
			want: "PUBREC 1, PUBREC 2, PUBREC 3, PUBREC 4, open", routed: 4},
		{name: "a repeat at the receive maximum", v: "345", send: sequence(three, publish(2, 3, "a")),
			want: "PUBREC 1, PUBREC 2, PUBREC 3, PUBREC 3, open", routed: 3},
		{name: "a release makes room", v: "345", send: sequence(three, release, publish(2, 4, "a")),
			want: "PUBREC 1, PUBREC 2, PUBREC 3, PUBCOMP 1, PUBREC 4, open", routed: 4},
		{name: "QoS 1 at the receive maximum", v: "345", send: sequence(three, publish(1, 4, "a")),
			want: "PUBREC 1, PUBREC 2, PUBREC 3, PUBACK 4, open", routed: 4},
		{name: "another message under the same id", v: "345", send: sequence(publish(2, 1, "a"), publish(2, 1, "b"), release, publish(2, 1, "c")),
			want: "PUBREC 1, PUBREC 1, PUBCOMP 1, PUBREC 1, open", routed: 2},
		{name: "released twice", v: "5", send: sequence(publish(2, 1, "a"), release, release), want: "PUBREC 1, PUBCOMP 1, PUBCOMP 1 92, open", routed: 1},
		{name: "released twice", v: "34", send: sequence(publish(2, 1, "a"), release, release), want: "PUBREC 1, PUBCOMP 1, PUBCOMP 1, open", routed: 1},
	}
}
