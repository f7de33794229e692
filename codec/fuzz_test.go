package codec

import (
	"bytes"
	"testing"
)

func seeds(f *testing.F) {
	for _, c := range cases {
		f.Add(byte(c.v), framed(c.head, packet(f, c.body)))
	}
	f.Add(byte(5), []byte{0x30, 0xff, 0xff, 0xff, 0x7f, 0})
	f.Add(byte(4), append(framed(0xc0, nil), framed(0xe0, nil)...))
}

func version(b byte) Version { return V31 + Version(b)%3 }

// FuzzDecode decodes any bytes as a stream of packets: nothing crashes, and
// every packet lies within the input.
func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, vb byte, b []byte) {
		v := version(vb)
		for len(b) > 0 {
			frame, n, need, err := Cut(b, 0)
			if err != nil || n == 0 {
				if n == 0 && err == nil && need != 0 && need <= len(b) {
					t.Fatalf("need %d of %d bytes, but nothing was cut", need, len(b))
				}
				return
			}
			if n > len(b) || len(frame.Body) > n-2 {
				t.Fatalf("cut %d bytes with a body of %d out of %d", n, len(frame.Body), len(b))
			}
			err = decode(v, frame)
			if err != nil && codeOf(err) < 0x80 {
				t.Fatalf("error without a reason code: %v", err)
			}
			b = b[n:]
		}
	})
}

// again decodes a packet and encodes what was decoded. ok is false when the
// packet is refused.
func again(v Version, f Frame) (b []byte, ok bool) {
	switch f.Type() {
	case CONNECT:
		var c Connect
		if DecodeConnect(f, &c) != nil {
			return nil, false
		}
		return AppendConnect(nil, &c), true
	case PUBLISH:
		var p Publish
		if DecodePublish(v, f, &p) != nil {
			return nil, false
		}
		return AppendPublish(nil, v, &p), true
	case PUBACK, PUBREC, PUBREL, PUBCOMP:
		var a Ack
		if DecodeAck(v, f, &a) != nil {
			return nil, false
		}
		return AppendAck(nil, v, f.Type(), a.PacketID, a.Reason, string(a.Props.ReasonString())), true
	case SUBSCRIBE:
		var s Subscribe
		if DecodeSubscribe(v, f, &s) != nil {
			return nil, false
		}
		return AppendSubscribe(nil, v, s.PacketID, s.SubscriptionID, list(s.Filters)), true
	case UNSUBSCRIBE:
		var u Unsubscribe
		if DecodeUnsubscribe(v, f, &u) != nil {
			return nil, false
		}
		var names [][]byte
		for _, x := range list(u.Filters) {
			names = append(names, x.Filter)
		}
		return AppendUnsubscribe(nil, v, u.PacketID, names), true
	case SUBACK:
		var s Suback
		if DecodeSuback(v, f, &s) != nil {
			return nil, false
		}
		return AppendSuback(nil, v, s.PacketID, s.Codes, string(s.Props.ReasonString())), true
	case DISCONNECT:
		var d Disconnect
		if DecodeDisconnect(v, f, &d) != nil {
			return nil, false
		}
		return AppendDisconnect(nil, v, d.Reason, string(d.Props.ReasonString()), ""), true
	case AUTH:
		var a Auth
		if DecodeAuth(f, &a) != nil {
			return nil, false
		}
		return AppendAuth(nil, a.Reason, string(a.Method), a.Data, string(a.Props.ReasonString())), true
	}
	return nil, false
}

func list(fs Filters) (out []Filter) {
	for {
		x, ok := fs.Next()
		if !ok {
			return out
		}
		out = append(out, x)
	}
}

// FuzzRoundTrip decodes, encodes, decodes and encodes: what was encoded is
// accepted, and the second encoding equals the first.
func FuzzRoundTrip(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, vb byte, b []byte) {
		v := version(vb)
		frame, n, _, err := Cut(b, 0)
		if err != nil || n == 0 {
			return
		}
		first, ok := again(v, frame)
		if !ok {
			return
		}
		frame, n, _, err = Cut(first, 0)
		if err != nil || n != len(first) {
			t.Fatalf("% x became % x, which cannot be cut: %d %v", b, first, n, err)
		}
		second, ok := again(v, frame)
		if !ok {
			t.Fatalf("% x became % x, which is refused: %v", b, first, decode(v, frame))
		}
		if !bytes.Equal(first, second) {
			t.Fatalf("% x became % x, then % x", b, first, second)
		}
		if frame.Type() == PUBLISH && !bytes.Equal(first, b[:len(first)]) && v != V5 {
			t.Fatalf("a PUBLISH changed: % x became % x", b, first)
		}
	})
}
