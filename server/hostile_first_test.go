package server

import (
	"fmt"

	"vernemq/codec"
)

type versionOf = codec.Version

func hexOf(b byte) string { return fmt.Sprintf("%02x", b) }

// connected is a CONNECT in order, as the first of several packets.
var connected = packet(0x10, protocol{}, 2, u16(60), none, "id")

// firstPacketCases begin a connection with something else than CONNECT.
func firstPacketCases() []hostile {
	cases := []hostile{
		{name: "first is a message", v: "345", send: publish(1, 1, "a"), want: "closed"},
		{name: "first is a message of QoS 0", v: "345", send: publish(0, 0, "a"), want: "closed"},
		{name: "first is PUBREL", v: "345", send: raw("62 02 00 01"), want: "closed"},
		{name: "first is SUBSCRIBE", v: "345", send: subscribe(1, "#", 0), want: "closed"},
		{name: "first is UNSUBSCRIBE", v: "345", send: packet(0xa2, u16(1), none, "a"), want: "closed"},
		{name: "first is DISCONNECT", v: "345", send: raw("e0 00"), want: "closed"},
		{name: "first is AUTH", v: "5", send: packet(0xf0, 0x18, props(0x15, "m")), want: "closed"},
		{name: "first is an AUTH without a method", v: "5", send: raw("f0 00"), want: "closed"},
		{name: "message, then CONNECT", v: "345", send: sequence(publish(0, 0, "a"), connected), want: "closed"},
		{name: "ping, then CONNECT", v: "345", send: sequence(ping, connected), want: "closed"},
		{name: "HTTP", v: "4", send: text("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), want: "closed"},
		{name: "HTTP upgrade", v: "4", send: text("POST /mqtt HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"), want: "closed"},
		{name: "TLS", v: "4", send: raw("16 03 01 00 05 01 00 00 01 03"), want: "closed"},
		{name: "SSH", v: "4", send: text("SSH-2.0-OpenSSH_9.9\r\n"), want: "closed"},
		{name: "PROXY protocol", v: "4", send: text("PROXY TCP4 10.0.0.1 10.0.0.2 1000 1883\r\n"), want: "closed"},
		{name: "PROXY protocol 2", v: "4", send: raw("0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a"), want: "closed"},
		{name: "a line feed", v: "4", send: text("\n"), want: "closed"},
		{name: "CONNECT without a body", v: "4", send: raw("10 00"), want: "closed"},
		{name: "CONNECT whose length has five bytes", v: "4", send: raw("10 80 80 80 80 01"), want: "closed"},
		{name: "CONNECT whose length never ends", v: "4", send: raw("10 ff ff ff ff ff ff"), want: "closed"},
		{name: "CONNECT whose length is not minimal", v: "4", send: raw("10 8e 00 00 04 4d 51 54 54 04 02 00 3c 00 02 69 64"), want: "closed"},
		{name: "CONNECT of more than a megabyte", v: "34", send: raw("10 81 80 40 00 04 4d 51 54 54 04"), want: "closed"},
		{name: "CONNECT of more than a megabyte", v: "5", send: raw("10 81 80 40 00 04 4d 51 54 54 05"), want: "CONNACK 95, closed"},
		{name: "CONNECT of 256 megabytes", v: "34", send: raw("10 ff ff ff 7f 00 06 4d"), want: "closed"},
		{name: "CONNECT of 256 megabytes", v: "5", send: raw("10 ff ff ff 7f 00 04 4d 51 54 54 05"), want: "CONNACK 95, closed"},
		{name: "length of a CONNECT of 256 megabytes, then the end", v: "345", send: raw("10 ff ff ff 7f"), hangUp: true, want: "closed"},
		{name: "CONNECT type only, then the end", v: "345", send: raw("10"), hangUp: true, want: "closed"},
		{name: "half a CONNECT, then the end", v: "345", send: raw("10 0e 00 04 4d 51"), hangUp: true, want: "closed"},
		{name: "nothing, then the end", v: "345", send: raw(""), hangUp: true, want: "closed"},
	}
	for kind := range byte(16) {
		if kind == byte(codec.CONNECT) {
			continue
		}
		cases = append(cases, hostile{name: "first is a short packet of type " + codec.Type(kind).String(), v: "4",
			send: packet(kind << 4), want: "closed"})
	}
	return cases
}

// pipelinedCases send more with the CONNECT, before any answer.
func pipelinedCases() (cases []hostile) {
	add := func(name, want3, want5 string, routed int, more ...render) {
		send := sequence(append([]render{connected}, more...)...)
		cases = append(cases, hostile{name: "CONNECT and " + name, v: "34", send: send, want: want3, routed: routed},
			hostile{name: "CONNECT and " + name, v: "5", send: send, want: want5, routed: routed})
	}
	add("type 0", "CONNACK 00, closed", "CONNACK 00, DISCONNECT 81, closed", 0, raw("00 00"))
	add("HTTP", "CONNACK 00, closed", "CONNACK 00, DISCONNECT 81, closed", 0, text("\r\n\r\nGET /"))
	add("CONNECT", "CONNACK 00, closed", "CONNACK 00, DISCONNECT 82, closed", 0, connected)
	add("a malformed CONNECT", "CONNACK 00, closed", "CONNACK 00, DISCONNECT 82, closed", 0, raw("10 00"))
	add("a CONNECT of another version", "CONNACK 00, closed", "CONNACK 00, DISCONNECT 82, closed", 0,
		packet(0x10, "MQTT", 6, 2, u16(60), "other"))
	add("CONNACK", "CONNACK 00, closed", "CONNACK 00, DISCONNECT 82, closed", 0, packet(0x20, 0, 0, none))
	add("AUTH", "CONNACK 00, closed", "CONNACK 00, DISCONNECT 82, closed", 0, packet(0xf0, 0x18, props(0x15, "m")))
	add("a message", "CONNACK 00, PUBACK 1, open", "CONNACK 00, PUBACK 1, open", 1, publish(1, 1, "a"))
	add("a bad message", "CONNACK 00, closed", "CONNACK 00, DISCONNECT 90, closed", 0, publish(1, 1, "a/#"))
	add("DISCONNECT", "CONNACK 00, closed", "CONNACK 00, closed", 0, raw("e0 00"))
	add("DISCONNECT and a message", "CONNACK 00, closed", "CONNACK 00, closed", 0, raw("e0 00"), publish(1, 1, "a"))
	add("ping and garbage", "CONNACK 00, open", "CONNACK 00, open", 0, ping, raw("00 00"))
	return cases
}

// codecName is the name of a packet by its first byte.
func codecName(first byte) string { return codec.Type(first >> 4).String() }
