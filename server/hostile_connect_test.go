package server

import "strings"

// connectCases are about CONNECT, the first packet of a connection.
func connectCases() []hostile {
	cases := nameCases()
	for _, more := range [][]hostile{connectFlagCases(), truncatedConnectCases(), clientIDCases(), willCases(), firstPacketCases(), pipelinedCases()} {
		cases = append(cases, more...)
	}
	return cases
}

// nameCases are protocol names and levels. The digit says in which version's
// words the broker refuses.
func nameCases() (cases []hostile) {
	for _, x := range []struct {
		title, name string
		level       int
		v, want     string
	}{
		{"MQTT level 0", "MQTT", 0, "4", "CONNACK 01, closed"},
		{"MQTT level 1", "MQTT", 1, "4", "CONNACK 01, closed"},
		{"MQTT level 3", "MQTT", 3, "4", "CONNACK 01, closed"},
		{"MQTT level 6", "MQTT", 6, "5", "CONNACK 84, closed"},
		{"MQTT level 127", "MQTT", 127, "5", "CONNACK 84, closed"},
		{"MQTT level 128", "MQTT", 128, "4", "CONNACK 01, closed"},
		{"MQTT level 132, a bridge that is not allowed", "MQTT", 132, "4", "CONNACK 01, closed"},
		{"MQTT level 133, a bridge of MQTT 5", "MQTT", 133, "5", "CONNACK 84, closed"},
		{"MQTT level 255", "MQTT", 255, "5", "CONNACK 84, closed"},
		{"MQIsdp level 0", "MQIsdp", 0, "3", "CONNACK 01, closed"},
		{"MQIsdp level 2", "MQIsdp", 2, "3", "CONNACK 01, closed"},
		{"MQIsdp level 6", "MQIsdp", 6, "3", "CONNACK 01, closed"},
		{"MQIsdp level 9", "MQIsdp", 9, "3", "CONNACK 01, closed"},
		{"MQIsdp level 131, a bridge that is not allowed", "MQIsdp", 131, "3", "CONNACK 01, closed"},
		{"MQIsdp level 133", "MQIsdp", 133, "3", "CONNACK 01, closed"},
		{"MQIsdp level 4 is taken for MQTT 3.1", "MQIsdp", 4, "3", "CONNACK 00, open"},
	} {
		cases = append(cases, hostile{name: x.title, v: x.v, want: x.want,
			send: packet(0x10, x.name, x.level, 2, u16(60), only5{0}, "id")})
	}
	for _, name := range []string{"", "M", "MQT", "mqtt", "MQTt", "MQTTX", "MQISDP", "MQIsd", "MQIsdpX", "AMQP", "MQ\x00T", "MQ\xffT", strings.Repeat("M", 1000)} {
		cases = append(cases, hostile{name: "name " + name[:min(8, len(name))], v: "345", want: "closed", send: func(v versionOf) []byte {
			return packet(0x10, name, int(v), 2, u16(60), none, "id")(v)
		}})
	}
	return cases
}

// connectFlagCases are the flags of the fixed header and of the packet.
func connectFlagCases() (cases []hostile) {
	for _, f := range []byte{1, 2, 4, 8, 15} {
		cases = append(cases, hostile{name: "fixed header with flags " + hexOf(f), v: "345", want: "refuse 81",
			send: packet(0x10|f, protocol{}, 2, u16(60), none, "id")})
	}
	add := func(name, v, want string, flags int, rest ...any) {
		cases = append(cases, hostile{name: name, v: v, want: want,
			send: packet(0x10, append([]any{protocol{}, flags, u16(60), none, "id"}, rest...)...)})
	}
	add("reserved flag", "345", "refuse 81", 0x03)
	add("all flags", "345", "refuse 81", 0xff, none, "w", "m", "user", "password")
	add("will QoS 3", "345", "refuse 81", 0x1e, none, "w", "m")
	add("will QoS 3 without a will", "345", "refuse 81", 0x1a)
	add("will QoS 1 without a will", "345", "refuse 81", 0x0a)
	add("will QoS 2 without a will", "345", "refuse 81", 0x12)
	add("will retain without a will", "345", "refuse 81", 0x22)
	add("will QoS and retain without a will", "345", "refuse 81", 0x2a)
	add("password without user name", "34", "closed", 0x42, "password")
	add("password without user name", "5", "CONNACK 00, open", 0x42, "password")
	add("password flag without user name and password", "345", "refuse 81", 0x42)
	add("user name flag without user name", "45", "refuse 81", 0x82)
	add("user name flag without user name", "3", "CONNACK 00, open", 0x82)
	add("password flag without password", "45", "refuse 81", 0xc2, "user")
	add("password flag without password", "3", "CONNACK 00, open", 0xc2, "user")
	add("both flags without fields", "45", "refuse 81", 0xc2)
	add("both flags without fields", "3", "CONNACK 00, open", 0xc2)
	add("user name without its flag", "345", "refuse 81", 0x02, "user")
	add("password without its flag", "345", "refuse 81", 0x82, "user", "password")
	add("will without its flag", "345", "refuse 81", 0x02, none, "w", "m")
	add("will flag without a will", "345", "refuse 81", 0x06)
	add("will without a message", "345", "refuse 81", 0x06, none, "w")
	add("a byte too many", "345", "refuse 81", 0x02, 0)
	add("a byte behind the password", "345", "refuse 81", 0xc2, "user", "password", 0)
	add("another CONNECT inside", "345", "refuse 81", 0x02, packet(0x10, protocol{}, 2, u16(60), none, "id")(5))
	add("half of the user name's length", "345", "refuse 81", 0x82, 0)
	add("user name beyond the packet", "345", "refuse 81", 0x82, u16(9), []byte("user"))
	add("password beyond the packet", "345", "refuse 81", 0xc2, "user", u16(0xffff), []byte("pass"))
	add("will topic beyond the packet", "345", "refuse 81", 0x06, none, u16(9), []byte("w"))
	add("will message beyond the packet", "345", "refuse 81", 0x06, none, "w", u16(9), []byte("m"))
	return cases
}

// truncatedConnectCases end a CONNECT at every place, with the Remaining
// Length that fits. Until the level is known, nobody can know in which words
// to answer.
func truncatedConnectCases() (cases []hostile) {
	whole := []any{protocol{}, 2, u16(60), none, "id"}
	for _, v := range []byte("345") {
		body := join(versionOf(v-'0'), whole)
		known := len(join(versionOf(v-'0'), whole[:1]))
		for n := range len(body) {
			want := "refuse 81"
			if n < known {
				want = "closed"
			}
			cases = append(cases, hostile{name: "ends after " + hexOf(byte(n)), v: string(v), want: want, send: packet(0x10, body[:n])})
		}
	}
	return cases
}

func clientIDCases() (cases []hostile) {
	add := func(name, v, want string, flags int, id string) {
		cases = append(cases, hostile{name: "client id " + name, v: v, want: want,
			send: packet(0x10, protocol{}, flags, u16(60), none, id)})
	}
	add("empty", "5", "CONNACK 00, open", 2, "")
	add("empty, no clean start", "5", "CONNACK 00, open", 0, "")
	add("empty", "4", "CONNACK 00, open", 2, "")
	add("empty, no clean session", "4", "CONNACK 02, closed", 0, "")
	add("empty", "3", "CONNACK 02, closed", 2, "")
	add("empty, no clean session", "3", "CONNACK 02, closed", 0, "")
	add("as long as allowed", "345", "CONNACK 00, open", 2, strings.Repeat("i", 100))
	add("too long", "5", "CONNACK 85, closed", 2, strings.Repeat("i", 101))
	add("too long", "34", "CONNACK 02, closed", 2, strings.Repeat("i", 101))
	add("too long in bytes only", "5", "CONNACK 85, closed", 2, strings.Repeat("ä", 51))
	add("as long as can be", "5", "CONNACK 85, closed", 2, strings.Repeat("i", 65535))
	add("as long as can be", "34", "CONNACK 02, closed", 2, strings.Repeat("i", 65535))
	add("with wildcards", "345", "CONNACK 00, open", 2, "a/+/#")
	add("with a byte order mark", "345", "CONNACK 00, open", 2, "\ufeffid")
	cases = append(cases,
		hostile{name: "client id beyond the packet", v: "345", want: "refuse 81",
			send: packet(0x10, protocol{}, 2, u16(60), none, u16(3), []byte("id"))},
		hostile{name: "client id far beyond the packet", v: "345", want: "refuse 81",
			send: packet(0x10, protocol{}, 2, u16(60), none, u16(0xffff), []byte("id"))},
		hostile{name: "refused client id, then a message", v: "5", want: "CONNACK 85, closed",
			send: sequence(packet(0x10, protocol{}, 2, u16(60), none, strings.Repeat("i", 101)), publish(1, 1, "a"))},
		hostile{name: "refused client id, then a message", v: "34", want: "CONNACK 02, closed",
			send: sequence(packet(0x10, protocol{}, 2, u16(60), none, strings.Repeat("i", 101)), publish(1, 1, "a"))})
	return cases
}

func willCases() (cases []hostile) {
	add := func(name, v, want, topic string) {
		cases = append(cases, hostile{name: "will topic " + name, v: v, want: want,
			send: packet(0x10, protocol{}, 6, u16(60), none, "id", none, topic, "m")})
	}
	add("empty", "345", "refuse 81", "")
	add("with #", "345", "refuse 90", "#")
	add("with + as a level", "345", "refuse 90", "a/+/b")
	add("with + in a level", "345", "refuse 90", "a+")
	add("ending in #", "345", "refuse 90", "a/#")
	add("with too many levels", "345", "refuse 90", "1/2/3/4/5/6/7/8/9/10/11")
	add("with empty levels only", "345", "refuse 90", "//////////")
	return cases
}
