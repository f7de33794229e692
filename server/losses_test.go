package server

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/config"
	"vernemq/server/hooks"
)

// lossWatcher says yes to everything and notes what on_message_drop is told.
func lossWatcher(t *testing.T, b *Broker) (next func() string) {
	told := make(chan string, 100)
	h := welcome()
	h.OnMessageDrop.Now = func(d *hooks.Drop) {
		var p codec.PublishProps
		if err := codec.DecodePublishProps(d.Properties, &p); err != nil {
			t.Errorf("properties % x: %v", d.Properties, err)
		}
		told <- fmt.Sprintf("%s %s %s %.10s qos=%d retain=%v expiry=%v type=%s", d.ID, d.Reason, d.Topic, d.Payload, d.QoS, d.Retain, p.HasExpiry, p.ContentType)
	}
	plug(t, b, "watch", h)
	return func() string {
		t.Helper()
		select {
		case s := <-told:
			return s
		case <-time.After(10 * time.Second):
			t.Fatal("on_message_drop was not told")
		}
		return ""
	}
}

// putV5 sends a PUBLISH of MQTT 5 with properties.
func (p versioned) putV5(topic string, qos byte, id uint16, payload string, props ...codec.Property) {
	p.t.Helper()
	var out codec.Outgoing
	for _, x := range props {
		out.Forward = codec.AppendProperty(out.Forward, x)
	}
	b := codec.AppendPublishHead(nil, codec.V5, codec.PublishFirst(qos, false, false), []byte(topic), id, &out, len(payload))
	p.send(append(b, payload...))
}

func contentType(s string) codec.Property {
	return codec.Property{ID: codec.ContentType, Bytes: []byte(s)}
}

func expiry(seconds uint32) codec.Property {
	return codec.Property{ID: codec.MessageExpiryInterval, Number: seconds}
}

// TestLossOnline loses messages to a connected client.
func TestLossOnline(t *testing.T) {
	t.Parallel()
	cfg := closedConfig(1)
	cfg.MaxOnlineMessages = 1
	b := startBroker(t, cfg)
	next := lossWatcher(t, b)
	c := asClient(codec.V5, "reader", "", "")
	c.ReceiveMax, c.MaxPacketSize = 1, 100
	reader := enter(t, b, c)
	reader.sub("#")
	pub := enter(t, b, asClient(codec.V5, "pub", "", ""))

	pub.putV5("big", 0, 0, fmt.Sprintf("%0200d", 0), contentType("x/y"))
	if got, want := next(), "reader max_packet_size_exceeded big 0000000000 qos=0 retain=false expiry=false type=x/y"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	pub.putV5("late", 1, 1, "late", expiry(0))
	if got, want := next(), "reader expired late late qos=1 retain=false expiry=true type="; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for i := range 3 { // one in flight, one that waits, one too many
		pub.putV5("many", 1, uint16(i+2), fmt.Sprint("m", i), expiry(100))
	}
	if got, want := next(), "reader queue_full many m2 qos=1 retain=false expiry=true type="; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if m := reader.got(); string(m.Payload) != "m0" {
		t.Errorf("%s", m.Payload)
	}
}

// TestLossOffline loses messages to a client that is away: with fifo those that
// come too late, with lifo the oldest, and those that have expired meanwhile.
func TestLossOffline(t *testing.T) {
	t.Parallel()
	for _, lifo := range []bool{false, true} {
		t.Run(fmt.Sprint("lifo ", lifo), func(t *testing.T) {
			t.Parallel()
			cfg := closedConfig(1)
			cfg.MaxOfflineMessages, cfg.QueueLIFO = 3, lifo
			b := startBroker(t, cfg)
			next := lossWatcher(t, b)
			c := asClient(codec.V5, "reader", "", "")
			c.SessionExpiry = 1000
			reader := enter(t, b, c)
			reader.sub("#")
			reader.send(codec.AppendDisconnect(nil, codec.V5, codec.Success, "", ""))
			reader.gone()
			pub := enter(t, b, asClient(codec.V5, "pub", "", ""))
			for i := range 5 {
				pub.putV5("t", 1, uint16(i+1), fmt.Sprint("m", i), contentType("x/y"))
				pub.ack(codec.PUBACK, uint16(i+1))
			}
			c.CleanStart = false
			reader = enter(t, b, c)
			var kept, lost []string
			for range 3 {
				kept = append(kept, string(reader.got().Payload))
			}
			for range 2 {
				lost = append(lost, next())
			}
			wantKept, wantLost := []string{"m0", "m1", "m2"}, []string{"m3", "m4"}
			if lifo {
				wantKept, wantLost = []string{"m4", "m3", "m2"}, []string{"m1", "m0"}
			}
			slices.Sort(wantLost)
			slices.Sort(lost)
			for i, m := range wantLost {
				if want := "reader queue_full t " + m + " qos=1 retain=false expiry=false type=x/y"; lost[i] != want {
					t.Errorf("%s\nwant %s", lost[i], want)
				}
			}
			if !slices.Equal(kept, wantKept) {
				t.Errorf("kept %v, want %v", kept, wantKept)
			}
		})
	}
}

// TestLossExpired lets a message expire while its client is away.
func TestLossExpired(t *testing.T) {
	t.Parallel()
	b := startBroker(t, closedConfig(1))
	next := lossWatcher(t, b)
	c := asClient(codec.V5, "reader", "", "")
	c.SessionExpiry = 1000
	reader := enter(t, b, c)
	reader.sub("#")
	reader.send(codec.AppendDisconnect(nil, codec.V5, codec.Success, "", ""))
	reader.gone()
	pub := enter(t, b, asClient(codec.V5, "pub", "", ""))
	pub.putV5("t", 1, 1, "short", expiry(1))
	pub.ack(codec.PUBACK, 1)
	pub.putV5("t", 1, 2, "long", expiry(1000))
	pub.ack(codec.PUBACK, 2)
	time.Sleep(2100 * time.Millisecond) // a second may be rounded up; there is nothing to see before the client comes
	c.CleanStart = false
	reader = enter(t, b, c)
	if m := reader.got(); string(m.Payload) != "long" {
		t.Errorf("%s", m.Payload)
	}
	if got, want := next(), "reader expired t short qos=1 retain=false expiry=true type="; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestLossAgain comes back and takes only smaller packets than the one that was
// in flight.
func TestLossAgain(t *testing.T) {
	t.Parallel()
	b := startBroker(t, closedConfig(1))
	next := lossWatcher(t, b)
	c := asClient(codec.V5, "reader", "", "")
	c.SessionExpiry = 1000
	reader := enter(t, b, c)
	reader.sub("#")
	pub := enter(t, b, asClient(codec.V5, "pub", "", ""))
	pub.putV5("big", 1, 1, fmt.Sprintf("%0200d", 0), contentType("x/y"))
	reader.next() // and no PUBACK
	reader.send(codec.AppendDisconnect(nil, codec.V5, codec.Success, "", ""))
	reader.gone()
	c.CleanStart, c.MaxPacketSize = false, 100
	enter(t, b, c)
	if got, want := next(), "reader max_packet_size_exceeded big 0000000000 qos=1 retain=false expiry=false type=x/y"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestLossParked leaves while more waits than may wait for one who is away.
func TestLossParked(t *testing.T) {
	t.Parallel()
	cfg := closedConfig(1)
	cfg.MaxOfflineMessages = 1
	b := startBroker(t, cfg)
	next := lossWatcher(t, b)
	c := asClient(codec.V5, "reader", "", "")
	c.SessionExpiry, c.ReceiveMax = 1000, 1
	reader := enter(t, b, c)
	reader.sub("#")
	pub := enter(t, b, asClient(codec.V5, "pub", "", ""))
	for i := range 3 { // one in flight, one that is kept, one too many
		pub.putV5("many", 1, uint16(i+1), fmt.Sprint("m", i))
		pub.ack(codec.PUBACK, uint16(i+1))
	}
	reader.next() // the one in flight, and no PUBACK
	reader.send(codec.AppendDisconnect(nil, codec.V5, codec.Success, "", ""))
	reader.gone()
	if got, want := next(), "reader queue_full many m2 qos=1 retain=false expiry=false type="; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestLossRetained has more retained messages than the queue takes.
func TestLossRetained(t *testing.T) {
	t.Parallel()
	b := startBroker(t, closedConfig(1))
	next := lossWatcher(t, b)
	pub := enter(t, b, asClient(codec.V5, "pub", "", ""))
	for i := range 3 {
		pub.send(append(codec.AppendPublishHead(nil, codec.V5, codec.PublishFirst(1, false, true), fmt.Append(nil, "r/", i), uint16(i+1), nil, 2), "hi"...))
		pub.ack(codec.PUBACK, uint16(i+1))
	}
	change(t, b, func(c *config.Config) { c.MaxOnlineMessages = 0 })
	c := asClient(codec.V5, "reader", "", "")
	c.ReceiveMax = 1
	reader := enter(t, b, c)
	reader.send(codec.AppendSubscribe(nil, codec.V5, 9, 0, []codec.Filter{{Filter: []byte("r/#"), QoS: 1}}))
	for range 2 {
		if got := next(); !slices.Contains([]string{"0", "1", "2"}, got[len("reader queue_full r/"):len("reader queue_full r/")+1]) {
			t.Error(got)
		}
	}
}
