package proxy

import (
	"net/netip"
	"strings"
	"testing"
)

// inPieces parses a header that comes in pieces of size bytes and holds what is
// promised of need.
func inPieces(t *testing.T, raw []byte, size int, h *Header) (n int, err error) {
	known := 0
	for at := min(size, len(raw)); ; at = min(at+size, len(raw)) {
		var need int
		n, need, err = Parse(raw[:at:at], h)
		if n == 0 && err == nil && (need != 0 && need <= at || need < known) {
			t.Errorf("%.60q, cut at %d: need %d after %d", raw, at, need, known)
		}
		if known = need; n > 0 || err != nil || at == len(raw) {
			return n, err
		}
	}
}

func port(s string) netip.AddrPort {
	if s == "" {
		return netip.AddrPort{}
	}
	return netip.MustParseAddrPort(s)
}

// sizes are those of the pieces in which headers come.
var sizes = []int{1, 5, 1 << 20}

func TestV1(t *testing.T) {
	longest := "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"
	if len(longest) != maxLine {
		t.Fatal(len(longest))
	}
	for _, c := range []struct{ line, source, destination string }{
		{"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n", "1.2.3.4:9", "5.6.7.8:10"},
		{"PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", "255.255.255.255:65535", "0.0.0.0:0"},
		{"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "[2001:db8::1]:1", "[::1]:2"},
		{"PROXY TCP6 2001:DB8:0:0:0:0:0:1 :: 1 2\r\n", "[2001:db8::1]:1", "[::]:2"},
		{"PROXY TCP6 ::ffff:1.2.3.4 ::ffff:102:305 1 2\r\n", "1.2.3.4:1", "1.2.3.5:2"},
		{strings.Replace(longest, "UNKNOWN", "TCP6", 1), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
		{"PROXY UNKNOWN\r\n", "", ""},
		{"PROXY UNKNOWN \r\n", "", ""},
		{"PROXY UNKNOWN whatever 1 2 it  says\r\n", "", ""},
		{longest, "", ""},
	} {
		for _, size := range sizes {
			var h Header
			n, err := inPieces(t, []byte(c.line+"\x10"), size, &h)
			if err != nil || n != len(c.line) || h.Version != 1 || h.Local != (c.source == "") ||
				h.Source != port(c.source) || h.Destination != port(c.destination) {
				t.Errorf("%q: %d %+v %v", c.line, n, h, err)
			}
		}
	}
}

func TestV1Refused(t *testing.T) {
	for _, c := range []struct {
		line string
		want *Error
	}{
		{"\x10\x0c\x00\x04MQTT", errNone},
		{"GET / HTTP/1.1\r\n", errNone},
		{"\x16\x03\x01", errNone},
		{"proxy TCP4 1.2.3.4 5.6.7.8 9 10\r\n", errNone},
		{"PROXY\tTCP4 1.2.3.4 5.6.7.8 9 10\r\n", errNone},
		{"PROXY\r\n", errNone},
		{" PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n", errNone},
		{"PROXY \r\n", errFamily1},
		{"PROXY  TCP4 1.2.3.4 5.6.7.8 9 10\r\n", errFamily1},
		{"PROXY tcp4 1.2.3.4 5.6.7.8 9 10\r\n", errFamily1},
		{"PROXY TCP 1.2.3.4 5.6.7.8 9 10\r\n", errFamily1},
		{"PROXY UDP4 1.2.3.4 5.6.7.8 9 10\r\n", errFamily1},
		{"PROXY UNKNOWNS\r\n", errFamily1},
		{"PROXY TCP4\r\n", errParts},
		{"PROXY TCP4 \r\n", errParts},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 9\r\n", errParts},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 9 10 \r\n", errParts},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 9 10 11\r\n", errParts},
		{"PROXY TCP4  1.2.3.4 5.6.7.8 9 10\r\n", errParts},
		{"PROXY TCP4 1.2.3.4 5.6.7.8  9\r\n", errPort},
		{"PROXY TCP4 1.2.3.4  9 10\r\n", errAddress},
		{"PROXY TCP4 1.2.3 5.6.7.8 9 10\r\n", errAddress},
		{"PROXY TCP4 1.2.3.04 5.6.7.8 9 10\r\n", errAddress},
		{"PROXY TCP4 1.2.3.256 5.6.7.8 9 10\r\n", errAddress},
		{"PROXY TCP4 1.2.3.4 5.6.7 9 10\r\n", errAddress},
		{"PROXY TCP4 ::1 5.6.7.8 9 10\r\n", errAddress},
		{"PROXY TCP4 ::ffff:1.2.3.4 5.6.7.8 9 10\r\n", errAddress},
		{"PROXY TCP4 localhost 5.6.7.8 9 10\r\n", errAddress},
		{"PROXY TCP6 1.2.3.4 5.6.7.8 9 10\r\n", errAddress},
		{"PROXY TCP6 ::1 1.2.3.4 9 10\r\n", errAddress},
		{"PROXY TCP6 fe80::1%eth0 ::1 9 10\r\n", errAddress},
		{"PROXY TCP6 [::1] ::1 9 10\r\n", errAddress},
		{"PROXY TCP6 1::2::3 ::1 9 10\r\n", errAddress},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 09 10\r\n", errPort},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 00 10\r\n", errPort},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 65536 10\r\n", errPort},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 9 99999999999999999999\r\n", errPort},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 -9 10\r\n", errPort},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 +9 10\r\n", errPort},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 9 0x10\r\n", errPort},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\t\r\n", errPort},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\n", errLineEnd},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\n\r", errLineEnd},
		{"PROXY UNKNOWN\n", errLineEnd},
		{"PROXY UNKNOWN a\rb\r\n", errLineEnd},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\r\n", errLineEnd},
		{"PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n", errLong1},
		{"PROXY UNKNOWN " + strings.Repeat("x", 93), errLong1},
		{"PROXY UNKNOWN " + strings.Repeat("x", 500), errLong1},
		{"PROXY TCP4 1.2.3.4 5.6.7.8 9 " + strings.Repeat("0", 80) + "\r\n", errLong1},
	} {
		for _, size := range sizes {
			var h Header
			if n, err := inPieces(t, []byte(c.line), size, &h); n != 0 || err != c.want {
				t.Errorf("%q in pieces of %d: %d %v", c.line, size, n, err)
			}
		}
	}
}

func TestAppendV1(t *testing.T) {
	for want, c := range map[string][2]string{
		"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n":               {"1.2.3.4:9", "5.6.7.8:10"},
		"PROXY TCP6 2001:db8::1 ::1 1 2\r\n":                {"[2001:db8::1]:1", "[::1]:2"},
		"PROXY TCP4 1.2.3.4 1.2.3.5 1 2\r\n":                {"[::ffff:1.2.3.4]:1", "1.2.3.5:2"},
		"PROXY TCP6 ::ffff:1.2.3.4 2001:db8::1 65535 0\r\n": {"1.2.3.4:65535", "[2001:db8::1]:0"},
		"PROXY UNKNOWN\r\n":                                 {"1.2.3.4:1", ""},
	} {
		if out := AppendV1([]byte("x"), port(c[0]), port(c[1])); string(out) != "x"+want {
			t.Errorf("%q", out)
		}
	}
}
