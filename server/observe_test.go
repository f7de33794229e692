package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/metrics"
)

// values are all metrics of a broker, added up over labels.
func values(b *Broker) map[string]uint64 {
	out := map[string]uint64{}
	for _, m := range b.Metrics().Read() {
		if m.Type == metrics.HistogramType {
			out[m.Name] = m.Total().Count()
		} else {
			out[m.Name] = m.Sum()
		}
	}
	return out
}

// settled waits until the metrics of a broker are as wanted.
func settled(t *testing.T, b *Broker, want map[string]uint64) {
	t.Helper()
	var wrong string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		got := values(b)
		wrong = ""
		for name, n := range want {
			if got[name] != n {
				wrong += fmt.Sprintf("%s is %d, want %d; ", name, got[name], n)
			}
		}
		if wrong == "" {
			return
		}
	}
	t.Error(wrong)
}

// TestQueueIdentity looks at every loop in the middle of a load in which
// messages wait, are dropped, expire and are thrown away: all that came to
// queues has left them in exactly one way or is there.
func TestQueueIdentity(t *testing.T) {
	cfg := testConfig(3)
	cfg.MaxOnlineMessages, cfg.MaxOfflineMessages, cfg.MaxInflightMessages = 30, 20, 5
	b := startBroker(t, cfg)
	stop := make(chan struct{})
	var load sync.WaitGroup
	for i := range 12 {
		load.Go(func() { disturb(b, i, stop) })
	}
	looks := 60
	if testing.Short() {
		looks = 20
	}
	for range looks {
		b.everywhere(t.Context(), func(l *loop) { balanced(t, l) })
		exported := values(b) // must hold for what is exported, too
		if w := exported["queue_messages_waiting"]; w > 1<<40 {
			t.Errorf("more messages have left queues than came to them")
		}
		time.Sleep(20 * time.Millisecond)
	}
	close(stop)
	load.Wait()
	got := values(b)
	for _, name := range []string{"queue_message_in", "queue_message_out", "queue_message_drop", "queue_message_unhandled"} {
		if got[name] == 0 {
			t.Errorf("the load never moved %s", name)
		}
	}
}

// balanced checks one loop. On the loop.
func balanced(t *testing.T, l *loop) {
	l.publishMetrics()
	n := l.metrics.Level
	waiting := 0
	for c := range l.clients.all {
		waiting += c.session.Queued()
		for _, a := range c.others() {
			waiting += a.session.Queued()
		}
	}
	in := n(metrics.QueueMessageIn)
	gone := n(metrics.QueueMessageOut) + n(metrics.QueueMessageDrop) + n(metrics.QueueMessageUnhandled) + n(metrics.QueueMessageExpired)
	if in != gone+waiting {
		t.Errorf("loop %d: %d messages in, %d gone, %d waiting", l.index, in, gone, waiting)
	}
}

// disturb is a client that connects, subscribes, publishes, reads or does not,
// and leaves, again and again.
func disturb(b *Broker, i int, stop chan struct{}) {
	r := rand.New(rand.NewPCG(uint64(i), 7))
	for {
		select {
		case <-stop:
			return
		default:
		}
		c := &codec.Connect{Version: codec.V5, CleanStart: r.IntN(4) == 0, ClientID: fmt.Appendf(nil, "d-%d", i), SessionExpiry: 60}
		conn, err := dial(b)
		if err != nil {
			return
		}
		out := codec.AppendConnect(nil, c)
		out = codec.AppendSubscribe(out, codec.V5, 1, 0, []codec.Filter{{Filter: []byte("id/#"), QoS: byte(r.IntN(3))}})
		for k := range 200 {
			qos := byte(r.IntN(2))
			out = codec.AppendPublishHead(out, codec.V5, codec.PublishFirst(qos, false, false), fmt.Appendf(nil, "id/%d", k%9), uint16(k+1), nil, 4)
			out = append(out, "load"...)
		}
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		conn.Write(out)
		if r.IntN(2) == 0 {
			buf := make([]byte, 4096)
			for range r.IntN(30) {
				if _, err := conn.Read(buf); err != nil {
					break
				}
			}
		}
		if r.IntN(2) == 0 {
			conn.Write(codec.AppendDisconnect(nil, codec.V5, codec.Success, "", ""))
		}
		conn.Close()
	}
}

// TestMetricsOfClients follows a few clients through the counters.
func TestMetricsOfClients(t *testing.T) {
	b := startBroker(t, testConfig(2))
	sub, pub := connect(t, b, "sub"), connect(t, b, "pub")
	sub.subscribe("a/+", 1)
	pub.send(codec.AppendPublishHead(nil, codec.V5, codec.PublishFirst(1, false, true), []byte("a/1"), 7, nil, 0))
	pub.next()
	pub.publish("a/2", "hello", 1, 8)
	pub.next()
	sub.payloads(2)
	pub.publish("$sys/x", "no", 1, 9)
	pub.next()
	settled(t, b, map[string]uint64{
		"socket_open": 2, "socket_close": 0, "mqtt_connect_received": 2, "mqtt_connack_sent": 2, "mqtt_publish_received": 3,
		"mqtt_publish_sent": 2, "mqtt_puback_sent": 3, "mqtt_puback_received": 2, "mqtt_publish_error": 1, "queue_message_in": 2,
		"queue_message_out": 2, "queue_messages_waiting": 0, "router_matches_local": 2, "router_matches_remote": 0,
		"router_subscriptions": 1, "queue_processes": 2, "sessions_online": 2, "total_active_connections": 2, "active_mqtt_connections": 2,
		"connect_microseconds": 2, "retain_messages": 0,
	})
	if n := values(b)["publish_to_deliver_microseconds"]; n == 0 || n > 2 {
		t.Errorf("%d deliveries were measured", n)
	}
	pub.send(append(codec.AppendPublishHead(nil, codec.V5, codec.PublishFirst(0, false, true), []byte("r"), 0, nil, 5), "ABCDE"...))
	pub.send(codec.AppendDisconnect(nil, codec.V5, codec.DisconnectWithWill, "", ""))
	settled(t, b, map[string]uint64{"retain_messages": 1, "socket_close": 1, "mqtt_disconnect_received": 1, "sessions_online": 1, "queue_teardown": 1, "queue_processes": 1})
	if values(b)["retain_memory"] < 6 {
		t.Error("retained memory is not counted")
	}
	taken := connect(t, b, "sub") // takes over
	settled(t, b, map[string]uint64{"session_takeovers": 1, "mqtt_disconnect_sent": 1, "sessions_online": 1, "router_subscriptions": 0})
	taken.send(append(codec.AppendPublishHead(nil, codec.V5, codec.PublishFirst(0, false, true), []byte("r"), 0, nil, 0), 0xc0, 0))
	taken.next()
	settled(t, b, map[string]uint64{"retain_messages": 0, "retain_memory": 0, "mqtt_pingreq_received": 1, "mqtt_pingresp_sent": 1})
}

// TestMetricsStayInStep ends clients in every way, also those that are never
// connected: the levels come back to nothing.
func TestMetricsStayInStep(t *testing.T) {
	cfg := testConfig(2)
	cfg.AllowMultipleSessions = true
	b := startBroker(t, cfg)
	for i := range 10 {
		small := &peer{t: t}
		small.open(b) // takes no CONNACK that has an identifier in it
		small.send(codec.AppendConnect(nil, &codec.Connect{Version: codec.V5, CleanStart: true, MaxPacketSize: 8}))
		one, two := connect(t, b, fmt.Sprint(i)), connect(t, b, fmt.Sprint(i))
		one.subscribe("x", 0)
		for _, p := range []*peer{one, two, small}[i%2:] {
			p.conn.Close()
		}
		one.conn.Close()
		small.conn.Close()
	}
	settled(t, b, map[string]uint64{"sessions_online": 0, "queue_processes": 0, "router_subscriptions": 0, "total_active_connections": 0, "sessions_offline": 0})
}

// TestStopWhileRead reads the metrics while the broker stops.
func TestStopWhileRead(t *testing.T) {
	b := startBroker(t, testConfig(2))
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() {
		for ctx.Err() == nil {
			b.Metrics().Read()
		}
	})
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	cancel()
	reading.Wait()
}
