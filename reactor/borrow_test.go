package reactor

import (
	"bytes"
	"sync"
	"testing"
)

// TestBorrowed passes what one connection sends on to three others from the
// read buffer. Two of them read slowly, so that most is left over when the
// buffer is used again; everybody gets everything unchanged.
func TestBorrowed(t *testing.T) {
	var receivers []*Conn
	started := false
	data := pattern(8 << 20)
	w := start(t, 1, hooks{
		opened: func(_ *handler, c *Conn) { receivers = append(receivers, c) },
		data: func(_ *handler, c *Conn, in []byte) (int, int) {
			if !started { // the greeting is sent back
				c.Output().B = append(c.Output().B, in...)
				return len(in), 0
			}
			n, head := len(in), min(len(in), 10)
			for _, r := range receivers {
				if r == c {
					continue
				}
				r.Output().B = append(r.Output().B, in[:head]...)
				r.AppendBorrowed(in[head:n])
			}
			return n, 0
		},
	}, small)
	var clients []*client
	for range 3 {
		clients = append(clients, w.connect(0))
	}
	sender := w.connect(0)
	w.on(0, func() { started = true })
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() {
			got := make([]byte, 0, len(data))
			if i == 0 {
				got = append(got, slowReader(c, len(data))...)
			} else {
				for len(got) < len(data) {
					got = append(got, slowReader(c, min(1000, len(data)-len(got)))...)
				}
			}
			if !bytes.Equal(got, data) {
				t.Errorf("connection %d: the data has changed", i)
			}
		})
	}
	for i := 0; i < len(data); i += 50_000 {
		sender.send(data[i:min(i+50_000, len(data))])
	}
	all.Wait()
	w.on(0, func() {
		if n := len(w.reactor.Loops()[0].borrowers); n != 0 {
			t.Errorf("%d connections borrow still", n)
		}
	})
}

// TestOwn makes one copy for all that borrowed the same, whatever part of it is
// sent already.
func TestOwn(t *testing.T) {
	data := pattern(1000)
	copies := map[*byte][]byte{}
	for _, sent := range []int{0, 300, 999} {
		o := &output{shared: []shared{{data: data[sent:]}, {data: data[:500]}}}
		o.own(copies)
		if !bytes.Equal(o.shared[0].data, data[sent:]) || !bytes.Equal(o.shared[1].data, data[:500]) {
			t.Errorf("%d sent: another copy", sent)
		}
		if &o.shared[0].data[0] == &data[sent] || o.shared[0].ref == nil {
			t.Errorf("%d sent: not a copy", sent)
		}
	}
	if len(copies) != 2 {
		t.Errorf("%d copies", len(copies))
	}
}
