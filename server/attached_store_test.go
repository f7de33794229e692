package server

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vernemq/codec"
)

// TestUnreleasedOfSeveral ends one of several connections within an exchange of
// QoS 2: a later message with its packet identifier is not taken for a repeat.
func TestUnreleasedOfSeveral(t *testing.T) {
	fs := vfs.NewMem()
	cfg := testConfig(2)
	cfg.AllowMultipleSessions = true
	b, stop := bootOn(t, fs, cfg)
	one := again(t, b, persistent("c"), 0)
	one.publish("t", "x", 2, 7)
	one.expect(codec.PUBREC)
	two := again(t, b, persistent("c"), 1)
	one.conn.Close()
	b.connections(t, "c", 1)
	two.conn.Close()
	b.connections(t, "c", 0)
	stop()
	b, _ = bootOn(t, fs, cfg)
	to := connect(t, b, "to")
	to.subscribe("t", 0)
	again(t, b, persistent("c"), 1).publish("t", "y", 2, 7)
	if got := to.payloads(1); got[0] != "y" {
		t.Error(got)
	}
}
