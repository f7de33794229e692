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
