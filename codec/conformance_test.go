package codec

import (
	"bytes"
	"strings"
	"testing"
)

// statement is a packet that keeps or breaks a statement of MQTT 5, or of
// MQTT 3.1.1, with the reason code that refuses it; 0 when it is good.
type statement struct {
	id   string
	v    Version
	head byte
	body string
	want ReasonCode
}

// check decodes the packets of statements.
func check(t *testing.T, statements []statement) {
	for _, s := range statements {
		f, _, _, err := Cut(framed(s.head, packet(t, s.body)), 0)
		if err == nil {
			err = decode(s.v, f)
		}
		if got := codeOf(err); got != s.want || (err != nil) != (s.want != 0) {
			t.Errorf("%s: %02x %s: %v, want 0x%02x", s.id, s.head, s.body, err, byte(s.want))
		}
	}
}

// TestStrings: strings are UTF-8 without U+0000 wherever they stand, and
// U+FEFF is a character like any other.
func TestStrings(t *testing.T) {
	bad := map[string]string{"MQTT-1.5.4-1": "0003 eda080", "MQTT-1.5.4-2": "0001 00"}
	for id, s := range bad {
		check(t, []statement{
			{id + " client id, MQTT-3.1.3-4", V5, 0x10, `"MQTT" 05 02 003c 00` + s, MalformedPacket},
			{id + " will topic, MQTT-3.1.3-11", V5, 0x10, `"MQTT" 05 06 003c 00 "c" 00` + s + `"p"`, MalformedPacket},
			{id + " user name, MQTT-3.1.3-12", V5, 0x10, `"MQTT" 05 82 003c 00 "c"` + s, MalformedPacket},
			{id + " topic, MQTT-3.3.2-1", V5, 0x30, s + "00", MalformedPacket},
			{id + " filter, MQTT-3.8.3-1", V5, 0x82, "0001 00" + s + "00", MalformedPacket},
			{id + " filter, MQTT-3.10.3-1", V5, 0xa2, "0001 00" + s, MalformedPacket},
			{id + " v3.1.1 client id, MQTT-3.1.3-4", V311, 0x10, `"MQTT" 04 02 003c` + s, MalformedPacket},
			{id + " v3.1.1 will topic, MQTT-3.1.3-10", V311, 0x10, `"MQTT" 04 06 003c "c"` + s + `"p"`, MalformedPacket},
			{id + " v3.1.1 user name, MQTT-3.1.3-11", V311, 0x10, `"MQTT" 04 82 003c "c"` + s, MalformedPacket},
			{id + " v3.1.1 topic, MQTT-3.3.2-1", V311, 0x30, s, MalformedPacket},
			{id + " v3.1.1 filter, MQTT-3.8.3-1", V311, 0x82, "0001" + s + "00", MalformedPacket},
			{id + " v3.1.1 filter, MQTT-3.10.3-1", V311, 0xa2, "0001" + s, MalformedPacket},
		})
		if len(packet(t, s)) > 3 {
			continue // the lengths below are those of the short one
		}
		check(t, []statement{
			{id + " name, MQTT-1.5.7-1", V5, 0x30, `"a" 07 26` + s + `"v"`, MalformedPacket},
			{id + " value, MQTT-1.5.7-1", V5, 0x30, `"a" 07 26 "k"` + s, MalformedPacket},
			{id + " Response Topic, MQTT-3.3.2-13", V5, 0x30, `"a" 04 08` + s, MalformedPacket},
			{id + " Content Type, MQTT-3.3.2-19", V5, 0x30, `"a" 04 03` + s, MalformedPacket},
		})
	}
	check(t, []statement{
		{"MQTT-1.5.7-1 name", V5, 0x30, `"a" 09 26 0003 eda080 "v"`, MalformedPacket},
		{"MQTT-1.5.7-1 value", V5, 0x30, `"a" 09 26 "k" 0003 eda080`, MalformedPacket},
	})
	for _, s := range []string{"\xc0\x80", "\xe0\x80\xaf", "\xf4\x90\x80\x80", "\xe2\x82", "\xff", "\xed\xbf\xbf"} {
		for _, s := range []string{s, "0123456789" + s, s + "0123456789"} {
			if validText([]byte(s)) || ValidTopic([]byte(s)) == nil || ValidFilter([]byte(s)) == nil {
				t.Errorf("MQTT-1.5.4-1: %q is accepted", s)
			}
		}
	}
	// Payloads, passwords and correlation data are no strings.
	check(t, []statement{
		{"payload", V5, 0x30, `"a" 00 ff00`, 0},
		{"correlation data", V5, 0x30, `"a" 05 09 0002 ff00`, 0},
		{"password and will payload", V5, 0x10, `"MQTT" 05 46 003c 00 "c" 00 "t" 0002 ff00 0001 ff`, 0},
	})
	var p Publish
	if err := DecodePublish(V311, Frame{0x30, packet(t, `"`+"\ufeffa\ufeff"+`"`)}, &p); err != nil || string(p.Topic) != "\ufeffa\ufeff" {
		t.Errorf("MQTT-1.5.4-3: %v %q", err, p.Topic)
	}
	var c Connect
	if err := DecodeConnect(Frame{0x10, packet(t, `"MQTT" 05 02 003c 00 "`+"\ufeff"+`"`)}, &c); err != nil || string(c.ClientID) != "\ufeff" {
		t.Errorf("MQTT-1.5.4-3: %v %q", err, c.ClientID)
	}
}

// TestFlags sets every wrong combination of fixed-header flags.
func TestFlags(t *testing.T) {
	bodies := map[Type][2]string{ // MQTT 3.1.1, MQTT 5
		CONNECT: {`"MQTT" 04 02 003c "c"`, `"MQTT" 05 02 003c 00 "c"`}, PUBACK: {"0001", "0001"}, PUBREC: {"0001", "0001"},
		PUBREL: {"0001", "0001"}, PUBCOMP: {"0001", "0001"}, SUBSCRIBE: {`0001 "a" 00`, `0001 00 "a" 00`},
		UNSUBSCRIBE: {`0001 "a"`, `0001 00 "a"`}, PINGREQ: {}, DISCONNECT: {}, AUTH: {`18 05 15 "m1"`, `18 05 15 "m1"`},
	}
	for typ, body := range bodies {
		right := byte(0)
		if typ == PUBREL || typ == SUBSCRIBE || typ == UNSUBSCRIBE {
			right = 2
		}
		for flags := range byte(16) {
			want := MalformedPacket
			if flags == right {
				want = 0
			}
			check(t, []statement{
				{"MQTT-2.1.3-1", V5, byte(typ)<<4 | flags, body[1], want},
				{"v3.1.1 MQTT-2.2.2-1", V311, byte(typ)<<4 | flags, body[0], want},
			})
		}
	}
	check(t, []statement{{"MQTT-3.3.1-4", V5, 0x36, `"a" 0001 00`, MalformedPacket}, {"MQTT-3.3.1-4", V311, 0x3f, `"a" 0001`, MalformedPacket}})
}

// TestConnectForm: what the flags of CONNECT announce is there, in its order,
// and nothing else.
func TestConnectForm(t *testing.T) {
	check(t, []statement{
		{"MQTT-3.1.2-3", V5, 0x10, `"MQTT" 05 03 003c 00 "c"`, MalformedPacket},
		{"MQTT-3.1.2-9 payload missing", V5, 0x10, `"MQTT" 05 06 003c 00 "c" 00 "t"`, MalformedPacket},
		{"MQTT-3.1.2-9 topic missing", V5, 0x10, `"MQTT" 05 06 003c 00 "c" 00`, MalformedPacket},
		{"MQTT-3.1.2-9 properties missing", V5, 0x10, `"MQTT" 05 06 003c 00 "c"`, MalformedPacket},
		{"MQTT-3.1.2-11", V5, 0x10, `"MQTT" 05 0a 003c 00 "c"`, MalformedPacket},
		{"MQTT-3.1.2-12", V5, 0x10, `"MQTT" 05 1e 003c 00 "c" 00 "t" "p"`, MalformedPacket},
		{"MQTT-3.1.2-13", V5, 0x10, `"MQTT" 05 22 003c 00 "c"`, MalformedPacket},
		{"MQTT-3.1.2-16", V5, 0x10, `"MQTT" 05 02 003c 00 "c" "user"`, MalformedPacket},
		{"MQTT-3.1.2-17", V5, 0x10, `"MQTT" 05 82 003c 00 "c"`, MalformedPacket},
		{"MQTT-3.1.2-18", V5, 0x10, `"MQTT" 05 82 003c 00 "c" "user" "pass"`, MalformedPacket},
		{"MQTT-3.1.2-19", V5, 0x10, `"MQTT" 05 c2 003c 00 "c" "user"`, MalformedPacket},
		{"MQTT-3.1.2-19 without user name", V5, 0x10, `"MQTT" 05 42 003c 00 "c" "pass"`, 0},
		{"MQTT-3.1.3-3", V5, 0x10, `"MQTT" 05 02 003c 00`, MalformedPacket},
		{"MQTT-3.1.3-3 empty", V5, 0x10, `"MQTT" 05 02 003c 00 ""`, 0},
		{"v3.1.1 MQTT-3.1.2-3", V311, 0x10, `"MQTT" 04 03 003c "c"`, MalformedPacket},
		{"v3.1.1 MQTT-3.1.2-9 message missing", V311, 0x10, `"MQTT" 04 06 003c "c" "t"`, MalformedPacket},
		{"v3.1.1 MQTT-3.1.2-9 topic missing", V311, 0x10, `"MQTT" 04 06 003c "c"`, MalformedPacket},
		{"v3.1.1 MQTT-3.1.2-11", V311, 0x10, `"MQTT" 04 02 003c "c" "t" "p"`, MalformedPacket},
		{"v3.1.1 MQTT-3.1.2-13", V311, 0x10, `"MQTT" 04 0a 003c "c"`, MalformedPacket},
		{"v3.1.1 MQTT-3.1.2-14", V311, 0x10, `"MQTT" 04 1e 003c "c" "t" "p"`, MalformedPacket},
		{"v3.1.1 MQTT-3.1.2-15", V311, 0x10, `"MQTT" 04 22 003c "c"`, MalformedPacket},
		{"v3.1.1 MQTT-3.1.2-18", V311, 0x10, `"MQTT" 04 02 003c "c" "user"`, MalformedPacket},
		{"v3.1.1 MQTT-3.1.2-19", V311, 0x10, `"MQTT" 04 82 003c "c"`, MalformedPacket},
		{"v3.1.1 MQTT-3.1.2-20", V311, 0x10, `"MQTT" 04 82 003c "c" "user" "pass"`, MalformedPacket},
		{"v3.1.1 MQTT-3.1.2-21", V311, 0x10, `"MQTT" 04 c2 003c "c" "user"`, MalformedPacket},
		{"v3.1.1 MQTT-3.1.2-22", V311, 0x10, `"MQTT" 04 42 003c "c" "pass"`, MalformedPacket},
		{"v3.1.1 MQTT-3.1.3-3", V311, 0x10, `"MQTT" 04 02 003c`, MalformedPacket},
	})
	for _, body := range []string{`"MQTT" 05 c6 003c 00 "id" 00 "topic" "payload" "user" "pass"`, `"MQTT" 04 c6 003c "id" "topic" "payload" "user" "pass"`} {
		var c Connect // MQTT-3.1.3-1
		if err := DecodeConnect(Frame{0x10, packet(t, body)}, &c); err != nil || string(c.ClientID) != "id" || string(c.Will.Topic) != "topic" ||
			string(c.Will.Payload) != "payload" || string(c.Username) != "user" || string(c.Password) != "pass" {
			t.Errorf("%s: %v %+v", body, err, c)
		}
	}
}

// TestPacketForm: packet identifiers, property lengths and reason codes.
func TestPacketForm(t *testing.T) {
	check(t, []statement{
		{"MQTT-2.2.1-3", V5, 0x32, `"a" 0000 00`, MalformedPacket},
		{"MQTT-2.2.1-3", V5, 0x82, `0000 00 "a" 00`, MalformedPacket},
		{"MQTT-2.2.1-3", V5, 0xa2, `0000 00 "a"`, MalformedPacket},
		{"v3.1.1 MQTT-2.3.1-1", V311, 0x32, `"a" 0000`, MalformedPacket},
		{"v3.1.1 MQTT-2.3.1-1", V311, 0x82, `0000 "a" 00`, MalformedPacket},
		{"v3.1.1 MQTT-2.3.1-1", V311, 0xa2, `0000 "a"`, MalformedPacket},
		{"MQTT-1.5.5-1 too long", V5, 0x30, `"a" 8000`, MalformedPacket},
		{"MQTT-1.5.5-1 five bytes", V5, 0x30, `"a" ffffffff01`, MalformedPacket},
		{"MQTT-2.2.2-1 PUBLISH", V5, 0x30, `"a"`, MalformedPacket},
		{"MQTT-2.2.2-1 CONNECT", V5, 0x10, `"MQTT" 05 02 003c`, MalformedPacket},
		{"MQTT-2.2.2-1 SUBSCRIBE", V5, 0x82, `0001`, MalformedPacket},
		{"MQTT-2.2.2-1 may be left out", V5, 0x40, `0001 00`, 0},
		{"MQTT-2.2.2-1 may be left out", V5, 0xe0, `00`, 0},
		{"MQTT-3.4.2-1", V5, 0x40, `0001 01`, ProtocolError},
		{"MQTT-3.5.2-1", V5, 0x50, `0001 92`, ProtocolError},
		{"MQTT-3.5.2-1", V5, 0x50, `0001 97`, 0},
		{"MQTT-3.6.2-1", V5, 0x62, `0001 80`, ProtocolError},
		{"MQTT-3.6.2-1", V5, 0x62, `0001 92`, 0},
		{"MQTT-3.7.2-1", V5, 0x70, `0001 10`, ProtocolError},
		{"MQTT-3.7.2-1", V5, 0x70, `0001 92`, 0},
		{"MQTT-3.14.2-1", V5, 0xe0, `91`, ProtocolError},
		{"MQTT-3.15.2-1", V5, 0xf0, `87 05 15 "m1"`, ProtocolError},
		{"MQTT-3.8.3-2", V5, 0x82, `0001 00`, ProtocolError},
		{"MQTT-3.10.3-2", V5, 0xa2, `0001 00`, ProtocolError},
		{"v3.1.1 MQTT-3.8.3-3", V311, 0x82, `0001`, ProtocolError},
		{"v3.1.1 MQTT-3.10.3-2", V311, 0xa2, `0001`, ProtocolError},
		{"v3.1.1 MQTT-3-8.3-4 QoS 3", V311, 0x82, `0001 "a" 03`, ProtocolError},
		{"v3.1.1 MQTT-3-8.3-4 reserved bits", V311, 0x82, `0001 "a" 80`, MalformedPacket},
	})
	// A QoS 0 PUBLISH has no packet identifier: what follows is the payload.
	var p Publish // MQTT-2.2.1-2
	if err := DecodePublish(V311, Frame{0x30, packet(t, `"a" 0001`)}, &p); err != nil || !bytes.Equal(p.Payload, []byte{0, 1}) || p.PacketID != 0 {
		t.Errorf("MQTT-2.2.1-2: %v %+v", err, p)
	}
	if b := AppendPublishHead(nil, V311, PublishFirst(0, false, false), []byte("a"), 7, nil, 0); !bytes.Equal(b, framed(0x30, packet(t, `"a"`))) {
		t.Errorf("MQTT-2.2.1-2: % x", b)
	}
	// Nor does a refusal ever say that a session is present.
	if b := AppendConnack(nil, V5, true, NotAuthorized, nil); b[2] != 0 {
		t.Errorf("MQTT-3.2.2-6: % x", b)
	}
	if b := AppendConnack(nil, V311, true, NotAuthorized, nil); b[2] != 0 {
		t.Errorf("v3.1.1 MQTT-3.2.2-4: % x", b)
	}
}

// TestTopicForm: topic names and filters, and those of shared subscriptions.
func TestTopicForm(t *testing.T) {
	long := strings.Repeat("x", 65535)
	for id, bad := range map[string][]string{
		"MQTT-4.7.1-1": {"a#", "#a", "a/#/b", "#/", "##"}, "MQTT-4.7.1-2": {"a+", "+a", "a/b+/c", "++", "+#"},
		"MQTT-4.7.3-1": {""}, "MQTT-4.7.3-2": {"a\x00", "\x00"},
		"MQTT-4.8.2-1": {"$share", "$share/", "$share//a"}, "MQTT-4.8.2-2": {"$share/g", "$share/g/", "$share/g+/a", "$share/#/a", "$share/g/a+"},
	} {
		for _, f := range bad {
			if ValidFilter([]byte(f)) == nil {
				t.Errorf("%s: %q is accepted", id, f)
			}
		}
	}
	for _, f := range []string{"#", "+", "/", "+/+/#", "a/+/#", "$share/g/#", "$share/g//a", "$SYS/+", " ", long} { // MQTT-4.7.3-3
		if err := ValidFilter([]byte(f)); err != nil {
			t.Errorf("%.20q: %v", f, err)
		}
	}
	for _, topic := range []string{"+", "a/#", "a+b", ""} { // MQTT-4.7.0-1, MQTT-3.3.2-2, MQTT-4.7.3-1
		if ValidTopic([]byte(topic)) == nil {
			t.Errorf("topic %q is accepted", topic)
		}
	}
	if err := ValidTopic([]byte(long)); err != nil {
		t.Errorf("MQTT-4.7.3-3: %v", err)
	}
	check(t, []statement{{"MQTT-3.3.2-14", V5, 0x30, `"a" 05 08 "r+"`, ProtocolError}})
}

// TestBridgeLevels takes the private levels of bridges under the names that
// bridges use.
func TestBridgeLevels(t *testing.T) {
	for _, x := range []struct {
		name  string
		level byte
		want  Version
	}{
		{"MQIsdp", 131, V31}, {"MQTT", 131, V31}, {"MQTT", 132, V311},
	} {
		b := append([]byte{0, byte(len(x.name))}, x.name...)
		b = append(b, x.level, 2, 0, 0, 0, 1, 'b')
		var c Connect
		if err := DecodeConnect(Frame{0x10, b}, &c); err != nil || c.Version != x.want || !c.Bridge {
			t.Errorf("%s %d: %v, version %d, bridge %v", x.name, x.level, err, c.Version, c.Bridge)
		}
	}
}
