package server

import (
	"bufio"
	"net"
	"testing"

	"vernemq/codec"
)

// on connects a client to a listener.
func (b *Broker) on(t *testing.T, listener int, c *codec.Connect) (*peer, byte) {
	t.Helper()
	conn, err := net.Dial("tcp", b.Listeners()[listener].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := &peer{t: t, conn: conn, r: bufio.NewReader(conn)}
	p.send(codec.AppendConnect(nil, c))
	f := p.next()
	if f.Type() != codec.CONNACK || f.Body[1] != 0 {
		t.Fatalf("%v % x", f.Type(), f.Body)
	}
	return p, f.Body[0]
}

// TestMountpoints keeps the clients of two listeners apart: messages, retained
// messages, shared groups, sessions and backlogs, although all names are the
// same.
func TestMountpoints(t *testing.T) {
	cfg := testConfig(4)
	cfg.Listeners = append(cfg.Listeners, cfg.Listeners[0], cfg.Listeners[0])
	cfg.Listeners[1].Name, cfg.Listeners[1].Mountpoint = "other", "other"
	cfg.Listeners[2].Name, cfg.Listeners[2].Mountpoint = "same", "other"
	b := startBroker(t, cfg)
	persistent := func(id string) *codec.Connect {
		return &codec.Connect{Version: codec.V5, ClientID: []byte(id), SessionExpiry: 100, RequestProblemInfo: true}
	}
	here, _ := b.on(t, 0, persistent("c"))
	there, present := b.on(t, 1, persistent("c"))
	if present != 0 {
		t.Error("the session of another mountpoint is taken for this client's")
	}
	for _, p := range []*peer{here, there} {
		p.subscribe("t", 1)
		p.subscribe("$share/g/s", 1)
	}
	retain := func(p *peer, payload string) {
		p.send(append(codec.AppendPublishHead(nil, codec.V5, codec.PublishFirst(1, false, true), []byte("r"), 9, nil, len(payload)), payload...))
		p.next()
	}
	pub, _ := b.on(t, 0, persistent("p"))
	pub2, _ := b.on(t, 2, persistent("p")) // another listener of the same mountpoint
	retain(pub, "here")
	retain(pub2, "there")
	for i, p := range []*peer{pub, pub2} {
		name := []string{"here", "there"}[i]
		p.publish("t", name, 1, 1)
		p.next()
		p.publish("s", name, 1, 2)
		p.next()
	}
	for i, p := range []*peer{here, there} {
		want := []string{"here", "there"}[i]
		if got := p.payloads(2); got[0] != want || got[1] != want {
			t.Errorf("%s: %q", want, got)
		}
		p.subscribe("r", 0)
		if got := p.payloads(1); got[0] != want {
			t.Errorf("%s: retained %q", want, got)
		}
		p.conn.Close()
	}
	b.connections(t, "c", 0)
	pub2.publish("t", "kept", 1, 3)
	pub2.next()
	back, _ := b.on(t, 0, persistent("c"))
	back.publish("t", "mine", 0, 0)
	if got := back.payloads(1); got[0] != "mine" {
		t.Errorf("the backlog of another mountpoint: %q", got)
	}
	back2, present := b.on(t, 2, persistent("c"))
	if got := back2.payloads(1); got[0] != "kept" || present != 1 {
		t.Errorf("backlog %q, present %d", got, present)
	}
}
