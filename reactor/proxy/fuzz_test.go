package proxy

import (
	"reflect"
	"testing"
)

// FuzzParse holds that the answer does not depend on the pieces in which a
// header comes, and that what is accepted comes back from its encoding.
func FuzzParse(f *testing.F) {
	f.Add([]byte("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"))
	f.Add([]byte("PROXY TCP6 ::1 2001:db8::1 9 10\r\n"))
	f.Add([]byte("PROXY UNKNOWN x\r\n"))
	for _, c := range valid2 {
		f.Add(c.raw)
	}
	for _, c := range refused2 {
		f.Add(c.raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var whole, slow, again Header
		n, _, err := Parse(raw, &whole)
		if k, e := inPieces(t, raw, 1, &slow); k != n || e != err {
			t.Fatalf("%q at once: %d %v, byte by byte: %d %v", raw, n, err, k, e)
		}
		if n == 0 {
			return
		}
		if !reflect.DeepEqual(whole, slow) || n > len(raw) || n > MaxSize {
			t.Fatalf("%q at once: %+v, byte by byte: %+v", raw, whole, slow)
		}
		want, out := whole, []byte(nil)
		if whole.Version == 1 {
			out = AppendV1(nil, whole.Source, whole.Destination)
		} else {
			if out = AppendV2(nil, &whole, true); whole.Local {
				want = Header{Version: 2, Local: true}
			}
		}
		if len(out) > MaxSize {
			return // the checksum was too much
		}
		if _, _, err := Parse(out, &again); err != nil || !reflect.DeepEqual(again, want) {
			t.Fatalf("%q became %q, that is %+v, not %+v, %v", raw, out, again, want, err)
		}
	})
}

// TestNoAllocation holds that headers cost no allocation, bad ones neither. The
// exception are the addresses of version 1, which net/netip wants as strings.
func TestNoAllocation(t *testing.T) {
	var h Header
	good, bad := summed("20 000c 0300000000 220004 6e616d65"), inet("03 0004 00000000")
	line := []byte("PROXY UNKNOWN\r\n")
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := Parse(good, &h); err != nil || string(h.CN()) != "name" {
			t.Fatal(err)
		}
		if _, _, err := Parse(bad, &h); err != errChecksum {
			t.Fatal(err)
		}
		if _, _, err := Parse(line, &h); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParseV1(b *testing.B) {
	raw := []byte("PROXY TCP4 192.168.100.200 192.168.100.201 56324 1883\r\n")
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	var h Header
	for b.Loop() {
		_, _, _ = Parse(raw, &h)
	}
}

func BenchmarkParseV2(b *testing.B) {
	raw := summed("20 000c 0300000000 220004 6e616d65")
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	var h Header
	for b.Loop() {
		_, _, _ = Parse(raw, &h)
	}
}
