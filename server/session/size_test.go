package session

import (
	"syscall"
	"testing"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/metrics"
)

// TestLargestPacket sends nothing whose length MQTT cannot express: what came in
// the largest packet of MQTT 3 has no room for the properties of MQTT 5.
func TestLargestPacket(t *testing.T) {
	payload, err := syscall.Mmap(-1, 0, codec.MaxRemaining, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE) // nobody reads it
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(payload)
	for _, c := range []struct {
		version codec.Version
		payload int
		sent    int
	}{
		{codec.V311, codec.MaxRemaining - 3, 1},
		{codec.V5, codec.MaxRemaining - 4, 1},
		{codec.V5, codec.MaxRemaining - 3, 0},
	} {
		var s Session
		h := &bareHost{to: &s}
		s = New(h, "", "s")
		s.Connect(&bareLink{}, &codec.Connect{Version: c.version, CleanStart: true, ReceiveMax: 1}, &Admission{}, &Limits{MaxOnline: -1})
		p := &queue.Publication{Topic: []byte("t"), Payload: payload[:c.payload]}
		s.Deliver(p, &Options{})
		p.Reset()
		h.metrics.Publish()
		if n := h.metrics.Level(metrics.QueueMessageOut); n != c.sent {
			t.Errorf("version %d, payload of %d bytes: %d sent, want %d", c.version, c.payload, n, c.sent)
		}
	}
}
