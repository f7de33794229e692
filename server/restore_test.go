package server

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vernemq/codec"
	"vernemq/server/config"
)

// bootOn runs a broker on what a file system has; stop ends it.
func bootOn(t *testing.T, fs vfs.FS, cfg *config.Config) (b *Broker, stop func()) {
	t.Helper()
	b, err := New(cfg, openStore(t, fs), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return b, stop
}

// persistent is a client whose session is kept.
func persistent(id string) *codec.Connect {
	return &codec.Connect{Version: codec.V5, ClientID: []byte(id), SessionExpiry: 1000, RequestProblemInfo: true}
}

// TestFewerSubscriptions starts with sessions that have more subscriptions than a
// client may have by now: they stay.
func TestFewerSubscriptions(t *testing.T) {
	fs := vfs.NewMem()
	b, stop := bootOn(t, fs, testConfig(2))
	p := again(t, b, persistent("c"), 0)
	p.subscribe("a", 1)
	p.subscribe("b", 1)
	stop()
	cfg := testConfig(2)
	cfg.MaxSubscriptionsPerClient = 1
	b, _ = bootOn(t, fs, cfg)
	q := again(t, b, persistent("c"), 1)
	q.publish("b", "x", 0, 0)
	if got := q.payloads(1); got[0] != "x" {
		t.Error(got)
	}
}
