package reactor

import (
	"bytes"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

// TestHold appends output of all kinds with places from which on it waits, and
// releases them later: what arrives is never more than was released, and all of
// it in order in the end.
func TestHold(t *testing.T) {
	var to *Conn
	w := start(t, 1, hooks{
		opened: func(_ *handler, c *Conn) { to = c }, // what it sends comes back
	}, small)
	c := w.connect(0)
	rnd := rand.New(rand.NewPCG(1, 2))
	data := pattern(1 << 20)
	var sent []byte
	var released atomic.Int64 // bytes that may be sent
	var got atomic.Int64
	done := make(chan []byte)
	go func() {
		var all []byte
		for buf := make([]byte, 64<<10); ; {
			n, err := c.Read(buf)
			all = append(all, buf[:n]...)
			if int64(len(all)) > released.Load() {
				t.Errorf("%d bytes have arrived, %d were released", len(all), released.Load())
			}
			got.Store(int64(len(all)))
			if err != nil {
				done <- all
				return
			}
		}
	}()
	marks := map[uint64]int64{} // where a number was held first
	next, low := uint64(1), uint64(0)
	for range 500 {
		w.on(0, func() {
			for range rnd.IntN(4) {
				from := rnd.IntN(len(data) - 9000)
				p := data[from : from+rnd.IntN(9000)]
				switch rnd.IntN(4) {
				case 0:
					to.Hold(next)
					if _, ok := marks[next]; !ok {
						marks[next] = int64(len(sent))
					}
					continue
				case 1:
					to.Output().B = append(to.Output().B, p...)
				case 2:
					to.AppendShared(p, collected{})
				case 3:
					to.AppendBorrowed(p)
				}
				sent = append(sent, p...)
			}
			next++
			if rnd.IntN(3) == 0 {
				low += uint64(rnd.IntN(int(next - low)))
			}
			upTo := int64(len(sent))
			for n := low + 1; n < next; n++ {
				if at, ok := marks[n]; ok {
					upTo = at
					break
				}
			}
			released.Store(upTo)
			to.Loop().Release(low)
		})
	}
	w.eventually("what was released has arrived", func() bool { return got.Load() == released.Load() })
	w.on(0, func() {
		released.Store(int64(len(sent)))
		to.Loop().Release(next)
		to.CloseAfterFlush(nil, time.Minute)
	})
	if all := <-done; !bytes.Equal(all, sent) {
		t.Errorf("%d bytes have arrived of %d, or others", len(all), len(sent))
	}
}

// TestAbandon throws away what waits, and tells whose it was.
func TestAbandon(t *testing.T) {
	var conns []*Conn
	w := start(t, 1, hooks{
		opened: func(_ *handler, c *Conn) { conns = append(conns, c) },
	}, small)
	one, two := w.connect(0), w.connect(0)
	w.on(0, func() {
		for _, c := range conns {
			c.Output().B = append(c.Output().B, "yes"...)
		}
		conns[0].Hold(7)
		conns[0].AppendShared([]byte("no"), collected{})
		conns[0].Output().B = append(conns[0].Output().B, "no"...)
		var cut []*Conn
		conns[0].Loop().Abandon(func(c *Conn) {
			cut = append(cut, c)
			c.Output().B = append(c.Output().B, "sorry"...)
			c.CloseAfterFlush(nil, time.Minute)
		})
		if len(cut) != 1 || cut[0] != conns[0] {
			t.Errorf("abandoned %v", cut)
		}
		conns[1].CloseAfterFlush(nil, time.Minute)
	})
	for c, want := range map[*client]string{one: "yessorry", two: "yes"} {
		c.expect([]byte(want))
		c.expectEOF()
	}
}

// TestHoldBehindShared sends a shared piece that was appended before the place
// from which on the output waits, and nothing that was appended behind it.
func TestHoldBehindShared(t *testing.T) {
	var to *Conn
	w := start(t, 1, hooks{
		opened: func(_ *handler, c *Conn) { to = c },
	}, small)
	c := w.connect(0)
	w.on(0, func() {
		to.Output().B = append(to.Output().B, "head"...)
		to.AppendShared([]byte("payload"), collected{})
		to.Hold(7)
		to.AppendShared([]byte("no"), collected{})
	})
	c.expect([]byte("headpayload"))
	w.on(0, func() {
		to.AppendShared([]byte("piece"), collected{})
		to.Loop().Release(7)
		to.Hold(8)
		to.AppendShared([]byte("no"), collected{})
		to.Loop().Abandon(func(c *Conn) { c.CloseAfterFlush(nil, time.Minute) })
	})
	c.expect([]byte("nopiece"))
	c.expectEOF()
}
