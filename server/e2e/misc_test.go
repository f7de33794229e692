package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Messages to $-topics are acknowledged, so that the client does not hang, and
// go nowhere.
func TestDollarTopics(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "it routes $-topics other than $SYS")
		versions(t, func(t *testing.T, v int) {
			code := byte(0)
			if v == 5 {
				code = 0x87
			}
			topic := unique("$x")
			to := b.connect(t, connect{v: v, id: unique("to")})
			to.subscribe(1, topic+"/#", unique("other"))
			from := b.connect(t, connect{v: v, id: unique("from")})
			for _, name := range []string{topic + "/a", "$SYS/a", "$share/g/t"} {
				from.send(publish{topic: name, payload: "m", qos: 1, id: 3}.bytes(v))
				from.wantAck(0x40, 3, code)
				from.send(publish{topic: name, payload: "m", qos: 2, id: 4}.bytes(v))
				from.wantAck(0x50, 4, code)
				if code == 0 {
					from.send(pkt(0x62, id(4)))
					from.wantAck(0x70, 4, 0)
				}
			}
			from.quiet()
			to.quiet()
		})
	})
}

func TestUnsuback(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			topic := unique("un")
			r := b.connect(t, connect{v: v, id: unique("un")})
			r.subscribe(0, topic)
			got := r.unsubscribe(topic, topic+"/not")
			want := []byte{0, 0x11}
			if v < 5 {
				want = nil
			}
			if !bytes.Equal(got, want) {
				t.Errorf("UNSUBACK % x, want % x", got, want)
			}
			r.pub(publish{topic: topic, payload: "m"})
			r.quiet()
		})
	})
}

// Packets that end the connection, each with the codes v5 may name before.
func TestProtocolViolations(t *testing.T) {
	long := strings.Repeat("a/", 12) + "a"
	cases := []struct {
		name   string
		packet func(v int) []byte
		codes  []byte
		not3   bool // 3.1 is not that strict
	}{
		{"CONNACK", func(int) []byte { return []byte{0x20, 2, 0, 0} }, nil, false},
		{"SUBACK", func(v int) []byte { return pkt(0x90, id(1), v5(v, 0), 0) }, nil, false},
		{"UNSUBACK", func(v int) []byte { return pkt(0xB0, id(1), v5(v, 0, 0)) }, nil, false},
		{"PINGRESP", func(int) []byte { return pingresp }, nil, false},
		{"type 0", func(int) []byte { return []byte{0, 0} }, nil, false},
		{"PINGREQ flags", func(int) []byte { return []byte{0xC1, 0} }, nil, true},
		{"PUBREL flags", func(int) []byte { return pkt(0x60, id(1)) }, nil, true},
		{"SUBSCRIBE flags", func(v int) []byte { return pkt(0x80, id(1), v5(v, 0), "t", 0) }, nil, true},
		{"PUBLISH QoS 3", func(v int) []byte { return pkt(0x36, "t", id(1), v5(v, 0)) }, nil, false},
		{"PUBLISH id 0", func(v int) []byte { return pkt(0x32, "t", id(0), v5(v, 0)) }, nil, false},
		{"PUBLISH wildcard", func(v int) []byte { return pkt(0x30, "t/+", v5(v, 0)) }, []byte{0x81, 0x82, 0x90}, false},
		{"PUBLISH empty topic", func(v int) []byte { return pkt(0x30, "", v5(v, 0)) }, []byte{0x81, 0x82, 0x90}, false},
		{"PUBLISH NUL", func(v int) []byte { return pkt(0x30, "t\x00", v5(v, 0)) }, []byte{0x81, 0x82, 0x90}, false},
		{"PUBLISH not UTF-8", func(v int) []byte { return pkt(0x30, "t\xc3\x28", v5(v, 0)) }, []byte{0x81, 0x82, 0x90}, false},
		{"PUBLISH too deep", func(v int) []byte { return pkt(0x30, long, v5(v, 0)) }, []byte{0x81, 0x82, 0x90}, false},
		{"PUBLISH cut short", func(int) []byte { return []byte{0x30, 3, 0, 9, 't'} }, []byte{0x81, 0x82}, false},
		{"SUBSCRIBE a#", func(v int) []byte { return pkt(0x82, id(1), v5(v, 0), "a#", 0) }, []byte{0x81, 0x82, 0x8F}, false},
		{"SUBSCRIBE a/#/b", func(v int) []byte { return pkt(0x82, id(1), v5(v, 0), "a/#/b", 0) }, []byte{0x81, 0x82, 0x8F}, false},
		{"SUBSCRIBE a+", func(v int) []byte { return pkt(0x82, id(1), v5(v, 0), "a+", 0) }, []byte{0x81, 0x82, 0x8F}, false},
		{"SUBSCRIBE empty filter", func(v int) []byte { return pkt(0x82, id(1), v5(v, 0), "", 0) }, []byte{0x81, 0x82, 0x8F}, false},
		{"SUBSCRIBE $share group only", func(v int) []byte { return pkt(0x82, id(1), v5(v, 0), "$share/g", 0) }, []byte{0x81, 0x82, 0x8F}, false},
		{"SUBSCRIBE $share no group", func(v int) []byte { return pkt(0x82, id(1), v5(v, 0), "$share//t", 0) }, []byte{0x81, 0x82, 0x8F}, false},
		{"SUBSCRIBE $share wildcard group", func(v int) []byte { return pkt(0x82, id(1), v5(v, 0), "$share/+/t", 0) }, []byte{0x81, 0x82, 0x8F}, false},
		{"SUBSCRIBE too deep", func(v int) []byte { return pkt(0x82, id(1), v5(v, 0), long, 0) }, []byte{0x81, 0x82, 0x8F}, false},
		{"SUBSCRIBE QoS 3", func(v int) []byte { return pkt(0x82, id(1), v5(v, 0), "t", 3) }, []byte{0x81, 0x82}, false},
		{"SUBSCRIBE reserved bits", func(v int) []byte { return pkt(0x82, id(1), v5(v, 0), "t", 0x40) }, []byte{0x81, 0x82}, false},
		{"SUBSCRIBE nothing", func(v int) []byte { return pkt(0x82, id(1), v5(v, 0)) }, []byte{0x81, 0x82}, false},
		{"SUBSCRIBE id 0", func(v int) []byte { return pkt(0x82, id(0), v5(v, 0), "t", 0) }, []byte{0x81, 0x82}, false},
		{"UNSUBSCRIBE nothing", func(v int) []byte { return pkt(0xA2, id(1), v5(v, 0)) }, []byte{0x81, 0x82}, false},
		{"UNSUBSCRIBE id 0", func(v int) []byte { return pkt(0xA2, id(0), v5(v, 0), "t") }, []byte{0x81, 0x82}, false},
		{"length of five bytes", func(int) []byte { return []byte{0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1} }, []byte{0x81, 0x82}, false},
	}
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "it is laxer and closes without DISCONNECT")
		for _, c := range cases {
			t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
				for _, v := range []int{3, 4, 5} {
					if v == 3 && c.not3 {
						continue
					}
					will := unique("will")
					watch := b.connect(t, connect{v: 4, id: unique("watch")})
					watch.subscribe(0, will)
					r := b.connect(t, connect{v: v, id: unique("wrong"), will: connWill(will)})
					r.send(c.packet(v))
					if c.codes == nil {
						r.closedAnyhow()
					} else {
						r.closed(c.codes...)
					}
					watch.wantPub(publish{topic: will, payload: "gone"})
					watch.leave()
				}
			})
		}
	})
}

// v5 returns the bytes if v is 5.
func v5(v int, bytes ...byte) []byte {
	if v == 5 {
		return bytes
	}
	return nil
}

func TestV5Violations(t *testing.T) {
	cases := []struct {
		name   string
		packet []byte
		codes  []byte
	}{
		{"subscription id from client", pkt(0x30, "t", props(0x0B, 1)), []byte{0x82}},
		{"subscription id 0", pkt(0x82, id(1), props(0x0B, 0), "t", 0), []byte{0x82}},
		{"retain handling 3", pkt(0x82, id(1), 0, "t", 0x30), []byte{0x82}},
		{"no local on a shared filter", pkt(0x82, id(1), 0, "$share/g/t", 0x04), []byte{0x82}},
		{"unknown alias", pkt(0x30, "", props(0x23, id(3))), []byte{0x82}},
		{"alias 0", pkt(0x30, "t", props(0x23, id(0))), []byte{0x94}},
		{"alias above the maximum", pkt(0x30, "t", props(0x23, id(11))), []byte{0x94}},
		{"wildcard response topic", pkt(0x30, "t", props(0x08, "r/#")), []byte{0x82}},
		{"doubled property", pkt(0x30, "t", props(0x01, 0, 0x01, 0)), []byte{0x82}},
		{"property of another packet", pkt(0x30, "t", props(0x11, uint32(1))), []byte{0x81, 0x82}},
		{"session expiry from 0", pkt(0xE0, 0, props(sessionExpiry(5))), []byte{0x82}},
	}
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "it closes without DISCONNECT in some cases")
		for _, c := range cases {
			t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
				r := b.connect(t, connect{v: 5, id: unique("wrong")})
				r.send(c.packet)
				r.closed(c.codes...)
			})
		}
	}, "topic_alias_max_client=10")
}

func TestKeepAlive(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		for _, v := range []int{3, 4, 5} {
			t.Run(fmt.Sprintf("v%d", v), func(t *testing.T) {
				t.Parallel()
				topic := unique("will")
				watch := b.connect(t, connect{v: 4, id: unique("watch")})
				watch.subscribe(0, topic)
				r := b.connect(t, connect{v: v, id: unique("ka"), alive: 1, will: connWill(topic)})
				for range 4 { // any packet keeps it alive
					r.quietFor(700 * time.Millisecond)
					r.quiet()
				}
				start := time.Now()
				r.closed(0x8D)
				limit := 5 * time.Second
				if mosquitto() { // looks at intervals of 5 s
					limit = 10 * time.Second
				}
				if took := time.Since(start); took < 1400*time.Millisecond || took > limit {
					t.Errorf("closed after %v, want 1.5 s", took)
				}
				watch.wantPub(publish{topic: topic, payload: "gone"})
			})
		}
	})
}

func connWill(topic string) *will { return &will{topic: topic, payload: "gone"} }

func TestByteByByte(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			topic := unique("slow")
			r := b.dial(t)
			r.v = v
			all := bytes.Join([][]byte{
				connect{v: v, id: unique("slow")}.bytes(),
				r.subscribePacket(1, nil, 1, topic),
				publish{topic: topic, payload: strings.Repeat("x", 200), qos: 1, id: 2}.bytes(v),
				pingreq,
			}, nil)
			for i := range all {
				r.send(all[i : i+1])
				time.Sleep(100 * time.Microsecond)
			}
			seen := map[byte]bool{}
			for range 5 {
				seen[r.next().head] = true
			}
			for _, head := range []byte{0x20, 0x90, 0x32, 0x40, 0xD0} {
				if !seen[head] {
					t.Errorf("no packet %02x among %v", head, seen)
				}
			}
		})
	})
}

func TestManyPacketsInOneWrite(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			const n = 500
			topic := unique("many")
			to := b.connect(t, connect{v: v, id: unique("to")})
			to.subscribe(0, topic)
			from := b.connect(t, connect{v: v, id: unique("from")})
			var all []byte
			for i := range n {
				all = append(all, publish{topic: topic, payload: fmt.Sprint(i), qos: 1, id: uint16(i + 1)}.bytes(v)...)
			}
			from.send(all)
			for i := range n {
				from.wantAck(0x40, uint16(i+1), 0)
			}
			for i := range n {
				to.wantPub(publish{topic: topic, payload: fmt.Sprint(i)})
			}
		})
	})
}

func TestMaxMessageSize(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			will := unique("will")
			watch := b.connect(t, connect{v: 4, id: unique("watch")})
			watch.subscribe(0, will)
			topic := unique("size")
			r := b.connect(t, connect{v: v, id: unique("size"), will: connWill(will)})
			r.subscribe(0, topic)
			fits := publish{topic: topic}
			fits.payload = strings.Repeat("x", 200-(len(fits.bytes(v))-2)) // remaining length 200
			r.pub(fits)
			r.wantPub(fits)
			// The limit is per packet: many at once are no problem.
			small := publish{topic: topic, payload: strings.Repeat("y", 90)}
			r.send(bytes.Repeat(small.bytes(v), 10))
			for range 10 {
				r.wantPub(small)
			}
			fits.payload += "x"
			r.send(fits.bytes(v))
			r.closed(0x95)
			watch.wantPub(publish{topic: will, payload: "gone"})
		})
	}, "max_message_size=200")
}

// A PUBLISH too large for a client counts as delivered; later ones go on.
func TestClientMaximumPacketSize(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic := unique("mps")
		to := b.connect(t, connect{v: 5, id: unique("to"), props: join(0x27, uint32(100))})
		to.subscribe(1, topic)
		from := b.connect(t, connect{v: 5, id: unique("from")})
		from.pub(publish{topic: topic, payload: strings.Repeat("x", 200), qos: 1})
		from.pub(publish{topic: topic, payload: "small", qos: 1})
		to.take(to.wantPub(publish{topic: topic, payload: "small", qos: 1}))
		to.quiet()
	})
}
