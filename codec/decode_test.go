package codec

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// packet makes bytes of hex digits and quoted text: `10 "MQTT" 04`. A text
// stands with its two-byte length.
func packet(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	for i, part := range strings.Split(s, `"`) {
		if i%2 == 1 {
			out = appendBytes(out, part)
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		out = append(out, b...)
	}
	return out
}

// framed puts a fixed header before a body.
func framed(first byte, body []byte) []byte {
	return append(appendLength([]byte{first}, len(body)), body...)
}

// decode decodes a whole packet of any type.
func decode(v Version, f Frame) error {
	switch f.Type() {
	case CONNECT:
		return DecodeConnect(f, new(Connect))
	case CONNACK:
		return DecodeConnack(v, f, new(Connack))
	case PUBLISH:
		return DecodePublish(v, f, new(Publish))
	case PUBACK, PUBREC, PUBREL, PUBCOMP:
		return DecodeAck(v, f, new(Ack))
	case SUBSCRIBE:
		return DecodeSubscribe(v, f, new(Subscribe))
	case SUBACK:
		return DecodeSuback(v, f, new(Suback))
	case UNSUBSCRIBE:
		return DecodeUnsubscribe(v, f, new(Unsubscribe))
	case UNSUBACK:
		return DecodeUnsuback(v, f, new(Suback))
	case DISCONNECT:
		return DecodeDisconnect(v, f, new(Disconnect))
	case AUTH:
		return DecodeAuth(f, new(Auth))
	}
	return DecodeEmpty(f)
}

// codeOf is the reason code of an error, 0 without one.
func codeOf(err error) ReasonCode {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// cases are packets with the reason code that refuses them, 0 for good ones.
// The body is given; the Remaining Length is computed.
var cases = []struct {
	name string
	v    Version
	head byte
	body string
	want ReasonCode
}{
	{"3.1 plain", V31, 0x10, `"MQIsdp" 03 02 003c "c1"`, 0},
	{"3.1 user flag without field", V31, 0x10, `"MQIsdp" 03 c2 003c "c1"`, 0},
	{"3.1 password flag without field", V31, 0x10, `"MQIsdp" 03 c2 003c "c1" "user"`, 0},
	{"3.1 bridge", V31, 0x10, `"MQIsdp" 83 02 003c "c1"`, 0},
	{"3.1 level 9", V31, 0x10, `"MQIsdp" 09 02 003c "c1"`, 0},
	{"3.1.1 plain", V311, 0x10, `"MQTT" 04 02 003c "c1"`, 0},
	{"3.1.1 bridge", V311, 0x10, `"MQTT" 84 02 003c "c1"`, 0},
	{"3.1.1 everything", V311, 0x10, `"MQTT" 04 f6 003c "c1" "will/t" "bye" "user" "pass"`, 0},
	{"level 3 under MQTT", V311, 0x10, `"MQTT" 03 02 003c "c1"`, UnsupportedProtocolVersion},
	{"level 6", V5, 0x10, `"MQTT" 06 02 003c "c1"`, UnsupportedProtocolVersion},
	{"level 133", V5, 0x10, `"MQTT" 85 02 003c 00 "c1"`, UnsupportedProtocolVersion},
	{"unknown name", V311, 0x10, `"AMQP" 04 02 003c "c1"`, UnsupportedProtocolVersion},
	{"connect flags in header", V311, 0x11, `"MQTT" 04 02 003c "c1"`, MalformedPacket},
	{"connect reserved flag", V311, 0x10, `"MQTT" 04 03 003c "c1"`, MalformedPacket},
	{"3.1.1 password without user", V311, 0x10, `"MQTT" 04 42 003c "c1" "pass"`, MalformedPacket},
	{"3.1.1 user missing", V311, 0x10, `"MQTT" 04 82 003c "c1"`, MalformedPacket},
	{"will qos 3", V311, 0x10, `"MQTT" 04 1e 003c "c1" "t" "p"`, MalformedPacket},
	{"will qos without will", V311, 0x10, `"MQTT" 04 0a 003c "c1"`, MalformedPacket},
	{"will retain without will", V311, 0x10, `"MQTT" 04 22 003c "c1"`, MalformedPacket},
	{"will topic wildcard", V311, 0x10, `"MQTT" 04 06 003c "c1" "a/#" "p"`, TopicNameInvalid},
	{"will topic empty", V311, 0x10, `"MQTT" 04 06 003c "c1" "" "p"`, MalformedPacket},
	{"will payload missing", V311, 0x10, `"MQTT" 04 06 003c "c1" "a"`, MalformedPacket},
	{"connect rest", V311, 0x10, `"MQTT" 04 02 003c "c1" 00`, MalformedPacket},
	{"client id not UTF-8", V311, 0x10, `"MQTT" 04 02 003c 0001 ff`, MalformedPacket},
	{"client id with NUL", V311, 0x10, `"MQTT" 04 02 003c 0001 00`, MalformedPacket},
	{"client id surrogate", V311, 0x10, `"MQTT" 04 02 003c 0003 eda080`, MalformedPacket},
	{"5 plain", V5, 0x10, `"MQTT" 05 02 003c 00 "c1"`, 0},
	{"5 password without user", V5, 0x10, `"MQTT" 05 42 003c 00 "c1" "pass"`, 0},
	{"5 all properties", V5, 0x10, `"MQTT" 05 02 003c 1f 1100000010 210014 2700001000 22000a 1901 1700 26 "k" "v" 150001 78 "c1"`, 0},
	{"5 will properties", V5, 0x10, `"MQTT" 05 06 003c 00 "c1" 0c 1800000005 0101 0200000009 "a" "p"`, 0},
	{"5 will topic alias", V5, 0x10, `"MQTT" 05 06 003c 00 "c1" 03 230001 "a" "p"`, MalformedPacket},
	{"5 receive maximum 0", V5, 0x10, `"MQTT" 05 02 003c 03 210000 "c1"`, ProtocolError},
	{"5 maximum packet size 0", V5, 0x10, `"MQTT" 05 02 003c 05 2700000000 "c1"`, ProtocolError},
	{"5 property twice", V5, 0x10, `"MQTT" 05 02 003c 06 210001 210001 "c1"`, ProtocolError},
	{"5 request problem 2", V5, 0x10, `"MQTT" 05 02 003c 02 1702 "c1"`, ProtocolError},
	{"5 auth data without method", V5, 0x10, `"MQTT" 05 02 003c 04 16000178 "c1"`, ProtocolError},
	{"5 unknown property", V5, 0x10, `"MQTT" 05 02 003c 02 7f00 "c1"`, MalformedPacket},
	{"5 property of another packet", V5, 0x10, `"MQTT" 05 02 003c 02 2401 "c1"`, MalformedPacket},
	{"5 property length beyond", V5, 0x10, `"MQTT" 05 02 003c 7f 210001`, MalformedPacket},
	{"5 property cut", V5, 0x10, `"MQTT" 05 02 003c 02 2100 "c1"`, MalformedPacket},

	{"publish 0", V311, 0x30, `"a/b" 6869`, 0},
	{"publish 0 with dup", V311, 0x38, `"a/b" 6869`, 0},
	{"publish 1", V311, 0x32, `"a/b" 0001 6869`, 0},
	{"publish 3", V311, 0x36, `"a/b" 0001`, MalformedPacket},
	{"publish id 0", V311, 0x32, `"a/b" 0000`, MalformedPacket},
	{"publish without id", V311, 0x32, `"a/b"`, MalformedPacket},
	{"publish empty topic", V311, 0x30, `""`, MalformedPacket},
	{"publish +", V311, 0x30, `"a/+"`, TopicNameInvalid},
	{"publish # late", V311, 0x30, `"abcdefghijkl#"`, TopicNameInvalid},
	{"publish NUL", V311, 0x30, `0003 610062`, MalformedPacket},
	{"publish NUL and wildcard", V311, 0x30, `0003 2b0062`, MalformedPacket},
	{"publish not UTF-8", V311, 0x30, `0003 61ff62`, MalformedPacket},
	{"publish UTF-8", V311, 0x30, `"größe/℃"`, 0},
	{"publish topic beyond", V311, 0x30, `0009 61`, MalformedPacket},
	{"5 publish", V5, 0x30, `"a" 00 78`, 0},
	{"5 publish without property length", V5, 0x30, `"a"`, MalformedPacket},
	{"5 publish properties", V5, 0x32, `"a" 0007 1d 0101 0200000064 230001 03 "json" 08 "re" 09 "id" 0b05 78`, 0},
	{"5 publish properties too short", V5, 0x32, `"a" 0007 1c 0101 0200000064 230001 03 "json" 08 "re" 09 "id" 0b05 78`, MalformedPacket},
	{"5 alias only", V5, 0x30, `"" 03 230001 78`, 0},
	{"5 alias 0", V5, 0x30, `"a" 03 230000 78`, TopicAliasInvalid},
	{"5 no topic no alias", V5, 0x30, `"" 00`, ProtocolError},
	{"5 response topic wildcard", V5, 0x30, `"a" 05 08 "r#"`, ProtocolError},
	{"5 payload format 2", V5, 0x30, `"a" 02 0102`, ProtocolError},
	{"5 subscription id 0", V5, 0x30, `"a" 02 0b00`, ProtocolError},
	{"5 subscription id not minimal", V5, 0x30, `"a" 03 0b8100`, MalformedPacket},
	{"5 two subscription ids", V5, 0x30, `"a" 04 0b01 0b02`, 0},

	{"puback", V311, 0x40, `0001`, 0},
	{"puback id 0", V311, 0x40, `0000`, MalformedPacket},
	{"puback flags", V311, 0x42, `0001`, MalformedPacket},
	{"puback v4 with reason", V311, 0x40, `0001 00`, MalformedPacket},
	{"pubrel", V311, 0x62, `0001`, 0},
	{"pubrel flags", V311, 0x60, `0001`, MalformedPacket},
	{"pubrel 3.1 with dup", V31, 0x6a, `0001`, 0},
	{"5 puback reason", V5, 0x40, `0001 10`, 0},
	{"5 puback properties", V5, 0x40, `0001 87 06 1f "why"`, 0},
	{"5 puback bad reason", V5, 0x40, `0001 92`, ProtocolError},
	{"5 pubrel reason", V5, 0x62, `0001 92`, 0},
	{"5 pubrel bad reason", V5, 0x62, `0001 10`, ProtocolError},
	{"5 pubcomp bad reason", V5, 0x70, `0001 80`, ProtocolError},
	{"5 pubrec property of another packet", V5, 0x50, `0001 00 02 2401`, MalformedPacket},

	{"subscribe", V311, 0x82, `0001 "a/#" 01 "b/+" 02`, 0},
	{"subscribe flags", V311, 0x80, `0001 "a" 01`, MalformedPacket},
	{"subscribe 3.1 flags", V31, 0x8a, `0001 "a" 01`, 0},
	{"subscribe id 0", V311, 0x82, `0000 "a" 01`, MalformedPacket},
	{"subscribe nothing", V311, 0x82, `0001`, ProtocolError},
	{"subscribe qos 3", V311, 0x82, `0001 "a" 03`, ProtocolError},
	{"subscribe reserved bits", V311, 0x82, `0001 "a" 04`, MalformedPacket},
	{"subscribe without qos", V311, 0x82, `0001 "a"`, MalformedPacket},
	{"subscribe empty filter", V311, 0x82, `0001 "" 00`, MalformedPacket},
	{"subscribe a#", V311, 0x82, `0001 "a#" 00`, TopicFilterInvalid},
	{"subscribe a/#/b", V311, 0x82, `0001 "a/#/b" 00`, TopicFilterInvalid},
	{"subscribe a+", V311, 0x82, `0001 "a+" 00`, TopicFilterInvalid},
	{"subscribe +a", V311, 0x82, `0001 "+a/b" 00`, TopicFilterInvalid},
	{"subscribe #", V311, 0x82, `0001 "#" 00`, 0},
	{"subscribe +/+/#", V311, 0x82, `0001 "+/+/#" 00`, 0},
	{"subscribe NUL", V311, 0x82, `0001 0001 00 00`, MalformedPacket},
	{"shared", V311, 0x82, `0001 "$share/g/a/#" 00`, 0},
	{"shared with empty first level", V311, 0x82, `0001 "$share/g//a" 00`, 0},
	{"shared without filter", V311, 0x82, `0001 "$share/g" 00`, TopicFilterInvalid},
	{"shared with empty filter", V311, 0x82, `0001 "$share/g/" 00`, TopicFilterInvalid},
	{"shared with empty group", V311, 0x82, `0001 "$share//a" 00`, TopicFilterInvalid},
	{"shared with wildcard group", V311, 0x82, `0001 "$share/g+/a" 00`, TopicFilterInvalid},
	{"$share alone", V311, 0x82, `0001 "$share" 00`, TopicFilterInvalid},
	{"5 subscribe", V5, 0x82, `0001 00 "a" 2d`, 0},
	{"5 subscribe id", V5, 0x82, `0001 03 0bff7f "a" 00`, 0},
	{"5 subscribe id 0", V5, 0x82, `0001 02 0b00 "a" 00`, ProtocolError},
	{"5 subscribe id twice", V5, 0x82, `0001 04 0b01 0b02 "a" 00`, ProtocolError},
	{"5 retain handling 3", V5, 0x82, `0001 00 "a" 30`, ProtocolError},
	{"5 reserved option", V5, 0x82, `0001 00 "a" 40`, MalformedPacket},
	{"5 qos 3", V5, 0x82, `0001 00 "a" 03`, ProtocolError},
	{"5 no local on shared", V5, 0x82, `0001 00 "$share/g/a" 04`, ProtocolError},
	{"unsubscribe", V311, 0xa2, `0001 "a" "b/#"`, 0},
	{"unsubscribe nothing", V311, 0xa2, `0001`, ProtocolError},
	{"unsubscribe flags", V5, 0xa0, `0001 00 "a"`, MalformedPacket},
	{"5 unsubscribe", V5, 0xa2, `0001 00 "a"`, 0},

	{"pingreq", V311, 0xc0, ``, 0},
	{"pingreq flags", V311, 0xc1, ``, MalformedPacket},
	{"pingreq body", V311, 0xc0, `00`, MalformedPacket},
	{"disconnect", V311, 0xe0, ``, 0},
	{"disconnect body v4", V311, 0xe0, `00`, MalformedPacket},
	{"disconnect flags", V5, 0xe1, ``, MalformedPacket},
	{"5 disconnect", V5, 0xe0, ``, 0},
	{"5 disconnect reason", V5, 0xe0, `04`, 0},
	{"5 disconnect bad reason", V5, 0xe0, `01`, ProtocolError},
	{"5 disconnect expiry", V5, 0xe0, `00 05 1100000009`, 0},
	{"5 disconnect cut", V5, 0xe0, `00 05 11000000`, MalformedPacket},
	{"5 auth", V5, 0xf0, `18 05 15 "m1"`, 0},
	{"5 auth without method", V5, 0xf0, `18 00`, ProtocolError},
	{"5 auth empty", V5, 0xf0, ``, ProtocolError},
	{"5 auth bad reason", V5, 0xf0, `87 05 15 "m1"`, ProtocolError},
	{"connack", V311, 0x20, `01 00`, 0},
	{"connack bad flags", V311, 0x20, `02 00`, MalformedPacket},
	{"connack present and refused", V311, 0x20, `01 05`, MalformedPacket},
	{"connack bad code", V311, 0x20, `00 06`, ProtocolError},
	{"5 connack", V5, 0x20, `00 00 03 22000a`, 0},
	{"5 connack bad reason", V5, 0x20, `00 8e 00`, ProtocolError},
	{"suback", V311, 0x90, `0001 00 01 02 80`, 0},
	{"suback bad code", V311, 0x90, `0001 03`, ProtocolError},
	{"suback without code", V311, 0x90, `0001`, MalformedPacket},
	{"5 suback", V5, 0x90, `0001 00 02 8f`, 0},
	{"unsuback", V311, 0xb0, `0001`, 0},
	{"5 unsuback", V5, 0xb0, `0001 00 11`, 0},
}

func TestDecode(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := framed(c.head, packet(t, c.body))
			f, n, _, err := Cut(b, 0)
			if err != nil || n != len(b) {
				t.Fatalf("cut: %d %v", n, err)
			}
			err = decode(c.v, f)
			if got := codeOf(err); got != c.want || (err != nil) != (c.want != 0) {
				t.Errorf("got %v (0x%02x), want 0x%02x", err, byte(got), byte(c.want))
			}
		})
	}
}

// TestPrefixes cuts every good packet at every place: the part is incomplete
// for Cut, and as a body of its own it never crashes a decoder.
func TestPrefixes(t *testing.T) {
	for _, c := range cases {
		b := framed(c.head, packet(t, c.body))
		for i := range b {
			_, n, need, err := Cut(b[:i], 0)
			if n != 0 || err != nil {
				t.Fatalf("%s: %d of %d bytes: n=%d, %v", c.name, i, len(b), n, err)
			}
			if i >= 2 && len(b) < 128 && need != len(b) {
				t.Fatalf("%s: need %d, want %d", c.name, need, len(b))
			}
		}
		body := packet(t, c.body)
		for i := range body {
			_ = decode(c.v, Frame{c.head, body[:i]})
		}
	}
}

func TestCut(t *testing.T) {
	two := append(framed(0x30, packet(t, `"a" 01`)), framed(0xc0, nil)...)
	f, n, _, err := Cut(two, 0)
	if err != nil || n != 6 || f.Type() != PUBLISH {
		t.Fatalf("first: %v %d %v", f.Type(), n, err)
	}
	if f, n, _, err = Cut(two[n:], 0); err != nil || n != 2 || f.Type() != PINGREQ {
		t.Fatalf("second: %v %d %v", f.Type(), n, err)
	}
	for _, c := range []struct {
		bytes string
		max   int
		want  ReasonCode
	}{
		{"00", 0, MalformedPacket}, {"0000", 0, MalformedPacket},
		{"30ffffffff", 0, MalformedPacket}, {"308000", 0, MalformedPacket}, {"30ffffff80", 0, MalformedPacket},
		{"30ffffff7f", 0, 0}, {"30ff", 0, 0}, {"3065", 100, PacketTooLarge}, {"3064", 100, 0}, {"30ffffff7f", 1 << 20, PacketTooLarge},
	} {
		_, n, _, err := Cut(packet(t, c.bytes), c.max)
		if codeOf(err) != c.want || n != 0 {
			t.Errorf("%s: %v, want 0x%02x", c.bytes, err, byte(c.want))
		}
	}
}

func TestConnectFields(t *testing.T) {
	b := packet(t, `"MQTT" 05 f6 003c 08 1100000010 210014 "c1" 05 1800000007 "w/t" "bye" "user" "pass"`)
	var c Connect
	if err := DecodeConnect(Frame{0x10, b}, &c); err != nil {
		t.Fatal(err)
	}
	if c.Version != V5 || !c.CleanStart || c.KeepAlive != 60 || string(c.ClientID) != "c1" || c.SessionExpiry != 16 ||
		c.ReceiveMax != 20 || !c.HasWill || c.Will.QoS != 2 || !c.Will.Retain || c.Will.Delay != 7 ||
		string(c.Will.Topic) != "w/t" || string(c.Will.Payload) != "bye" || string(c.Username) != "user" ||
		string(c.Password) != "pass" || !c.RequestProblemInfo {
		t.Errorf("%+v", c)
	}
	if err := DecodeConnect(Frame{0x10, packet(t, `"AMQP" 04 02`)}, &c); !errors.Is(err, ErrProtocolName) {
		t.Errorf("unknown protocol: %v", err)
	}
	if err := DecodeConnect(Frame{0x10, packet(t, `"MQTT" 05 03 003c 00 "c"`)}, &c); err == nil || c.Version != V5 {
		t.Errorf("version of a refused CONNECT: %d", c.Version)
	}
}

func TestForward(t *testing.T) {
	body := packet(t, `"a" 1c 26 "k1" "v" 0200000064 26 "k2" "v" 230001 0b05 0101 78`)
	var p Publish
	if err := DecodePublish(V5, Frame{0x30, body}, &p); err != nil {
		t.Fatal(err)
	}
	want := packet(t, `26 "k1" "v" 26 "k2" "v" 0101`)
	if got := p.Props.AppendForward(nil); string(got) != string(want) {
		t.Errorf("forwarded % x, want % x", got, want)
	}
	if p.Props.Expiry != 100 || p.Props.Alias != 1 || !p.Props.HasSubscriptionID() {
		t.Errorf("%+v", p.Props)
	}
	var names []string
	for k, v := range p.Props.Raw.Users {
		names = append(names, string(k)+"="+string(v))
	}
	if strings.Join(names, " ") != "k1=v k2=v" {
		t.Errorf("user properties %v", names)
	}
}

func TestSplitShared(t *testing.T) {
	for in, want := range map[string]string{"$share/g/a/b": "g a/b true", "$share/g//a": "g /a true", "a/b": " a/b false", "$share/g": " $share/g false"} {
		g, r, ok := SplitShared([]byte(in))
		if got := string(g) + " " + string(r) + map[bool]string{true: " true", false: " false"}[ok]; got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestConnackV3(t *testing.T) {
	for code, want := range map[ReasonCode]byte{Success: 0, UnsupportedProtocolVersion: 1, ClientIdentifierNotValid: 2,
		ServerUnavailable: 3, BadUsernameOrPassword: 4, NotAuthorized: 5, QuotaExceeded: 3} {
		if got := code.ConnackV3(); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}
