package interop

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// received is a packet of the broker, read by a decoder that finds fault with
// everything a server must not send.
type received struct {
	level byte
	first byte
	body  []byte
	id    uint16 // of a PUBLISH
	err   error
}

// readPacket reads one packet.
func readPacket(r *bufio.Reader, level byte) (*received, error) {
	first, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	n, shift := 0, 0
	for {
		c, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		n |= int(c&0x7f) << shift
		if shift += 7; c < 0x80 {
			if c == 0 && shift > 7 {
				return nil, errors.New("length is not minimal")
			}
			break
		}
		if shift == 28 {
			return nil, errors.New("length of more than four bytes")
		}
	}
	p := &received{level: level & 0x7f, first: first, body: make([]byte, n)}
	_, err = io.ReadFull(r, p.body)
	return p, err
}

func (p *received) v5() bool { return p.level == 5 }

// words puts the packet into words.
func (p *received) words() string {
	s := p.describe()
	if len(p.body) > 0 && p.err == nil {
		p.fail("bytes behind the end")
	}
	if p.err != nil {
		return fmt.Sprintf("%s: %v", s, p.err)
	}
	return s
}

func (p *received) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.body = nil
}

func (p *received) take(n int) []byte {
	if len(p.body) < n {
		p.fail("too short")
		return make([]byte, n)
	}
	b := p.body[:n]
	p.body = p.body[n:]
	return b
}

func (p *received) byte() byte     { return p.take(1)[0] }
func (p *received) uint16() uint16 { return binary.BigEndian.Uint16(p.take(2)) }
func (p *received) binary() string { return string(p.take(int(p.uint16()))) }

func (p *received) text() string {
	s := p.binary()
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		p.fail("string %q", s)
	}
	return s
}

func (p *received) varint() int {
	v, n := binary.Uvarint(p.body)
	if n <= 0 || n > 4 {
		p.fail("bad number")
		return 0
	}
	p.take(n)
	return int(v)
}

// What a server's packets may hold: their properties, and their codes.
var (
	serverProps = map[byte]string{2: "1121242527121f2226282a29131a1c1516", 3: "0102230809260b03",
		4: "1f26", 5: "1f26", 6: "1f26", 7: "1f26", 9: "1f26", 11: "1f26", 14: "1f261c", 15: "15161f26"}
	serverCodes = map[byte]string{2: "00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f",
		4: "00 10 80 83 87 90 91 97 99", 5: "00 10 80 83 87 90 91 97 99", 6: "00 92", 7: "00 92",
		9: "00 01 02 80 83 87 8f 91 97 9e a1 a2", 11: "00 11 80 83 87 8f 91",
		14: "00 80 81 82 83 87 89 8b 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2", 15: "00 18"}
)

func (p *received) describe() string {
	kind := p.first >> 4
	flags := p.first & 15
	if kind != 3 && flags != map[byte]byte{6: 2}[kind] {
		p.fail("flags %x", flags)
	}
	switch kind {
	case 2:
		return p.connack()
	case 3:
		return p.publish(flags)
	case 4, 5, 6, 7:
		return p.ack([]string{"puback", "pubrec", "pubrel", "pubcomp"}[kind-4])
	case 9:
		return p.codes("suback")
	case 11:
		return p.codes("unsuback")
	case 13:
		return "pingresp"
	case 14:
		return p.disconnect()
	case 15:
		return fmt.Sprintf("auth %02x", p.code(p.byte())) + p.properties()
	}
	return fmt.Sprintf("packet of type %d from a server", kind)
}

func (p *received) code(c byte) byte {
	if !strings.Contains(serverCodes[p.first>>4], fmt.Sprintf("%02x", c)) {
		p.fail("code %02x", c)
	}
	return c
}

func (p *received) connack() string {
	present, code := p.byte(), p.byte()
	s := fmt.Sprintf("connack %d %02x", present, code)
	if present > 1 || present == 1 && code != 0 {
		p.fail("flags")
	}
	if p.v5() {
		p.code(code)
		return s + p.properties()
	}
	if code > 5 {
		p.fail("code")
	}
	return s
}

func (p *received) publish(flags byte) string {
	s := fmt.Sprintf("publish q%d", flags>>1&3)
	if flags&8 != 0 {
		s += " dup"
	}
	if flags&1 != 0 {
		s += " retain"
	}
	if flags&6 == 6 || flags&14 == 8 {
		p.fail("flags")
	}
	topic := p.text()
	if flags&6 != 0 {
		if p.id = p.uint16(); p.id == 0 {
			p.fail("identifier 0")
		}
		s += fmt.Sprintf(" #%d", p.id)
	}
	props := ""
	if p.v5() {
		props = p.properties()
	}
	if topic == "" && !strings.Contains(props, "23=") {
		p.fail("no topic")
	}
	if topic == "" {
		topic = `""`
	}
	payload := string(p.body)
	if p.body = nil; len(payload) > 64 {
		payload = fmt.Sprintf("<%d bytes>", len(payload))
	}
	return strings.TrimRight(s+" "+topic+" "+payload, " ") + props
}

func (p *received) ack(name string) string {
	s := fmt.Sprintf("%s %d", name, p.uint16())
	if !p.v5() || len(p.body) == 0 {
		return s
	}
	if c := p.code(p.byte()); c != 0 {
		s += fmt.Sprintf(" %02x", c)
	}
	if len(p.body) > 0 {
		s += p.properties()
	}
	return s
}

func (p *received) codes(name string) string {
	s := fmt.Sprintf("%s %d", name, p.uint16())
	if p.v5() {
		s += p.properties()
	}
	codes := p.body
	if p.body = nil; p.v5() || name == "suback" {
		for _, c := range codes {
			s += fmt.Sprintf(" %02x", c)
			if p.v5() {
				p.code(c)
			} else if c > 2 && c != 0x80 {
				p.fail("code")
			}
		}
		if len(codes) == 0 {
			p.fail("no code")
		}
	}
	return s
}

func (p *received) disconnect() string {
	if !p.v5() {
		p.fail("to a client of MQTT 3")
	}
	if len(p.body) == 0 {
		return "disconnect 00"
	}
	s := fmt.Sprintf("disconnect %02x", p.code(p.byte()))
	if len(p.body) > 0 {
		s += p.properties()
	}
	return s
}

// properties gives the properties in their order, without reason strings.
func (p *received) properties() string {
	n := p.varint()
	in := &received{first: p.first, body: p.take(n)}
	seen := map[byte]bool{}
	var out []string
	for len(in.body) > 0 {
		id := in.byte()
		if !strings.Contains(pairs(serverProps[p.first>>4]), fmt.Sprintf("%02x", id)) || seen[id] && id != 0x26 && id != 0x0b {
			in.fail("property %02x", id)
		}
		seen[id] = true
		if v := in.value(id); id != 0x1f {
			out = append(out, fmt.Sprintf("%02x=%s", id, v))
		}
	}
	if in.err != nil {
		p.fail("%v", in.err)
	}
	if len(out) == 0 {
		return ""
	}
	return " {" + strings.Join(out, " ") + "}"
}

// pairs parts hexadecimal bytes, so that none is found across two of them.
func pairs(s string) (out string) {
	for ; s != ""; s = s[2:] {
		out += s[:2] + " "
	}
	return out
}

func (p *received) value(id byte) string {
	switch id {
	case 0x01, 0x24, 0x25, 0x28, 0x29, 0x2a:
		v := p.byte()
		if v > 1 {
			p.fail("value of %02x", id)
		}
		return fmt.Sprint(v)
	case 0x13, 0x21, 0x22, 0x23:
		v := p.uint16()
		if v == 0 && id != 0x13 && id != 0x22 {
			p.fail("value of %02x", id)
		}
		return fmt.Sprint(v)
	case 0x02, 0x11, 0x27:
		return fmt.Sprint(binary.BigEndian.Uint32(p.take(4)))
	case 0x0b:
		v := p.varint()
		if v == 0 {
			p.fail("value of %02x", id)
		}
		return fmt.Sprint(v)
	case 0x26:
		return p.text() + ":" + p.text()
	case 0x09, 0x16:
		return fmt.Sprintf("%x", p.binary())
	}
	return p.text()
}
