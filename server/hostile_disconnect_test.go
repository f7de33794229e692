package server

import "fmt"

// disconnectCases are about DISCONNECT, PINGREQ and AUTH.
func disconnectCases() []hostile {
	cases := []hostile{
		{name: "DISCONNECT", v: "345", send: raw("e0 00"), want: "closed"},
		{name: "DISCONNECT with a body", v: "34", send: raw("e0 01 00"), want: "closed"},
		{name: "DISCONNECT of MQTT 5 in MQTT 3", v: "34", send: raw("e0 02 00 00"), want: "closed"},
		{name: "DISCONNECT with a code", v: "5", send: raw("e0 01 00"), want: "closed"},
		{name: "DISCONNECT with a code and no properties", v: "5", send: raw("e0 02 00 00"), want: "closed"},
		{name: "DISCONNECT with a byte too many", v: "5", send: raw("e0 03 00 00 00"), want: "bye 81"},
		{name: "DISCONNECT with properties beyond the packet", v: "5", send: raw("e0 02 00 05"), want: "bye 81"},
		{name: "DISCONNECT with half a property length", v: "5", send: raw("e0 02 00 80"), want: "bye 81"},
		{name: "DISCONNECT, then a message", v: "345", send: sequence(raw("e0 00"), publish(1, 1, "a")), want: "closed"},
		{name: "DISCONNECT, then garbage", v: "345", send: sequence(raw("e0 00"), raw("00 00 ff ff ff ff ff")), want: "closed"},
		{name: "DISCONNECT, then CONNECT", v: "345", send: sequence(raw("e0 00"), connected), want: "closed"},
		{name: "DISCONNECT twice", v: "345", send: raw("e0 00 e0 00"), want: "closed"},
		{name: "malformed DISCONNECT, then a good one", v: "5", send: raw("e1 00 e0 00"), want: "bye 81"},
		{name: "session expiry after none", v: "5", send: packet(0xe0, 0, props(0x11, u32(1))), want: "bye 82"},
		{name: "session expiry that never ends after none", v: "5", send: packet(0xe0, 0, props(0x11, u32(0xffffffff))), want: "bye 82"},
		{name: "session expiry 0 after none", v: "5", send: packet(0xe0, 0, props(0x11, u32(0))), want: "closed"},
		{name: "session expiry with another code after none", v: "5", send: packet(0xe0, 4, props(0x11, u32(1))), want: "bye 82"},
		{name: "session expiry ends a session", v: "5", connect: connectWith(0x11, u32(100)), send: packet(0xe0, 0, props(0x11, u32(0))), want: "closed"},
		{name: "session expiry twice", v: "5", send: packet(0xe0, 0, props(0x11, u32(0), 0x11, u32(0))), want: "bye 82"},
		{name: "two reason strings", v: "5", send: packet(0xe0, 0, props(0x1f, "a", 0x1f, "b")), want: "bye 82"},
		{name: "server reference", v: "5", send: packet(0xe0, 0, props(0x1c, "other:1883")), want: "bye 82"},
		{name: "PINGREQ with a body", v: "345", send: raw("c0 01 00"), want: "bye 81"},
		{name: "PINGREQ with an id", v: "345", send: raw("c0 02 00 01"), want: "bye 81"},
		{name: "PINGREQ with a property length", v: "5", send: raw("c0 01 00"), want: "bye 81"},
		{name: "PINGREQ with a long body", v: "345", send: packet(0xc0, make([]byte, 1000)), want: "bye 81"},
		// The client asked for no reasons: it gets the code alone, and no
		// packet that it cannot take.
		{name: "error with request problem information 0", v: "5", connect: connectWith(0x17, 0), send: raw("00 00"), want: "bye 81"},
		{name: "error with a small maximum packet size", v: "5", connect: connectWith(0x27, u32(20)), send: raw("00 00"), want: "bye 81"},
	}
	return append(cases, disconnectCodeCases()...)
}

// fromClient are the codes of a client's DISCONNECT.
const fromClient = "00 04 80 81 82 83 90 93 94 95 96 97 98 99"

// disconnectCodeCases send all codes.
func disconnectCodeCases() (cases []hostile) {
	allowed := map[byte]bool{}
	for _, c := range raw(fromClient)(5) {
		allowed[c] = true
	}
	for code := range byte(0xa5) {
		want := "bye 82"
		if allowed[code] {
			want = "closed"
		}
		cases = append(cases, hostile{name: fmt.Sprintf("DISCONNECT with code %02x", code), v: "5", send: packet(0xe0, code), want: want})
	}
	return append(cases, hostile{name: "DISCONNECT with code ff", v: "5", send: packet(0xe0, 0xff), want: "bye 82"})
}
