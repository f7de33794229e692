package server

import (
	"context"
	"testing"
	"time"

	"vernemq/codec"
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
