package ws

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestAppendHeader(t *testing.T) {
	for n, want := range map[int]string{0: "8200", 1: "8201", 125: "827d", 126: "827e007e", 65535: "827effff",
		65536: "827f0000000000010000", 1 << 32: "827f0000000100000000"} {
		if out := AppendHeader([]byte{1}, n); !bytes.Equal(out[1:], unhex(want)) || len(out)-1 > MaxHeader {
			t.Errorf("%d: % x", n, out)
		}
	}
}

func TestAppendControl(t *testing.T) {
	if out := AppendPong(nil, make([]byte, 200)); len(out) != 127 || out[1] != 125 {
		t.Errorf("pong: % x", out)
	}
	for reason, n := range map[string]int{"": 0, "bye": 3, strings.Repeat("x", 200): 123,
		strings.Repeat("x", 122) + "€": 122, strings.Repeat("x", 120) + "€": 123} {
		out := AppendClose(nil, GoingAway, reason)
		if len(out) != 4+n || out[0] != 0x88 || int(out[1]) != 2+n || out[2] != 3 || out[3] != 0xe9 {
			t.Errorf("%q: % x", reason, out)
		}
		if checkClose(out[2:]) != nil {
			t.Errorf("%q: would be refused", reason)
		}
	}
}

// TestUnmask compares every small size, key turn and overlap with the plain
// way.
func TestUnmask(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for size := range 100 {
		for shift := range 20 {
			key := r.Uint32()
			b := make([]byte, shift+size)
			want := make([]byte, size)
			for i := range size {
				b[shift+i] = byte(r.Uint32())
				want[i] = b[shift+i] ^ byte(key>>(8*(i%4)))
			}
			next := unmask(b, b[shift:], key)
			if !bytes.Equal(b[:size], want) {
				t.Fatalf("%d bytes from %d", size, shift)
			}
			if turned := byte(key >> (8 * (size % 4))); byte(next) != turned {
				t.Fatalf("key after %d bytes: %x, not %x", size, byte(next), turned)
			}
		}
	}
}

// TestNoAllocation holds that frames cost no allocation, bad ones neither.
func TestNoAllocation(t *testing.T) {
	good, _ := frames(rand.New(rand.NewPCG(7, 8)), make([]byte, 2000), 100)
	bad := append(bytes.Clone(good), 0xff, 0xff)
	b, out := make([]byte, len(bad)), make([]byte, 0, 8192)
	for name, raw := range map[string][]byte{"good": good, "bad": bad} {
		n := testing.AllocsPerRun(100, func() {
			var d Decoder
			half := copy(b, raw[:len(raw)/2])
			_, total, reply, err := d.Decode(b[:half], 0, 0, out)
			if err != nil {
				t.Fatal(err)
			}
			more := copy(b[total:], raw[half:])
			if _, _, _, err = d.Decode(b[:total+more], total, 0, reply); (err != nil) != (name == "bad") {
				t.Fatal(err)
			}
			out = AppendHeader(out[:0], 5000)[:0]
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkDecode decodes a read buffer full of frames of one size.
func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{4, 64, 1024, 60_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var raw []byte
			for len(raw) == 0 || len(raw) < 60_000 {
				raw = append(raw, frame(bitFin|opBinary, 0x12345678, make([]byte, size))...)
			}
			buf := make([]byte, len(raw))
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, raw) // decoding destroys it
				var d Decoder
				if _, _, _, err := d.Decode(buf, 0, 0, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUnmask(b *testing.B) {
	for _, size := range []int{16, 256, 65536} {
		for _, shift := range []int{0, 6, 8} {
			b.Run(fmt.Sprintf("%d-%d", size, shift), func(b *testing.B) {
				buf := make([]byte, size+shift)
				b.SetBytes(int64(size))
				for b.Loop() {
					unmask(buf, buf[shift:], 0x12345678)
				}
			})
		}
	}
}

func BenchmarkAppendHeader(b *testing.B) {
	out := make([]byte, 0, MaxHeader)
	for b.Loop() {
		out = AppendHeader(out[:0], 300)
	}
}
