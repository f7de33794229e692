package ws

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"net/http"
	"testing"
)

// FuzzFrames compares the decoder, which gets any bytes in pieces, with the
// naive one.
func FuzzFrames(f *testing.F) {
	for _, c := range closeCases {
		f.Add(uint64(1), unhex(c.raw))
	}
	raw, _ := frames(rand.New(rand.NewPCG(1, 2)), make([]byte, 300), 150)
	f.Add(uint64(2), raw)
	f.Fuzz(func(t *testing.T, seed uint64, raw []byte) {
		r := rand.New(rand.NewPCG(seed, 0))
		want := naive(raw, 1000)
		for _, size := range []int{1, 1 + r.IntN(20), len(raw) + 1} {
			if o, _ := pieces(r, raw, 1000, size); o != want {
				t.Fatalf("% x:\n%+v, naive\n%+v", raw, o, want)
			}
		}
	})
}

// FuzzRequest holds that the answer to a request does not depend on the pieces
// in which it comes, and that net/http understands what is granted in the same
// way.
func FuzzRequest(f *testing.F) {
	for _, c := range granted {
		f.Add([]byte(c.request))
	}
	for _, c := range refused {
		f.Add([]byte(c.request))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var whole, slow Request
		n, err := ParseRequest(raw, &rules, &whole)
		for _, size := range []int{1, 13} {
			if len(raw) > 2000 {
				size *= 200
			}
			k, e := upTo(raw, size, &slow)
			if k != n || (e == nil) != (err == nil) || e != nil && e.(*Refusal).Status != err.(*Refusal).Status {
				t.Fatalf("%q at once: %d %v, in pieces of %d: %d %v", raw, n, err, size, k, e)
			}
		}
		if n == 0 {
			return
		}
		if n > len(raw) || whole.accept != slow.accept || whole.Protocol != slow.Protocol {
			t.Fatalf("%d of %d bytes, %+v %+v", n, len(raw), whole, slow)
		}
		whole.ForwardedAddr()
		if !bytes.HasPrefix(raw, []byte("GET /")) {
			return // net/url knows more about hosts
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw[:n])))
		if err != nil || r.URL.Path != Path && r.URL.Path != Path+"/" || r.ContentLength != 0 ||
			string(whole.accept[:]) != string(accept(r.Header.Get("Sec-WebSocket-Key"))) {
			t.Fatalf("%q: %+v %v", raw, r, err)
		}
	})
}

func accept(key string) []byte {
	a := acceptKey([]byte(key))
	return a[:]
}
