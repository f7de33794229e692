package session

import (
	"strings"
	"testing"

	"vernemq/codec"
)

var everyone = Rules{Versions: []byte{3, 4, 5}, MaxClientIDSize: 23, TopicMaxDepth: 3}

// TestClientIdentifiers: 1 to 23 letters and digits are accepted with every
// version [MQTT-3.1.3-5].
func TestClientIdentifiers(t *testing.T) {
	const allowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, v := range []codec.Version{codec.V31, codec.V311, codec.V5} {
		for i := range len(allowed) - 23 {
			for n := 1; n <= 23; n++ {
				c := codec.Connect{Version: v, Level: byte(v), ClientID: []byte(allowed[i : i+n])}
				if id, assigned, code := Admit(&c, &everyone); id != allowed[i:i+n] || assigned || code != codec.Success {
					t.Fatalf("%s: %q %v %v", c.ClientID, id, assigned, code)
				}
			}
		}
	}
}

// TestRefusals: the code of each refusal is one of CONNACK, which says that no
// session is present [MQTT-3.2.2-6] [MQTT-3.2.2-8].
func TestRefusals(t *testing.T) {
	five, four := codec.Connect{Version: codec.V5, Level: 5}, codec.Connect{Version: codec.V311, Level: 4}
	with := func(c codec.Connect, change func(*codec.Connect)) *codec.Connect {
		change(&c)
		return &c
	}
	long := func(c *codec.Connect) { c.ClientID = []byte(strings.Repeat("x", 24)) }
	for _, x := range []struct {
		c     *codec.Connect
		rules *Rules
		code  codec.ReasonCode
		want  []byte
	}{
		{with(five, func(c *codec.Connect) { c.Level = 0x85 }), &everyone, codec.UnsupportedProtocolVersion, []byte{0x20, 3, 0, 0x84, 0}},
		{with(four, func(c *codec.Connect) { c.Level = 0x84 }), &everyone, codec.UnsupportedProtocolVersion, []byte{0x20, 2, 0, 1}},
		{with(five, long), &everyone, codec.ClientIdentifierNotValid, []byte{0x20, 3, 0, 0x85, 0}},
		{with(four, long), &everyone, codec.ClientIdentifierNotValid, []byte{0x20, 2, 0, 2}},
		{with(four, func(*codec.Connect) {}), &everyone, codec.ClientIdentifierNotValid, []byte{0x20, 2, 0, 2}}, // v3.1.1 [MQTT-3.1.3-8]
		{with(five, func(c *codec.Connect) { c.HasWill, c.Will.Topic = true, []byte("1/2/3/4") }), &everyone, codec.TopicNameInvalid, []byte{0x20, 3, 0, 0x90, 0}},
		{with(four, func(c *codec.Connect) {
			c.ClientID, c.HasWill, c.Will.Topic = []byte("c"), true, []byte("1/2/3/4")
		}), &everyone, codec.TopicNameInvalid, nil}, // v3.1.1 [MQTT-3.2.2-6]
		// Whoever takes no 5 bytes gets none [MQTT-3.1.2-24].
		{with(five, func(c *codec.Connect) { long(c); c.MaxPacketSize = 4 }), &everyone, codec.ClientIdentifierNotValid, nil},
		{with(five, func(c *codec.Connect) { long(c); c.MaxPacketSize = 5 }), &everyone, codec.ClientIdentifierNotValid, []byte{0x20, 3, 0, 0x85, 0}},
	} {
		_, _, code := Admit(x.c, x.rules)
		if got := Refuse(x.c, code, nil); code != x.code || string(got) != string(x.want) {
			t.Errorf("%+v: %v % x, want %v % x", x.c, code, got, x.code, x.want)
		}
	}
	for _, code := range []codec.ReasonCode{codec.MalformedPacket, codec.ProtocolError} { // of CONNECTs that cannot be decoded
		var a codec.Connack
		f, _, _, _ := codec.Cut(Refuse(&five, code, nil), 0)
		if err := codec.DecodeConnack(codec.V5, f, &a); err != nil || a.Reason != code || Refuse(&four, code, nil) != nil {
			t.Errorf("%v: %v %+v", code, err, a)
		}
	}
}
