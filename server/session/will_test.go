package session

import (
	"testing"

	"vernemq/queue/store"
)

// TestWillMountpoint holds that a will goes where a plugin has sent it, after a
// restart too.
func TestWillMountpoint(t *testing.T) {
	w := newWorld()
	elsewhere := "elsewhere"
	for _, to := range []*string{nil, &elsewhere} {
		c := w.add("a")
		r := (&will{data: []byte("t"), topic: 1, mountpoint: to}).record(c)
		c.session.Restore(&store.Session{Version: 5, Expiry: never, Will: r}, &w.limits)
		if got := c.session.extra.will.mountpoint; got != to {
			t.Errorf("the will goes to %v, want %v", got, to)
		}
	}
}
