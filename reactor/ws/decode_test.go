package ws

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// TestStream holds that a byte stream, cut into any messages, fragments and
// pieces, masked, with control frames in between, comes out as it was.
func TestStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		stream := make([]byte, rapid.SampledFrom([]int{0, 1, 7, 200, 5000, 200_000}).Draw(t, "bytes"))
		for i := range stream {
			stream[i] = byte(r.Uint32())
		}
		frame := rapid.SampledFrom([]int{1, 3, 40, 130, 1000, 70_000}).Draw(t, "frame") + len(stream)/500
		raw, answers := frames(r, stream, frame)
		size := rapid.SampledFrom([]int{1, 2, 5, 20, 300, 9000, 100_000}).Draw(t, "piece") + len(raw)/500
		o, d := pieces(r, raw, 0, size)
		if want := (outcome{stream: string(stream), answers: string(answers)}); o != want {
			t.Fatalf("%d bytes became %d, answers of %d bytes %d, code %d",
				len(stream), len(o.stream), len(answers), len(o.answers), o.code)
		}
		if d != (Decoder{}) {
			t.Fatalf("state after the last message: %+v", d)
		}
	})
}

// TestState holds what a connection costs.
func TestState(t *testing.T) {
	if n := unsafe.Sizeof(Decoder{}); n != 12 {
		t.Errorf("a Decoder has %d bytes", n)
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

var closeCases = []struct {
	name, raw string
	err       *Error
	answer    string
}{
	{"reserved bit 1", "c2 80", errReserved, "8802 03ea"},
	{"reserved bit 2", "a2 80", errReserved, "8802 03ea"},
	{"reserved bit 3", "92 80", errReserved, "8802 03ea"},
	{"opcode 3", "83 80", errOpcode, "8802 03ea"},
	{"opcode 7", "87 80", errOpcode, "8802 03ea"},
	{"opcode 11", "8b 80", errOpcode, "8802 03ea"},
	{"opcode 15", "8f 80", errOpcode, "8802 03ea"},
	{"not masked", "82 01", errUnmasked, "8802 03ea"},
	{"ping not masked", "89 00", errUnmasked, "8802 03ea"},
	{"text", "81 81", errText, "8802 03eb"},
	{"text that is not the last frame", "01 81", errText, "8802 03eb"},
	{"ping in fragments", "09 80", errFragment, "8802 03ea"},
	{"close in fragments", "08 80", errFragment, "8802 03ea"},
	{"ping of 126", "89 fe", errControlSize, "8802 03ea"},
	{"pong with 8 bytes of length", "8a ff", errControlSize, "8802 03ea"},
	{"125 in 2 bytes", "82 fe 007d", errMinimal, "8802 03ea"},
	{"0 in 2 bytes", "82 fe 0000", errMinimal, "8802 03ea"},
	{"65535 in 8 bytes", "82 ff 000000000000ffff", errMinimal, "8802 03ea"},
	{"highest bit", "82 ff 8000000000010000", errLength, "8802 03ea"},
	{"1001 bytes", "82 fe 03e9", errTooBig, "8802 03f1"},
	{"5 GiB", "82 ff 0000000140000000", errTooBig, "8802 03f1"},
	{"continuation of nothing", "80 80 00000000", errContinuation, "8802 03ea"},
	{"continuation after the last", "02 80 00000000 80 80 00000000 00 80 00000000", errContinuation, "8802 03ea"},
	{"message in a message", "02 80 00000000 82 80 00000000", errInterleaved, "8802 03ea"},
	{"close with one byte", "88 81 00000000 03", errCloseSize, "8802 03ea"},
	{"close 999", "88 82 00000000 03e7", errCloseCode, "8802 03ea"},
	{"close 1004", "88 82 00000000 03ec", errCloseCode, "8802 03ea"},
	{"close 1005", "88 82 00000000 03ed", errCloseCode, "8802 03ea"},
	{"close 1006", "88 82 00000000 03ee", errCloseCode, "8802 03ea"},
	{"close 1015", "88 82 00000000 03f7", errCloseCode, "8802 03ea"},
	{"close 2999", "88 82 00000000 0bb7", errCloseCode, "8802 03ea"},
	{"close 5000", "88 82 00000000 1388", errCloseCode, "8802 03ea"},
	{"close with bad text", "88 83 00000000 03e8 ff", errCloseText, "8802 03ef"},
	{"close", "88 80 00000000", ErrClosed, "8800"},
	{"close 1000", "88 82 00000000 03e8", ErrClosed, "8802 03e8"},
	{"close 1000, masked", "88 82 01020304 02ea", ErrClosed, "8802 03e8"},
	{"close 1001 with text", "88 84 00000000 03e9 6869", ErrClosed, "8802 03e9"},
	{"close 3000", "88 82 00000000 0bb8", ErrClosed, "8802 0bb8"},
	{"close 4999", "88 82 00000000 1387", ErrClosed, "8802 1387"},
	{"close inside a message", "02 80 00000000 88 80 00000000", ErrClosed, "8800"},
}

// TestClose holds what ends a connection, in one piece and byte by byte, with a
// message in front that counts.
func TestClose(t *testing.T) {
	for _, c := range closeCases {
		raw := append(frame(bitFin|opBinary, 77, text("good")), unhex(c.raw)...)
		for _, size := range []int{1, len(raw)} {
			o, d := pieces(rand.New(rand.NewPCG(1, 1)), raw, 1000, size)
			want := outcome{"good", string(unhex(c.answer)), c.err.Code, c.err == ErrClosed}
			if size > 1 { // random pieces, so do it once exactly
				stream, total, reply, err := new(Decoder).Decode(bytes.Clone(raw), 0, 1000, nil)
				if err != c.err || stream != 4 || total != 4 || !bytes.Equal(reply, unhex(c.answer)) {
					t.Errorf("%s: %d %d % x %v", c.name, stream, total, reply, err)
				}
			}
			if o != want {
				t.Errorf("%s in pieces of %d: %+v", c.name, size, o)
			}
			if s, n, reply, err := d.Decode([]byte("left\x82"), 4, 0, nil); s != 4 || n != 4 || reply != nil || err != nil {
				t.Errorf("%s: goes on after the end", c.name)
			}
			if out := d.Close(nil, Normal); out != nil {
				t.Errorf("%s: closed again: % x", c.name, out)
			}
		}
	}
}

// TestOwnClose holds that our Close frame is the last that goes out.
func TestOwnClose(t *testing.T) {
	var d Decoder
	if out := d.Close(nil, Normal); !bytes.Equal(out, unhex("8802 03e8")) {
		t.Fatalf("% x", out)
	}
	in := append(frame(bitFin|opBinary, 2, text("late")), frame(bitFin|opPing, 1, text("hello"))...)
	in = append(in, frame(bitFin|opClose, 9, unhex("03e8"))...)
	if _, _, reply, err := d.Decode(in, 0, 0, nil); err != ErrClosed || reply != nil {
		t.Fatalf("% x %v", reply, err)
	}
	if out := d.Close(nil, Normal); out != nil {
		t.Fatalf("again: % x", out)
	}
}

// TestLimits holds that frames of the limit pass, and what no limit means.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		size  uint64
		limit int
		ok    bool
	}{{1000, 1000, true}, {1001, 1000, false}, {1<<28 + 1, 1 << 28, false}, {1 << 28, 1 << 28, true},
		{1<<32 - 1, 0, true}, {1 << 32, 0, false}, {1<<32 - 1, 1 << 40, true}, {1 << 33, 1 << 40, false}} {
		raw := unhex(fmt.Sprintf("82fe%04x", c.size%(1<<16)))
		if c.size > 65535 {
			raw = unhex(fmt.Sprintf("82ff%016x", c.size))
		}
		_, _, _, err := new(Decoder).Decode(raw, 0, c.limit, nil)
		if (err == nil) != c.ok || err != nil && err != errTooBig {
			t.Errorf("%d bytes with limit %d: %v", c.size, c.limit, err)
		}
	}
}

// TestCompare lets random bytes, and frames with random damage, through both
// decoders.
func TestCompare(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	codes := map[Code]int{}
	for range 20_000 {
		stream := make([]byte, r.IntN(300))
		raw, _ := frames(r, stream, 150)
		if r.IntN(4) == 0 {
			raw = append(raw, frame(bitFin|opClose, r.Uint32(), []byte{3, byte(0xe0 + r.IntN(32)), 'x'})...)
		}
		for range r.IntN(3) {
			if len(raw) > 0 {
				raw[r.IntN(len(raw))] ^= 1 << r.IntN(8)
			}
		}
		if r.IntN(2) == 0 {
			raw = raw[:r.IntN(len(raw)+1)]
		}
		want := naive(raw, 200)
		if o, _ := pieces(r, raw, 200, 1+r.IntN(len(raw)+1)); o != want {
			t.Fatalf("% x:\n%+v, naive\n%+v", raw, o, want)
		}
		codes[want.code]++
	}
	for _, c := range []Code{0, 1000, 1002, 1003, 1009} {
		if codes[c] < 10 {
			t.Errorf("code %d was seen %d times only", c, codes[c])
		}
	}
}
