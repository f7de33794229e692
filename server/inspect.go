package server

import (
	"context"
	"time"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/admin"
	"vernemq/server/metrics"
	"vernemq/server/trace"
)

// Admin is the broker as the commands of an operator see it. Parts that it does
// not have are nil.
func (b *Broker) Admin() *admin.Broker {
	return &admin.Broker{
		Status: status{b}, Sessions: sessions{b}, Retained: retainedMessages{b}, Listeners: listeners{b},
		Metrics: counters{b}, Tracer: tracer{b}, TLS: certificates{b}, Plugins: plugins{b},
	}
}

// sessions are the clients of the broker to an operator.
type sessions struct{ *Broker }

var errAdministrative = &codec.Error{Code: codec.AdministrativeAction, Text: "disconnected by an operator"}

// Disconnect ends the connections of a client, and with cleanup its session.
func (s sessions) Disconnect(ctx context.Context, name admin.Client, cleanup bool) (found bool, err error) {
	l := s.homeOf(name.Mountpoint, name.ID)
	err = s.onLoop(ctx, l, func() {
		c := l.find(name.Mountpoint, name.ID)
		if found = c != nil; found {
			c.disconnect(errAdministrative, cleanup)
		}
	})
	return found, err
}

// disconnect ends the connections of a client, and with cleanup its session.
func (c *client) disconnect(cause *codec.Error, cleanup bool) {
	for c.more != nil {
		c.others()[0].session.Kick(cause)
	}
	if cleanup {
		c.session.Remove(cause)
		return
	}
	c.session.Kick(cause)
}

// Unsubscribe ends a subscription of a client.
func (s sessions) Unsubscribe(ctx context.Context, name admin.Client, filter string, _ bool) (found bool, err error) {
	l := s.homeOf(name.Mountpoint, name.ID)
	err = s.onLoopSafely(ctx, l, func() {
		if c := l.find(name.Mountpoint, name.ID); c != nil {
			found = l.unsubscribe(c, []byte(filter))
		}
	})
	return found, err
}

// Reauthorize asks the plugins about the subscriptions of a client again.
func (s sessions) Reauthorize(ctx context.Context, name admin.Client, user string) (bool, error) {
	return s.Broker.Reauthorize(ctx, name.Mountpoint, name.ID, user)
}

// retainedMessages are the retained messages to an operator.
type retainedMessages struct{ *Broker }

func (r retainedMessages) Each(yield func(mountpoint, topic string, payload []byte) bool) {
	r.retained.All(func(mountpoint, topic string, m *queue.Message) bool { return yield(mountpoint, topic, m.Payload()) })
}

func (r retainedMessages) Delete(mountpoint, topic string) (had bool) {
	l := r.loops[0]
	_ = r.onLoopSafely(context.Background(), l, func() { had = l.forgetRetained(mountpoint, topic) }) // ends early when the broker stops
	return had
}

func (r retainedMessages) DeleteExpired() int { return r.sweepRetained(time.Now().Unix()) }

// tracer watches clients for an operator.
type tracer struct{ *Broker }

func (t tracer) Trace(ctx context.Context, o admin.TraceOptions, line func(string) error) error {
	return t.Broker.Trace(ctx, trace.Options{Mountpoint: o.Mountpoint, ID: o.ID, RateMax: o.RateMax, RateInterval: o.RateInterval,
		Truncate: o.Truncate, Times: o.Times}, line)
}

func (t tracer) StopAll() { t.StopTraces() }

// status is the broker in numbers.
type status struct{ *Broker }

// Figures counts clients by visiting all of them.
func (s status) Figures(ctx context.Context) []admin.Figure {
	var online, offline, subscriptions int64
	_ = s.walk(ctx, func(_ *loop, c *client) { // ends early when the broker stops
		subscriptions += int64(c.subs.len())
		if !c.session.Online() {
			offline++
			return
		}
		online += 1 + int64(len(c.others()))
	}, never, always)
	sum := map[string]int64{}
	for _, m := range s.Metrics().Read() {
		if m.Type == metrics.CounterType {
			sum[m.Name] = int64(m.Sum())
		}
	}
	return []admin.Figure{
		{Name: "num_online", Value: online}, {Name: "num_offline", Value: offline},
		{Name: "msg_in", Value: sum["mqtt_publish_received"]}, {Name: "msg_out", Value: sum["mqtt_publish_sent"]},
		{Name: "queue_in", Value: sum["queue_message_in"]}, {Name: "queue_out", Value: sum["queue_message_out"]},
		{Name: "queue_drop", Value: sum["queue_message_drop"]}, {Name: "queue_unhandled", Value: sum["queue_message_unhandled"]},
		{Name: "num_subscriptions", Value: subscriptions}, {Name: "num_retained", Value: int64(s.retained.Len())},
		{Name: "matches_local", Value: sum["router_matches_local"]}, {Name: "matches_remote", Value: sum["router_matches_remote"]},
	}
}
