package server

import (
	"fmt"
	"testing"

	"vernemq/codec"
)

// withWill is a CONNECT with a will, and with properties in MQTT 5.
func withWill(parts ...any) render {
	return packet(0x10, protocol{}, 6, u16(60), props(parts...), "with-will", none, "will", "gone")
}

// sequenceCases are packets that are good, but not in this place, and what
// else happens when a connection ends for a reason.
func sequenceCases() []hostile {
	own := sequence(subscribe(1, "own", 1), publish(1, 1, "own"))
	return append(willSequences(), []hostile{
		{name: "second CONNECT", v: "345", send: connected, want: "bye 82"},
		{name: "second CONNECT of the same client", v: "345", connect: connected, send: connected, want: "bye 82"},
		{name: "second CONNECT, malformed", v: "345", send: raw("10 00"), want: "bye 82"},
		{name: "second CONNECT of MQTT 3.1", v: "45", send: packet(0x10, "MQIsdp", 3, 2, u16(60), "id"), want: "bye 82"},
		{name: "second CONNECT of MQTT 5", v: "34", send: packet(0x10, "MQTT", 5, 2, u16(60), 0, "id"), want: "closed"},
		{name: "second CONNECT, then a message", v: "345", send: sequence(connected, publish(1, 1, "a")), want: "bye 82"},
		{name: "second CONNECT after a message", v: "34", send: sequence(publish(1, 1, "a"), connected), want: "PUBACK 1, closed", routed: 1},
		{name: "second CONNECT after a message", v: "5", send: sequence(publish(1, 1, "a"), connected), want: "PUBACK 1, bye 82", routed: 1},
		{name: "AUTH after a message", v: "5", send: sequence(publish(1, 1, "a"), packet(0xf0, 0x19, props(0x15, "m"))),
			want: "PUBACK 1, bye 82", routed: 1},
		{name: "error with a message under way to the client", v: "5", send: sequence(own, raw("00 00")), routed: 1,
			want: "SUBACK 1 01, PUBLISH own payload, PUBACK 1, bye 81"},
		{name: "error with a message under way to the client", v: "34", send: sequence(own, raw("00 00")), routed: 1,
			want: "SUBACK 1 01, PUBLISH own payload, PUBACK 1, closed"},
		{name: "the client's receive maximum holds back", v: "5", connect: connectWith(0x21, u16(1)), routed: 2,
			send: sequence(own, publish(1, 2, "own")), want: "SUBACK 1 01, PUBLISH own payload, PUBACK 1, PUBACK 2, open"},
		{name: "acknowledgement of what is held back", v: "5", connect: connectWith(0x21, u16(1)), routed: 2,
			send: sequence(own, publish(1, 2, "own"), raw("40 02 00 02")), want: "SUBACK 1 01, PUBLISH own payload, PUBACK 1, PUBACK 2, open"},
		{name: "messages that are too large for the client", v: "5", connect: connectWith(0x27, u32(20)), routed: 1,
			send: sequence(subscribe(1, "a-long-topic", 1), publish(1, 1, "a-long-topic")), want: "SUBACK 1 01, PUBACK 1, open"},
		{name: "SUBACK as large as the client takes", v: "5", connect: connectWith(0x27, u32(11)), send: filters(0x82, 6, 0), want: "SUBACK 1 00 00 00 00 00 00, open"},
		{name: "SUBACK that the client cannot take", v: "5", connect: connectWith(0x27, u32(11)), send: filters(0x82, 7, 0), want: "bye 95"},
		{name: "UNSUBACK that the client cannot take", v: "5", connect: connectWith(0x27, u32(11)), send: filters(0xa2, 7), want: "bye 95"},
		{name: "packet id in use by QoS 2, for QoS 1", v: "345", routed: 2, // 0x91 only if it is seen
			send: sequence(publish(2, 1, "a"), publish(1, 1, "b")), want: "PUBREC 1, PUBACK 1, open"},
		{name: "packet id in use by QoS 2, for SUBSCRIBE", v: "345", routed: 1,
			send: sequence(publish(2, 1, "a"), subscribe(1, "b", 0)), want: "PUBREC 1, SUBACK 1 00, open"},
		{name: "no local", v: "5", routed: 1, want: "SUBACK 1 01, PUBACK 1, open",
			send: sequence(packet(0x82, u16(1), none, "own", 5), publish(1, 1, "own"))},
		{name: "unsubscribed before the message", v: "5", routed: 1, want: "SUBACK 1 01, UNSUBACK 2 00, PUBACK 1, open",
			send: sequence(subscribe(1, "own", 1), packet(0xa2, u16(2), none, "own"), publish(1, 1, "own"))},
		{name: "empty session that would last, then an error", v: "5", connect: packet(0x10, protocol{}, 2, u16(60), props(0x11, u32(0)), "lasts"),
			send: raw("00 00"), want: "bye 81"},
	}...)
}

// filters is a SUBSCRIBE or UNSUBSCRIBE with n filters.
func filters(first byte, n int, options ...any) render {
	parts := []any{u16(1), none}
	for i := range n {
		parts = append(append(parts, fmt.Sprint(i)), options...)
	}
	return packet(first, parts...)
}

// willSequences: the will comes at every end but a client's own.
func willSequences() []hostile {
	return []hostile{
		{name: "will at an error", v: "345", connect: withWill(), send: raw("00 00"), want: "bye 81", routed: 1},
		{name: "will at a bad topic", v: "345", connect: withWill(), send: publish(1, 1, "#"), want: "bye 90", routed: 1},
		{name: "will at a bad filter", v: "345", connect: withWill(), send: subscribe(1, "a#", 0), want: "bye 8f", routed: 1},
		{name: "will at a topic that is too deep", v: "345", connect: withWill(), send: publish(0, 0, "1/2/3/4/5/6/7/8/9/10/11"), want: "bye 90", routed: 1},
		{name: "will at a second CONNECT", v: "345", connect: withWill(), send: connected, want: "bye 82", routed: 1},
		{name: "will at a server's packet", v: "345", connect: withWill(), send: raw("d0 00"), want: "bye 82", routed: 1},
		{name: "will at AUTH", v: "345", connect: withWill(), send: raw("f0 00"), want: "bye 82", routed: 1},
		{name: "will at subscription identifier 0", v: "5", connect: withWill(), send: packet(0x82, u16(1), props(0x0b, 0), "a", 0), want: "bye 82", routed: 1},
		{name: "will when the client just goes", v: "345", connect: withWill(), send: raw(""), hangUp: true, want: "closed", routed: 1},
		{name: "will when the client goes within a packet", v: "345", connect: withWill(), send: raw("30 05 00"), hangUp: true, want: "closed", routed: 1},
		{name: "will at a malformed DISCONNECT", v: "345", connect: withWill(), send: raw("e1 00"), want: "bye 81", routed: 1},
		{name: "will at a DISCONNECT with a body", v: "34", connect: withWill(), send: raw("e0 01 00"), want: "closed", routed: 1},
		{name: "will at a server's DISCONNECT", v: "5", connect: withWill(), send: raw("e0 01 8e"), want: "bye 82", routed: 1},
		{name: "will at DISCONNECT with a session expiry after none", v: "5", connect: withWill(), send: packet(0xe0, 0, props(0x11, u32(9))),
			want: "bye 82", routed: 1},
		{name: "will at DISCONNECT with will", v: "5", connect: withWill(), send: raw("e0 01 04"), want: "closed", routed: 1},
		{name: "will at DISCONNECT with an error", v: "5", connect: withWill(), send: raw("e0 01 81"), want: "closed", routed: 1},
		{name: "no will at DISCONNECT", v: "345", connect: withWill(), send: raw("e0 00"), want: "closed"},
		{name: "no will at DISCONNECT with code 0", v: "5", connect: withWill(), send: raw("e0 02 00 00"), want: "closed"},
		{name: "no will at DISCONNECT, garbage behind", v: "345", connect: withWill(), send: raw("e0 00 00 00"), want: "closed"},
	}
}

// refusedWillCases refuse a CONNECT that has a will: nobody gets it.
func refusedWillCases() []hostile {
	return []hostile{
		{name: "refused client id with a will", v: "3", want: "CONNACK 02, closed",
			send: packet(0x10, protocol{}, 6, u16(60), none, "", none, "will", "gone")},
		{name: "a byte too many behind a will", v: "345", want: "refuse 81",
			send: packet(0x10, protocol{}, 6, u16(60), none, "id", none, "will", "gone", 0)},
		{name: "authentication method with a will", v: "5", want: "CONNACK 8c, closed", send: withWill(0x15, "m")},
		{name: "malformed property with a will", v: "5", want: "refuse 81", send: withWill(0x7f)},
	}
}

// TestAliasesEndWithTheConnection resumes a session and uses an alias of the
// connection before [MQTT-3.3.2-7].
func TestAliasesEndWithTheConnection(t *testing.T) {
	b := startBroker(t, hostileConfig(&theme{}))
	lasting := packet(0x10, protocol{}, 0, u16(60), props(0x11, u32(100)), "lasting")(codec.V5)
	for i, want := range []string{"CONNACK 00, PUBACK 1, PUBACK 1, closed", "CONNACK 00, DISCONNECT 82, closed"} {
		p := &peer{t: t}
		p.open(b)
		p.send(lasting)
		if i == 0 {
			p.send(message("a", 0x23, u16(1))(codec.V5))
			p.send(message("", 0x23, u16(1))(codec.V5))
			p.send(raw("e0 00")(codec.V5))
		} else {
			p.send(message("", 0x23, u16(1))(codec.V5))
		}
		if got := answers(p, codec.V5); got != want {
			t.Errorf("connection %d: %q, want %q", i, got, want)
		}
	}
}

// TestTakenOver connects twice under one name: the first connection is told,
// and nothing that it sends afterwards counts.
func TestTakenOver(t *testing.T) {
	b := startBroker(t, hostileConfig(&theme{}))
	by := newBystander(t, b)
	for _, versions := range []string{"33", "34", "35", "43", "44", "45", "53", "54", "55"} {
		t.Run(versions, func(t *testing.T) {
			var ps []*peer
			for _, v := range versions {
				p := &peer{t: t}
				p.open(b)
				p.send(packet(0x10, protocol{}, 2, u16(60), none, "twin")(codec.Version(v - '0')))
				if f := p.next(); f.Type() != codec.CONNACK || f.Body[1] != 0 {
					t.Fatalf("%v % x", f.Type(), f.Body)
				}
				ps = append(ps, p)
			}
			old, current := codec.Version(versions[0]-'0'), codec.Version(versions[1]-'0')
			if got, want := answers(ps[0], old), expand("bye 8e", old); got != want {
				t.Errorf("the old connection got %q, want %q", got, want)
			}
			ps[0].conn.Write(publish(1, 1, "late")(old)) // it may be closed already
			ps[1].send(append(publish(1, 1, "fine")(current), 0xc0, 0))
			if got, want := answers(ps[1], current), "PUBACK 1, open"; got != want {
				t.Errorf("the new connection got %q, want %q", got, want)
			}
			for _, p := range ps {
				p.conn.Close()
			}
			by.check(t, 1)
		})
	}
	by.p.send(codec.AppendDisconnect(nil, codec.V5, codec.Success, "", ""))
	awaitEmpty(t, b)
}

// TestIdentifiersAreReturned uses one packet id for all kinds of requests, one
// after the other, ten thousand times: nothing is left in use.
func TestIdentifiersAreReturned(t *testing.T) {
	b := startBroker(t, hostileConfig(&theme{}))
	p := connect(t, b, "one-id")
	round := sequence(publish(1, 1, "a"), publish(2, 1, "a"), raw("62 02 00 01"), subscribe(1, "b", 0), packet(0xa2, u16(1), none, "b"))(codec.V5)
	for i := range 100 {
		for range 100 {
			p.send(round)
		}
		p.send([]byte{0xc0, 0})
		for k, want := 0, []string{"PUBACK 1", "PUBREC 1", "PUBCOMP 1", "SUBACK 1 00", "UNSUBACK 1 00"}; k < 500; k++ {
			if got := describe(codec.V5, p.next()); got != want[k%5] {
				t.Fatalf("%s, want %s", got, want[k%5])
			}
		}
		if got := fmt.Sprint(p.next().Type()); got != "PINGRESP" {
			t.Fatalf("round %d: %s", i, got)
		}
	}
}
