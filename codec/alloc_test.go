package codec

import "testing"

var (
	publishV4 = framed(0x30, append(appendBytes(nil, "sensors/4711/temperature"), make([]byte, 64)...))
	publishV5 = framed(0x32, append(append(appendBytes(nil, "sensors/4711/temperature"),
		0, 7, 17, 2, 0, 0, 0, 60, 0x26, 0, 3, 'k', 'e', 'y', 0, 4, 'v', 'a', 'l', 'u'), make([]byte, 64)...))
)

// TestNoAllocation holds the promise that PUBLISH and acknowledgements cost no
// allocation in either direction, refused ones neither.
func TestNoAllocation(t *testing.T) {
	var p Publish
	var a Ack
	var s Subscribe
	buf := make([]byte, 0, 1024)
	out := Outgoing{Expiry: 5, HasExpiry: true, SubscriptionID: 9}
	sub := framed(0x82, packet(t, `0001 00 "a/#" 01 "b/+" 02`))
	bad := framed(0x30, packet(t, `"a/+"`))
	for name, f := range map[string]func(){
		"v4": func() {
			f, _, _, _ := Cut(publishV4, 0)
			if DecodePublish(V311, f, &p) != nil {
				t.Fatal("refused")
			}
			buf = append(AppendPublishHead(buf[:0], V311, 0x32, p.Topic, 1, nil, len(p.Payload)), p.Payload...)
		},
		"v5": func() {
			f, _, _, _ := Cut(publishV5, 0)
			if DecodePublish(V5, f, &p) != nil {
				t.Fatal("refused")
			}
			out.Forward = p.Props.AppendForward(buf[512:512])
			buf = append(AppendPublishHead(buf[:0], V5, 0x32, p.Topic, 1, &out, len(p.Payload)), p.Payload...)
		},
		"ack": func() {
			buf = AppendAck(buf[:0], V5, PUBACK, 7, NoMatchingSubscribers, "")
			f, _, _, _ := Cut(buf, 0)
			if DecodeAck(V5, f, &a) != nil {
				t.Fatal("refused")
			}
		},
		"subscribe": func() {
			f, _, _, _ := Cut(sub, 0)
			if DecodeSubscribe(V5, f, &s) != nil {
				t.Fatal("refused")
			}
		},
		"refused": func() {
			f, _, _, _ := Cut(bad, 0)
			if DecodePublish(V5, f, &p) == nil {
				t.Fatal("accepted")
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkDecodePublish(b *testing.B) {
	var p Publish
	b.ReportAllocs()
	for b.Loop() {
		f, _, _, _ := Cut(publishV4, 0)
		_ = DecodePublish(V311, f, &p)
	}
}

func BenchmarkDecodePublishV5(b *testing.B) {
	var p Publish
	b.ReportAllocs()
	for b.Loop() {
		f, _, _, _ := Cut(publishV5, 0)
		_ = DecodePublish(V5, f, &p)
	}
}

func BenchmarkAppendPublish(b *testing.B) {
	topic, payload := []byte("sensors/4711/temperature"), make([]byte, 64)
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = append(AppendPublishHead(buf[:0], V311, 0x30, topic, 0, nil, len(payload)), payload...)
	}
}

func BenchmarkDecodeConnect(b *testing.B) {
	body := packet(b, `"MQTT" 05 f6 003c 08 1100000010 210014 "client-4711" 05 1800000007 "w/t" "bye" "user" "pass"`)
	var c Connect
	b.ReportAllocs()
	for b.Loop() {
		_ = DecodeConnect(Frame{0x10, body}, &c)
	}
}

func BenchmarkDecodeSubscribe(b *testing.B) {
	body := packet(b, `0001 "sensors/+/temperature" 01 "b/#" 02`)
	var s Subscribe
	b.ReportAllocs()
	for b.Loop() {
		_ = DecodeSubscribe(V311, Frame{0x82, body}, &s)
	}
}
