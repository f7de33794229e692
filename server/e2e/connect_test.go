package e2e

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// refused sends one packet and expects one of these answers, or none, and then
// the end.
func refused(t *testing.T, b *broker, packet []byte, answers ...[]byte) {
	t.Helper()
	r := b.dial(t)
	r.send(packet)
	if len(answers) > 0 {
		p := r.next()
		got := pkt(p.head, p.body)
		for _, a := range answers {
			reason := len(a) == 5 && len(got) > 5 // v5 may add a reason string
			if bytes.Equal(got, a) || reason && bytes.Equal(p.body[:2], a[2:4]) {
				r.closed()
				return
			}
		}
		t.Fatalf("got %v, want one of % x", p, answers)
	}
	r.closed()
}

func connack(v int, code byte) []byte {
	if v == 5 {
		return pkt(0x20, 0, code, 0)
	}
	return pkt(0x20, 0, code)
}

func TestConnackBytes(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "CONNACK names its topic alias maximum")
		for _, v := range []int{3, 4, 5, 131, 132} {
			r := b.dial(t)
			r.send(connect{v: v, id: unique("ok")}.bytes())
			r.want("CONNACK", connack(v, 0)...)
		}
	})
}

func TestEmptyClientID(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		refused(t, b, connect{v: 3}.bytes(), connack(3, 2))
		refused(t, b, connect{v: 3, keep: true}.bytes(), connack(3, 2))
		refused(t, b, connect{v: 4, keep: true}.bytes(), connack(4, 2))
		b.connect(t, connect{v: 4}).quiet()
		seen := map[string]bool{}
		for _, keep := range []bool{false, true} {
			r := b.connect(t, connect{v: 5, keep: keep})
			_, after, ok := bytes.Cut(r.ackProp, []byte{0x12, 0})
			if !ok || int(after[0]) > len(after)-1 {
				t.Fatalf("no Assigned Client Identifier in % x", r.ackProp)
			}
			name := string(after[1 : 1+after[0]])
			if seen[name] || name == "" {
				t.Fatalf("assigned %q twice", name)
			}
			if seen[name] = true; !mosquitto() && !strings.HasPrefix(name, "anon-") {
				t.Errorf("assigned %q, want anon-…", name)
			}
		}
	})
}

func TestClientIDTooLong(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "it has no limit")
		fits := unique("fits")
		fits += strings.Repeat("x", 100-len(fits))
		for _, v := range []int{3, 4, 5} {
			b.connect(t, connect{v: v, id: fits}).leave()
			code := byte(2)
			if v == 5 {
				code = 0x85
			}
			refused(t, b, connect{v: v, id: fits + "x"}.bytes(), connack(v, code))
		}
	})
}

func TestProtocolLevels(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		levels := []int{3, 6}
		if !mosquitto() { // which takes 133 for 5
			levels = append(levels, 133)
		}
		for _, level := range levels {
			refused(t, b, connect{v: level, name: "MQTT", id: "x"}.bytes(), connack(4, 1), connack(5, 0x84))
		}
		refused(t, b, connect{v: 9, name: "MQIsdp", id: "x"}.bytes(), connack(4, 1))
		if !mosquitto() { // which wants 3
			b.connect(t, connect{v: 4, name: "MQIsdp", id: unique("odd")}).quiet()
		}
	})
}

func TestAllowedProtocolVersions(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		b.connect(t, connect{v: 3, id: "a"}).quiet()
		b.connect(t, connect{v: 4, id: "b"}).quiet()
		refused(t, b, connect{v: 5, id: "c"}.bytes(), connack(5, 0x84))
		refused(t, b, connect{v: 131, id: "d"}.bytes(), connack(4, 1))
		refused(t, b, connect{v: 132, id: "e"}.bytes(), connack(4, 1))
	}, "listener.tcp.allowed_protocol_versions=3,4")
}

func TestUnknownProtocolName(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		start := time.Now()
		r := b.dial(t)
		r.send(connect{v: 4, name: "AMQP", id: "x"}.bytes())
		r.closed()
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("closed after %v, want at once", took)
		}
	})
}

// A malformed CONNECT of v5 is answered with a reason, one of v3.1.1 with none.
func TestMalformedConnect(t *testing.T) {
	const malformed, protocol, topic = 0x81, 0x82, 0x90
	cases := []struct {
		name    string
		c       connect
		v5codes []byte // nil: not for v5
		only5   bool
	}{
		{name: "reserved flag", c: connect{flags: 1}, v5codes: []byte{malformed}},
		{name: "will QoS 3", c: connect{will: &will{topic: "w", qos: 3}}, v5codes: []byte{malformed}},
		{name: "will QoS without will", c: connect{flags: 0x08}, v5codes: []byte{malformed, protocol}},
		{name: "will topic with wildcard", c: connect{will: &will{topic: "w/#"}}, v5codes: []byte{malformed, protocol, topic}},
		{name: "will topic empty", c: connect{will: &will{}}, v5codes: []byte{malformed, protocol, topic}},
		{name: "password without user", c: connect{flags: 0x40, rest: join("secret")}},
		{name: "client id not UTF-8", c: connect{id: "\xff\xfe"}, v5codes: []byte{malformed}},
		{name: "client id with NUL", c: connect{id: "a\x00b"}, v5codes: []byte{malformed}},
		{name: "user name missing", c: connect{flags: 0x80}, v5codes: []byte{malformed}},
		{name: "bytes left over", c: connect{rest: []byte("xyz")}, v5codes: []byte{malformed, protocol}},
		{name: "receive maximum 0", c: connect{props: join(0x21, id(0))}, v5codes: []byte{protocol}, only5: true},
		{name: "maximum packet size 0", c: connect{props: join(0x27, uint32(0))}, v5codes: []byte{protocol}, only5: true},
		{name: "doubled property", c: connect{props: join(sessionExpiry(1), sessionExpiry(1))}, v5codes: []byte{protocol}, only5: true},
		{name: "auth data without method", c: connect{props: join(0x16, "data")}, v5codes: []byte{protocol}, only5: true},
		{name: "unknown property", c: connect{props: join(0x7E, 0)}, v5codes: []byte{malformed, protocol}, only5: true},
		{name: "property of another packet", c: connect{props: join(0x23, id(1))}, v5codes: []byte{malformed, protocol}, only5: true},
		{name: "auth method nobody has", c: connect{props: join(0x15, "NOPE")}, v5codes: []byte{0x8C}, only5: true},
	}
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "it closes without CONNACK in most of these cases")
		for _, c := range cases {
			if c.c.id == "" {
				c.c.id = unique("bad")
			}
			t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
				if !c.only5 && !(c.c.flags == 0x80) { // 3.1 does without the user name
					c.c.v = 3
					refused(t, b, c.c.bytes())
				}
				if !c.only5 {
					c.c.v = 4
					refused(t, b, c.c.bytes())
				}
				var answers [][]byte
				for _, code := range c.v5codes {
					answers = append(answers, connack(5, code))
				}
				if c.v5codes != nil {
					c.c.v = 5
					refused(t, b, c.c.bytes(), answers...)
				}
			})
		}
		// Allowed since v5.
		b.connect(t, connect{v: 5, id: unique("pw"), flags: 0x40, rest: join("secret")}).quiet()
	})
}

func TestFirstPacketIsNoConnect(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		for _, p := range [][]byte{pingreq, disconnect, publish{topic: "t", payload: "x"}.bytes(4), pkt(0x00), pkt(0x11, "MQTT")} {
			refused(t, b, p)
		}
	})
}

func TestPipelinedAfterConnect(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			topic := unique("pipe")
			r := b.dial(t)
			r.v = v
			r.send(connect{v: v, id: unique("pipe")}.bytes(), pingreq,
				r.subscribePacket(7, nil, 1, topic), publish{topic: topic, payload: "hi"}.bytes(v))
			if p := r.next(); p.head != 0x20 || p.body[1] != 0 {
				t.Fatalf("got %v, want CONNACK", p)
			}
			r.want("PINGRESP", pingresp...)
			if codes := r.suback(0x90, 7); !bytes.Equal(codes, []byte{1}) {
				t.Fatalf("SUBACK codes % x", codes)
			}
			r.wantPub(publish{topic: topic, payload: "hi"})
		})
	})
}

func TestSecondConnect(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			c := connect{v: v, id: unique("twice")}
			r := b.connect(t, c)
			r.send(c.bytes())
			r.closed(0x82)
		})
	})
}

func TestAuthWithoutMethod(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		r := b.connect(t, connect{v: 5, id: unique("auth")})
		r.send(pkt(0xF0, 0x18, props(0x15, "M")))
		r.closed(0x82)
		r = b.connect(t, connect{v: 4, id: unique("auth")})
		r.send([]byte{0xF0, 0})
		r.closed()
	})
}

func TestSessionPresent(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			c := connect{v: v, id: unique("sp"), keep: true}
			if v == 5 {
				c.props = sessionExpiry(60)
			}
			r := b.connect(t, c)
			if r.present {
				t.Error("session present at the first connect")
			}
			r.subscribe(1, unique("sp"))
			r.leave()
			r = b.connect(t, c)
			if want := v > 3; r.present != want && !(v == 3 && mosquitto()) {
				t.Errorf("session present %v at the second connect, want %v", r.present, want)
			}
			r.leave()
			c.keep, c.props = false, nil
			b.connect(t, c).leave()
			c.keep = true
			if b.connect(t, c).present {
				t.Error("session present after a clean one")
			}
		})
	})
}

// nobody is the code for a client about whom no plugin says anything.
func nobody() byte {
	if mosquitto() {
		return 0x87
	}
	return 0x86
}

func TestAnonymousRefused(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		for v, code := range map[int]byte{3: 5, 4: 5, 5: nobody()} {
			refused(t, b, connect{v: v, id: "anon"}.bytes(), connack(v, code))
			r := connect{v: v, id: "user", flags: 0xC0, rest: join("user", "secret")}
			if !mosquitto() { // knows users without a plugin
				refused(t, b, r.bytes(), connack(v, code))
			}
		}
	}, "allow_anonymous=off")
}
