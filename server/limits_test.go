package server

import (
	"context"
	"fmt"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/hooks"
)

// TestMessageRate lets a client publish far more than it may: all arrives, no
// faster than allowed, and others are not held back.
func TestMessageRate(t *testing.T) {
	cfg := testConfig(2)
	cfg.MaxMessageRate = 5
	b := startBroker(t, cfg)
	sub := connect(t, b, "subscriber")
	sub.subscribe("#", 0)
	fast := connect(t, b, "fast")
	start := time.Now()
	for i := range 15 {
		fast.publish("fast", fmt.Sprint(i), 1, uint16(i+1))
	}
	slow := connect(t, b, "slow")
	slow.publish("slow", "slow", 1, 1)
	slow.next()
	if d := time.Since(start); d > time.Second {
		t.Errorf("another client waited %v", d)
	}
	next := 0
	for _, s := range sub.payloads(16) {
		if s == "slow" {
			continue
		}
		if s != fmt.Sprint(next) {
			t.Fatalf("message %s, want %d", s, next)
		}
		next++
	}
	if d := time.Since(start); d < time.Second || d > 5*time.Second {
		t.Errorf("15 messages at 5 per second took %v", d)
	}
}

// TestConnectionLifetime ends the connections of the listener that says so.
func TestConnectionLifetime(t *testing.T) {
	cfg := testConfig(1)
	cfg.Listeners[0].MaxConnectionLifetime = time.Second
	b := startBroker(t, cfg)
	p := connect(t, b, "short")
	if f := p.next(); f.Type() != codec.DISCONNECT || f.Body[0] != byte(codec.AdministrativeAction) {
		t.Errorf("%v % x", f.Type(), f.Body)
	}
}

// TestExpiredRetained removes expired retained messages: when a subscription
// meets them, and when the broker looks for them.
func TestExpiredRetained(t *testing.T) {
	b := startBroker(t, testConfig(2))
	p := connect(t, b, "p")
	keep := func(topic string, expiry uint32) {
		out := codec.Outgoing{Expiry: expiry, HasExpiry: expiry > 0}
		m := codec.AppendPublishHead(nil, codec.V5, codec.PublishFirst(1, false, true), []byte(topic), 1, &out, 1)
		p.send(append(m, 'x'))
		p.next()
	}
	keep("a/1", 0)
	keep("a/2", 1)
	keep("b/1", 1)
	keep("b/2", 1000)
	later := time.Now().Unix() + 2
	seen := 0
	onLoop(b, 0, func(l *loop) {
		l.retainedFor("", []byte("a/#"), later, func(*queue.Message) bool { seen++; return true })
	})
	if seen != 1 || b.retained.Len() != 3 {
		t.Errorf("%d messages yielded, %d are left", seen, b.retained.Len())
	}
	n := b.sweepRetained(later)
	onLoop(b, 0, func(*loop) {})
	if n != 1 || b.retained.Len() != 2 {
		t.Errorf("%d messages removed, %d are left", n, b.retained.Len())
	}
}

// TestSweep looks for expired retained messages by itself.
func TestSweep(t *testing.T) {
	cfg := testConfig(1)
	cfg.ExpireRetainCache = 10 * time.Millisecond
	b := startBroker(t, cfg)
	old := queue.Publication{Topic: []byte("t"), Payload: []byte("x"), Expires: time.Now().Unix() - 1}
	onLoop(b, 0, func(l *loop) { l.retain("", &old) })
	for end := time.Now().Add(10 * time.Second); b.retained.Len() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the message is still there")
		}
	}
}

// TestRateOfSlowPublish holds a client to its rate while plugins think about its
// messages.
func TestRateOfSlowPublish(t *testing.T) {
	cfg := closedConfig(2)
	cfg.MaxMessageRate = 5
	b := startBroker(t, cfg)
	h := welcome()
	h.AuthOnPublishM5 = hooks.Asked[hooks.Message, hooks.PublishModifiers]{Wait: func(context.Context, *hooks.Message) hooks.PublishAnswer {
		return hooks.PublishAnswer{Result: hooks.OK}
	}}
	plug(t, b, "p", h)
	p := enter(t, b, asClient(codec.V5, "fast", "", ""))
	start := time.Now()
	for i := range 15 {
		p.put("t", 1, uint16(i+1), "x")
	}
	for i := range 15 {
		p.ack(codec.PUBACK, uint16(i+1))
	}
	if d := time.Since(start); d < time.Second || d > 5*time.Second {
		t.Errorf("15 messages at 5 per second took %v", d)
	}
}

// TestRateOfThrottled holds a client to its rate when a pause that plugins wanted is
// over sooner.
func TestRateOfThrottled(t *testing.T) {
	cfg := closedConfig(2)
	cfg.MaxMessageRate = 5
	b := startBroker(t, cfg)
	h := welcome()
	h.AuthOnPublishM5.Now = func(*hooks.Message) hooks.PublishAnswer {
		return hooks.PublishAnswer{Result: hooks.OK, Modifiers: &hooks.PublishModifiers{Throttle: time.Millisecond}}
	}
	plug(t, b, "p", h)
	p := enter(t, b, asClient(codec.V5, "fast", "", ""))
	start := time.Now()
	for i := range 15 {
		p.put("t", 1, uint16(i+1), "x")
	}
	for i := range 15 {
		p.ack(codec.PUBACK, uint16(i+1))
	}
	if d := time.Since(start); d < time.Second || d > 5*time.Second {
		t.Errorf("15 messages at 5 per second took %v", d)
	}
}
