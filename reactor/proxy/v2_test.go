package proxy

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// head builds a header of version 2 around a block.
func head(command, family byte, block []byte) []byte {
	out := append([]byte(signature), command, family)
	return append(binary.BigEndian.AppendUint16(out, uint16(len(block))), block...)
}

// inet is a header for IPv4 with TLVs.
func inet(tlvs string) []byte {
	return head(0x21, 0x11, append(unhex("01020304 05060708 0009 000a"), unhex(tlvs)...))
}

// summed is a header that ends with its checksum.
func summed(tlvs string) []byte {
	b := inet(tlvs + "03 0004 00000000")
	binary.BigEndian.PutUint32(b[len(b)-4:], checksum(b, len(b)-4))
	return b
}

var valid2 = []struct {
	name string
	raw  []byte
	want Header
}{
	{"local", head(0x20, 0, nil), Header{Local: true}},
	{"local with addresses", head(0x20, 0x11, make([]byte, 12)), Header{Local: true}},
	{"local with anything", head(0x20, 0xff, []byte("any")), Header{Local: true}},
	{"unspecified", head(0x21, 0, nil), Header{Local: true}},
	{"unspecified with alpn", head(0x21, 0, unhex("01 0002 6832")), Header{Local: true, ALPN: []byte("h2")}},
	{"unix", head(0x21, 0x31, make([]byte, 216)), Header{Local: true}},
	{"inet", inet(""), Header{Source: port("1.2.3.4:9"), Destination: port("5.6.7.8:10")}},
	{"inet6", head(0x21, 0x21, unhex("20010db8000000000000000000000001 00000000000000000000000000000001 ffff 0000")),
		Header{Source: port("[2001:db8::1]:65535"), Destination: port("[::1]:0")}},
	{"inet in inet6", head(0x21, 0x21, unhex("00000000000000000000ffff01020304 00000000000000000000ffff05060708 0009 000a")),
		Header{Source: port("1.2.3.4:9"), Destination: port("5.6.7.8:10")}},
	{"tlvs", inet("01 0004 6d717474  02 0002 612e  04 0003 000000 04 0000  05 0002 00ff  30 0001 6e  e0 0001 00 e0 0000 ff 0000"),
		Header{Source: port("1.2.3.4:9"), Destination: port("5.6.7.8:10"), ALPN: []byte("mqtt"), Authority: []byte("a."),
			UniqueID: []byte{0, 255}, NetNS: []byte("n")}},
	{"checksum", summed("04 0001 aa"), Header{Source: port("1.2.3.4:9"), Destination: port("5.6.7.8:10")}},
	{"tls", inet("20 0005 00 00000001"), Header{Source: port("1.2.3.4:9"), Destination: port("5.6.7.8:10"),
		TLS: TLS{Present: true, Verify: 1}}},
	{"tls with all", inet("20 0020 07 00000000  21 0002 7631  22 0002 c3a9  23 0001 63  24 0001 73  25 0001 6b 99 0002 0000"),
		Header{Source: port("1.2.3.4:9"), Destination: port("5.6.7.8:10"), TLS: TLS{Present: true, Client: 7,
			TLSVersion: []byte("v1"), CommonName: []byte("é"), Cipher: []byte("c"), SigAlg: []byte("s"), KeyAlg: []byte("k")}}},
	{"longest", inet("04 0fe1" + strings.Repeat("00", 4065)), Header{Source: port("1.2.3.4:9"), Destination: port("5.6.7.8:10")}},
}

func TestV2(t *testing.T) {
	for _, c := range valid2 {
		c.want.Version = 2
		for _, size := range sizes {
			var h Header
			n, err := inPieces(t, append(bytes.Clone(c.raw), "\x10"...), size, &h)
			if err != nil || n != len(c.raw) || !reflect.DeepEqual(h, c.want) {
				t.Errorf("%s in pieces of %d: %d of %d, %+v %v", c.name, size, n, len(c.raw), h, err)
			}
		}
	}
}

var refused2 = []struct {
	name string
	raw  []byte
	want *Error
}{
	{"no signature", append([]byte("\r\n\r\n\x00\r\nQUIX\n"), make([]byte, 20)...), errNone},
	{"empty lines", []byte("\r\n\r\nGET"), errNone},
	{"version 1", head(0x11, 0x11, make([]byte, 12)), errVersion},
	{"version 3", head(0x31, 0x11, make([]byte, 12)), errVersion},
	{"command 2", head(0x22, 0x11, make([]byte, 12)), errCommand},
	{"command 15", head(0x2f, 0x11, make([]byte, 12)), errCommand},
	{"family 4", head(0x21, 0x41, make([]byte, 12)), errFamily2},
	{"family 15", head(0x21, 0xf1, make([]byte, 12)), errFamily2},
	{"udp 4", head(0x21, 0x12, make([]byte, 12)), errDatagram},
	{"udp 6", head(0x21, 0x22, make([]byte, 36)), errDatagram},
	{"unix datagram", head(0x21, 0x32, make([]byte, 216)), errDatagram},
	{"family without transport", head(0x21, 0x10, make([]byte, 12)), errTransport},
	{"transport without family", head(0x21, 0x01, nil), errTransport},
	{"transport 3", head(0x21, 0x13, make([]byte, 12)), errTransport},
	{"transport 15", head(0x21, 0x2f, make([]byte, 36)), errTransport},
	{"4097 bytes", inet("04 0fe2" + strings.Repeat("00", 4066)), errTooLong},
	{"65535 bytes", append([]byte(signature), 0x21, 0x11, 0xff, 0xff), errTooLong},
	{"long local", append([]byte(signature), 0x20, 0x00, 0xff, 0xff), errTooLong},
	{"short inet", head(0x21, 0x11, make([]byte, 11)), errAddresses},
	{"empty inet", head(0x21, 0x11, nil), errAddresses},
	{"short inet6", head(0x21, 0x21, make([]byte, 35)), errAddresses},
	{"short unix", head(0x21, 0x31, make([]byte, 215)), errAddresses},
	{"tlv of 1 byte", inet("04"), errTLVHead},
	{"tlv of 2 bytes", inet("04 00"), errTLVHead},
	{"tlv cut", inet("04 0001"), errTLVSize},
	{"second tlv cut", inet("04 0000 04 0003 0000"), errTLVSize},
	{"tlv of 64 KiB", inet("04 ffff 00"), errTLVSize},
	{"unix with a bad tlv", head(0x21, 0x31, make([]byte, 217)), errTLVHead},
	{"alpn twice", inet("01 0001 61 01 0001 61"), errTwice},
	{"authority twice", inet("02 0001 61 02 0001 61"), errTwice},
	{"unique id twice", inet("05 0001 61 05 0000"), errTwice},
	{"tls twice", inet("20 0005 0000000000 20 0005 0000000000"), errTwice},
	{"netns twice", inet("30 0001 61 30 0001 61"), errTwice},
	{"empty alpn", inet("01 0000"), errALPN},
	{"long alpn", inet("01 0100" + strings.Repeat("61", 256)), errALPN},
	{"empty authority", inet("02 0000"), errAuthority},
	{"long authority", inet("02 0100" + strings.Repeat("61", 256)), errAuthority},
	{"authority not utf-8", inet("02 0001 ff"), errAuthority},
	{"authority with NUL", inet("02 0001 00"), errAuthority},
	{"long unique id", inet("05 0081" + strings.Repeat("00", 129)), errUniqueID},
	{"empty netns", inet("30 0000"), errNetNS},
	{"netns not ascii", inet("30 0001 80"), errNetNS},
	{"checksum wrong", inet("03 0004 12345678"), errChecksum},
	{"checksum zero", inet("03 0004 00000000"), errChecksum},
	{"checksum of 3", inet("03 0003 000000"), errChecksize},
	{"checksum of 5", inet("03 0005 0000000000"), errChecksize},
	{"tls of 4", inet("20 0004 00000000"), errTLSHead},
	{"empty tls", inet("20 0000"), errTLSHead},
	{"sub tlv cut", inet("20 0007 0100000000 2200"), errTLVHead},
	{"sub tlv too long", inet("20 0008 0100000000 220001 04 0000"), errTLVSize},
	{"cn twice", inet("20 000d 0100000000 220001 61 220001 62"), errTwice},
	{"cn not utf-8", inet("20 0009 0100000000 220001 ff"), errCommonName},
	{"cn with NUL", inet("20 0009 0100000000 220001 00"), errCommonName},
	{"cn with LF", inet("20 0009 0100000000 220001 0a"), errCommonName},
	{"empty tls version", inet("20 0008 0100000000 210000"), errTLSText},
	{"cipher not ascii", inet("20 0009 0100000000 230001 ff"), errTLSText},
	{"signature not ascii", inet("20 0009 0100000000 240001 09"), errTLSText},
	{"key not ascii", inet("20 0009 0100000000 250001 7f"), errTLSText},
}

func TestV2Refused(t *testing.T) {
	for _, c := range refused2 {
		for _, size := range sizes {
			var h Header
			if n, err := inPieces(t, c.raw, size, &h); n != 0 || err != c.want {
				t.Errorf("%s in pieces of %d: %d %v", c.name, size, n, err)
			}
		}
	}
	good := summed("04 0001 aa")
	for i := range len(good) - 7 { // one bit anywhere in front of the checksum
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		var h Header
		if n, _, err := Parse(bad, &h); err == nil && n > 0 {
			t.Errorf("checksum does not see byte %d", i)
		}
	}
	twice := summed("")
	twice = head(0x21, 0x11, append(bytes.Clone(twice[headSize:]), unhex("03 0004 00000000")...))
	var h Header
	if _, _, err := Parse(twice, &h); err != errChecksum && err != errTwice {
		t.Errorf("two checksums: %v", err)
	}
}

// TestCN holds that only a verified certificate has a name.
func TestCN(t *testing.T) {
	for _, c := range []struct {
		client byte
		verify uint32
		ok     bool
	}{{1, 0, false}, {3, 0, true}, {5, 0, true}, {7, 0, true}, {7, 1, false}, {0, 0, false}} {
		h := Header{TLS: TLS{Present: true, Client: c.client, Verify: c.verify, CommonName: []byte("me")}}
		if (h.CN() != nil) != c.ok {
			t.Errorf("%+v: %q", c, h.CN())
		}
	}
}

// TestAppendV2 holds that every valid header comes back from its encoding.
func TestAppendV2(t *testing.T) {
	for _, c := range valid2 {
		if c.want.Local {
			c.want = Header{Local: true}
		}
		c.want.Version = 2
		for _, sum := range []bool{false, true} {
			out := AppendV2([]byte("x"), &c.want, sum)[1:]
			var h Header
			if n, _, err := Parse(out, &h); err != nil || n != len(out) || !reflect.DeepEqual(h, c.want) {
				t.Errorf("%s: %x became %+v %v", c.name, out, h, err)
			}
		}
	}
}
