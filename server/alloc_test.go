package server

import (
	"io"
	"runtime"
	"testing"

	"vernemq/codec"
)

// load is a publisher and a subscriber, with a batch of messages and room for
// what comes of it.
type load struct {
	pub, sub *peer
	out, in  []byte
}

// newLoad makes a batch of n messages of 64 bytes with QoS 0.
func newLoad(t testing.TB, b *Broker, n int) *load {
	l := &load{pub: connect(t, b, "publisher"), sub: connect(t, b, "subscriber")}
	l.sub.subscribe("load/+/t", 0)
	for range n {
		l.out = codec.AppendPublishHead(l.out, codec.V5, 0x30, []byte("load/1/t"), 0, nil, 64)
		l.out = append(l.out, make([]byte, 64)...)
	}
	l.in = make([]byte, len(l.out))
	return l
}

// run sends the batch and waits until it has arrived.
func (l *load) run(t testing.TB) {
	if _, err := l.pub.conn.Write(l.out); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(l.sub.r, l.in); err != nil {
		t.Fatal(err)
	}
}

// TestNoAllocationPerMessage holds the promise that a message of QoS 0 between
// clients of one loop costs no allocation.
func TestNoAllocationPerMessage(t *testing.T) {
	const batch, batches = 500, 100
	l := newLoad(t, startBroker(t, testConfig(1)), batch)
	for range 20 {
		l.run(t)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range batches {
		l.run(t)
	}
	runtime.ReadMemStats(&after)
	// A turn costs one or two allocations in the poller's task queue; a batch
	// may come in several turns.
	perMessage := float64(after.Mallocs-before.Mallocs) / (batch * batches)
	if perMessage > 0.1 {
		t.Errorf("%.3f allocations per message", perMessage)
	}
	t.Logf("%.4f allocations per message", perMessage)
}

// BenchmarkMessage sends messages of QoS 0 from one client to another, in
// batches, through sockets on loopback.
func BenchmarkMessage(b *testing.B) {
	const batch = 500
	l := newLoad(b, startBroker(b, testConfig(1)), batch)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += batch {
		l.run(b)
	}
}
