package server

import (
	"context"
	"os"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/config"
	"vernemq/server/hooks"
)

// TestReauthorizeGivenUp has nobody wait for the plugins any more: the client
// keeps its subscriptions.
func TestReauthorizeGivenUp(t *testing.T) {
	b := startBroker(t, closedConfig(2))
	h := welcome()
	asked := make(chan bool, 1)
	plug(t, b, "p", h)
	p := enter(t, b, asClient(codec.V5, "c", "", ""))
	p.sub("a")
	h.AuthOnSubscribeM5 = hooks.Asked[hooks.Subscribe, hooks.SubscribeModifiers]{Wait: func(ctx context.Context, _ *hooks.Subscribe) hooks.SubscribeAnswer {
		asked <- true
		<-ctx.Done()
		return hooks.SubscribeAnswer{Result: hooks.OK}
	}}
	if err := b.DisablePlugin("p"); err != nil {
		t.Fatal(err)
	}
	plug(t, b, "slow", h)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.Reauthorize(ctx, "", "c", "u")
		done <- err
	}()
	<-asked
	cancel()
	if err := <-done; err == nil {
		t.Error("no error")
	}
	time.Sleep(200 * time.Millisecond)
	if b.index.Len() != 1 {
		t.Error("the subscription is gone")
	}
}

// TestReauthorizePart asks vmq_acl, which allows a SUBSCRIBE as a whole, about
// subscriptions of which one is allowed no more: the others stay.
func TestReauthorizePart(t *testing.T) {
	cfg := filesConfig(t, 2, "topic #\n", "u:pw")
	b := startBroker(t, cfg)
	p := enter(t, b, asClient(codec.V5, "c", "u", "pw"))
	p.sub("x/1", "y/1", "x/2", "y/2")
	if err := os.WriteFile(cfg.ACLFile, []byte("topic x/#\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	change(t, b, func(c *config.Config) { c.FilesAsked++ })
	for i, want := range []bool{true, false} {
		if changed, err := b.Reauthorize(t.Context(), "", "c", "u"); err != nil || changed != want || b.index.Len() != 2 {
			t.Errorf("time %d: changed %v, %v, %d subscriptions", i, changed, err, b.index.Len())
		}
	}
}

// TestReauthorizeFullDisk renames a subscription while nothing can be stored: the
// client keeps the one that it has.
func TestReauthorizeFullDisk(t *testing.T) {
	b := startBroker(t, testConfig(1))
	p := again(t, b, persistent("c"), 0)
	p.subscribe("a", 1)
	text := "the disk is full"
	b.trouble.Store(&text)
	onLoop(b, 0, func(l *loop) {
		old, now := hooks.Topic{Filter: codec.Filter{Filter: []byte("a"), QoS: 1}}, hooks.Topic{Filter: codec.Filter{Filter: []byte("b"), QoS: 1}}
		if c := l.find("", "c"); l.resubscribe(c, &old, &now) || c.subs.len() != 1 {
			t.Errorf("%d subscriptions", c.subs.len())
		}
	})
}
