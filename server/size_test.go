package server

import (
	"testing"
	"unsafe"

	"vernemq/reactor"
	"vernemq/server/session"
)

// TestSizes holds what an idle client costs: a million of them decide the
// layout of these structs.
func TestSizes(t *testing.T) {
	for _, x := range []struct {
		name      string
		size, max uintptr
	}{
		{"reactor.Conn", unsafe.Sizeof(reactor.Conn{}), 96},
		{"session.Session", unsafe.Sizeof(session.Session{}), 144},
		{"client", unsafe.Sizeof(client{}), 208},
		{"subscription", unsafe.Sizeof(subscription{}), 40},
		{"route", unsafe.Sizeof(route{}), 40},
	} {
		t.Logf("%s: %d bytes", x.name, x.size)
		if x.size > x.max {
			t.Errorf("%s has %d bytes, want at most %d", x.name, x.size, x.max)
		}
	}
}
