package server

import (
	"strings"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/config"
)

// smallLimits are the settings for limitCases.
func smallLimits(c *config.Config) {
	c.MaxMessageSize, c.MaxSubscriptionsPerClient, c.MaxClientIDSize, c.TopicMaxDepth = 200, 3, 23, 3
	c.TopicAliasMaxClient, c.ReceiveMaxBroker = 0, 1
}

// limitCases go to the limits of the configuration and beyond. The limit of
// 200 bytes is for what follows the fixed header.
func limitCases() []hostile {
	large := func(n int) render { // PUBLISH of n bytes
		return func(v codec.Version) []byte { return packet(0x30, fill("a", none, n)(v))(v) }
	}
	four := packet(0x82, u16(1), none, "a", 0, "b", 1, "c", 2, "d", 0)
	return []hostile{
		{name: "message as large as allowed", v: "345", send: large(200), want: "open", routed: 1},
		{name: "message one byte too large", v: "345", send: large(201), want: "bye 95"},
		{name: "message much too large", v: "345", send: large(100000), want: "bye 95"},
		{name: "only the length of a large message", v: "345", send: raw("30 c9 01"), want: "bye 95"},
		{name: "only the length of the largest message", v: "345", send: raw("30 ff ff ff 7f"), want: "bye 95"},
		{name: "only the length of a large QoS 3 message", v: "345", send: raw("36 c9 01"), want: "bye 95"},
		{name: "large SUBSCRIBE", v: "345", send: packet(0x82, u16(1), none, strings.Repeat("a", 200), 0), want: "bye 95"},
		{name: "large UNSUBSCRIBE", v: "345", send: packet(0xa2, u16(1), none, strings.Repeat("a", 200)), want: "bye 95"},
		{name: "large PUBACK", v: "5", send: packet(0x40, u16(1), 0, props(0x1f, strings.Repeat("a", 200))), want: "bye 95"},
		{name: "large PINGREQ", v: "345", send: packet(0xc0, make([]byte, 201)), want: "bye 95"},
		{name: "large DISCONNECT", v: "5", send: packet(0xe0, 0, props(0x1f, strings.Repeat("a", 200))), want: "bye 95"},
		{name: "large second CONNECT", v: "345", send: packet(0x10, make([]byte, 201)), want: "bye 95"},
		{name: "large type 0", v: "345", send: packet(0, make([]byte, 201)), want: "bye 81"},
		{name: "large message with a will", v: "345", connect: withWill(), send: large(201), want: "bye 95", routed: 1},
		{name: "good message, then a large one", v: "345", send: sequence(large(200), large(201)), want: "bye 95", routed: 1},
		{name: "large message, then a good one", v: "345", send: sequence(large(201), large(200)), want: "bye 95"},
		{name: "many messages, each small enough", v: "345", send: sequence(large(150), large(150), large(150), large(150)), want: "open", routed: 4},
		{name: "one subscription too many", v: "34", send: four, want: "SUBACK 1 00 01 02 80, open"},
		{name: "one subscription too many", v: "5", send: four, want: "SUBACK 1 00 01 02 97, open"},
		{name: "the same subscription at the limit", v: "34", send: sequence(four, subscribe(2, "a", 1)), want: "SUBACK 1 00 01 02 80, SUBACK 2 01, open"},
		{name: "the same subscription at the limit", v: "5", send: sequence(four, subscribe(2, "a", 1)), want: "SUBACK 1 00 01 02 97, SUBACK 2 01, open"},
		{name: "shared subscription at the limit", v: "5", send: sequence(four, subscribe(2, "$share/g/a", 1)), want: "SUBACK 1 00 01 02 97, SUBACK 2 97, open"},
		{name: "one subscription given up", v: "5", send: sequence(four, packet(0xa2, u16(2), none, "b"), subscribe(3, "d", 1), subscribe(4, "e", 0)),
			want: "SUBACK 1 00 01 02 97, UNSUBACK 2 00, SUBACK 3 01, SUBACK 4 97, open"},
		{name: "unsubscribe from the one that was refused", v: "5", send: sequence(four, packet(0xa2, u16(2), none, "d")),
			want: "SUBACK 1 00 01 02 97, UNSUBACK 2 11, open"},
		{name: "three levels", v: "345", send: publish(1, 1, "a/b/c"), want: "PUBACK 1, open", routed: 1},
		{name: "four levels", v: "345", send: publish(1, 1, "a/b/c/"), want: "bye 90"},
		{name: "filter of four levels", v: "345", send: subscribe(1, "a/b/c/#", 0), want: "bye 8f"},
		{name: "shared filter of three levels with its group", v: "345", send: subscribe(1, "$share/g/a", 0), want: "SUBACK 1 00, open"},
		{name: "shared filter of four levels with its group", v: "345", send: subscribe(1, "$share/g/a/b", 0), want: "bye 8f"},
		{name: "alias where there are none", v: "5", send: message("a", 0x23, u16(1)), want: "bye 94"},
		{name: "alias without a topic where there are none", v: "5", send: message("", 0x23, u16(1)), want: "bye 94"},
		{name: "second unreleased message", v: "5", send: sequence(publish(2, 1, "a"), publish(2, 2, "a")), want: "PUBREC 1, bye 93", routed: 1},
		{name: "second message, the first was not for others", v: "5", send: sequence(publish(2, 1, "$a"), publish(2, 2, "a")),
			want: "PUBREC 1 87, PUBREC 2, open", routed: 1},
	}
}

// fill gives the body of a PUBLISH with n bytes.
func fill(topic string, properties only5, n int) render {
	return func(v codec.Version) []byte {
		head := join(v, []any{topic, properties})
		return append(head, make([]byte, n-len(head))...)
	}
}

func connectLimitCases() []hostile {
	id := func(n int) render { return packet(0x10, protocol{}, 2, u16(60), none, strings.Repeat("i", n)) }
	return []hostile{
		{name: "client id at the limit", v: "345", send: id(23), want: "CONNACK 00, open"},
		{name: "client id above the limit", v: "5", send: id(24), want: "CONNACK 85, closed"},
		{name: "client id above the limit", v: "34", send: id(24), want: "CONNACK 02, closed"},
		{name: "generated client id, longer than the limit", v: "45", send: id(0), want: "CONNACK 00, open"},
		{name: "CONNECT above the limit", v: "34", send: id(200), want: "closed"},
		{name: "CONNECT above the limit", v: "5", send: id(200), want: "CONNACK 95, closed"},
		{name: "will topic with four levels", v: "345", want: "refuse 90",
			send: packet(0x10, protocol{}, 6, u16(60), none, "id", none, "a/b/c/d", "m")},
	}
}

// newestOnly opens a listener for MQTT 5 alone, strangersOut one for nobody.
func newestOnly(c *config.Config) {
	c.Listeners = append(c.Listeners, c.Listeners[0])
	c.Listeners[1].AllowedVersions = []byte{5}
}
func strangersOut(c *config.Config) {
	c.Listeners = append(c.Listeners, c.Listeners[0])
	c.Listeners[1].AllowAnonymous = false
}

func newestOnlyCases() []hostile {
	return []hostile{
		{name: "version that is not allowed", v: "34", send: connected, want: "CONNACK 01, closed"},
		{name: "version that is allowed", v: "5", send: connected, want: "CONNACK 00, open"},
		{name: "MQIsdp with the level that is allowed", v: "3", send: packet(0x10, "MQIsdp", 5, 2, u16(60), "id"), want: "CONNACK 00, open"},
		{name: "malformed, in a version that is not allowed", v: "34", send: packet(0x10, protocol{}, 3, u16(60), "id"), want: "closed"},
	}
}

func strangersOutCases() []hostile {
	user := packet(0x10, protocol{}, 0xc2, u16(60), none, "id", "user", "password")
	return []hostile{
		{name: "stranger", v: "34", send: connected, want: "CONNACK 05, closed"},
		{name: "stranger", v: "5", send: connected, want: "CONNACK 86, closed"},
		{name: "stranger with a password", v: "34", send: user, want: "CONNACK 05, closed"},
		{name: "stranger with a password", v: "5", send: user, want: "CONNACK 86, closed"},
		{name: "stranger who does not wait", v: "5", send: sequence(connected, subscribe(1, "#", 0), publish(1, 1, "a")), want: "CONNACK 86, closed"},
		{name: "stranger who authenticates later", v: "5", send: sequence(connected, packet(0xf0, 0x18, props(0x15, "m"))), want: "CONNACK 86, closed"},
		{name: "stranger without a name", v: "4", send: packet(0x10, protocol{}, 2, u16(60), none, ""), want: "CONNACK 05, closed"},
		{name: "malformed stranger", v: "345", send: packet(0x10, protocol{}, 3, u16(60), none, "id"), want: "refuse 81"},
	}
}

// TestSilence lets clients fall silent at bad moments: each is closed when its
// time is over.
func TestSilence(t *testing.T) {
	t.Parallel()
	cfg := hostileConfig(&theme{})
	cfg.ConnectTimeout = 300 * time.Millisecond
	b := startBroker(t, cfg)
	idle := packet(0x10, protocol{}, 2, u16(1), none, "") // keep alive 1 s
	cases := []struct {
		name string
		send render
		want string
		peer *peer
	}{
		{name: "before CONNECT", send: raw(""), want: "closed"},
		{name: "after one byte", send: raw("10"), want: "closed"},
		{name: "within CONNECT", send: raw("10 20 00 04 4d 51"), want: "closed"},
		{name: "before the keep alive", send: idle, want: "CONNACK 00, DISCONNECT 8d, closed"},
		{name: "within a length", send: sequence(idle, raw("30 ff")), want: "CONNACK 00, DISCONNECT 8d, closed"},
		{name: "within a message", send: sequence(idle, raw("30 ff ff ff 7f 00 01 61 00")), want: "CONNACK 00, DISCONNECT 8d, closed"},
		{name: "within QoS 2", send: sequence(idle, publish(2, 1, "a")), want: "CONNACK 00, PUBREC 1, DISCONNECT 8d, closed"},
	}
	for i := range cases { // all at once: they take seconds
		p := &peer{t: t}
		p.open(b)
		p.send(cases[i].send(codec.V5))
		cases[i].peer = p
	}
	for _, x := range cases {
		if got := answers(x.peer, codec.V5); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
		x.peer.conn.Close()
	}
	awaitEmpty(t, b)
}
