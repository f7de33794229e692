package server

import (
	"fmt"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/hooks"
)

// TestMessageDropTold has on_message_drop told which message a client does not
// get, and why.
func TestMessageDropTold(t *testing.T) {
	t.Parallel()
	c := testConfig(2)
	c.MaxOnlineMessages, c.MaxOfflineMessages = 1, 1
	b := startBroker(t, c)
	told := make(chan string, 10)
	var h hooks.Hooks
	h.OnMessageDrop.Now = func(d *hooks.Drop) { told <- fmt.Sprintf("%s %s %s: %s", d.ID, d.Topic, d.Payload, d.Reason) }
	plug(t, b, "drops", h)
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-told:
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("nothing, want %q", want)
		}
	}
	p := enter(t, b, asClient(codec.V5, "p", "", ""))

	small := asClient(codec.V5, "small", "", "")
	small.MaxPacketSize = 30
	enter(t, b, small).sub("size")
	p.put("size", 0, 0, "a payload that makes it too large")
	expect("small size a payload that makes it too large: max_packet_size_exceeded")

	window := asClient(codec.V5, "window", "", "")
	window.ReceiveMax, window.SessionExpiry = 1, 60
	w := enter(t, b, window)
	w.sub("full")
	for i := range 3 { // in flight, waiting, too many
		p.put("full", 1, uint16(i+1), fmt.Sprint(i))
	}
	expect("window full 2: queue_full")
	w.conn.Close()
	for online := true; online; {
		onLoop(b, b.home(queue.KeyOf("", "window")), func(l *loop) { online = l.find("", "window").session.Online() })
	}
	p.put("full", 1, 4, "3")
	expect("window full 3: queue_full")

	enter(t, b, asClient(codec.V5, "e", "", "")).sub("old")
	over := codec.AppendPublishHead(nil, codec.V5, codec.PublishFirst(0, false, false), []byte("old"), 0, &codec.Outgoing{HasExpiry: true}, 1)
	p.send(append(over, 'x'))
	expect("e old x: expired")
}
