package server

import (
	"vernemq/codec"
	"vernemq/queue"
	"vernemq/reactor"
	"vernemq/server/hooks"
	"vernemq/server/session"
)

// Publish routes a message and tells on_publish.
func (c *client) Publish(s *session.Session, mountpoint string, p *queue.Publication, props codec.Properties) {
	c.loop.publish(mountpoint, p)
	ev := c.loop.broker.hooks.Snapshot().OnPublish(s.Version() == codec.V5)
	if ev == nil {
		return
	}
	r := &c.loop.questions.message
	if props == nil { // of a will
		props = c.loop.propertiesOf(p)
	}
	*r = hooks.Message{Client: whoIs(s), Topic: p.Topic, Payload: p.Payload, QoS: p.QoS, Retain: p.Retain, Properties: props}
	ev.Tell(r)
}

// Subscribed tells on_subscribe.
func (c *client) Subscribed(s *session.Session, filters codec.Filters, codes []byte, props codec.Properties) {
	ev := c.loop.broker.hooks.Snapshot().OnSubscribe(s.Version() == codec.V5)
	if ev == nil {
		return
	}
	q := &c.loop.questions
	q.topics = appendTopics(q.topics[:0], filters, codes)
	q.subscribe = hooks.Subscribe{Client: whoIs(s), Topics: q.topics, Properties: props}
	ev.Tell(&q.subscribe)
}

// Unsubscribed tells on_topic_unsubscribed.
func (c *client) Unsubscribed(s *session.Session, filters codec.Filters) {
	ev := c.loop.broker.hooks.Snapshot().OnTopicUnsubscribed
	if ev == nil {
		return
	}
	q := &c.loop.questions
	q.filters = appendFilters(q.filters[:0], filters)
	q.unsubscribe = hooks.Unsubscribe{Client: whoIs(s), Filters: q.filters}
	ev.Tell(&q.unsubscribe)
}

// unsubscribedAll tells on_topic_unsubscribed that a client's subscriptions are
// wiped.
func (c *client) unsubscribedAll() {
	if ev := c.loop.broker.hooks.Snapshot().OnTopicUnsubscribed; ev != nil {
		ev.Tell(&hooks.Unsubscribe{Client: whoIs(&c.session), All: true})
	}
}

// Kept tells on_offline_message.
func (c *client) Kept(s *session.Session, p *queue.Publication, e queue.Entry) {
	ev := c.loop.broker.hooks.Snapshot().OnOfflineMessage
	if ev == nil {
		return
	}
	r := &c.loop.questions.message
	*r = hooks.Message{Client: whoIs(s), Topic: p.Topic, Payload: p.Payload, QoS: e.QoS, Retain: e.Retain, Properties: c.loop.propertiesOf(p)}
	ev.Tell(r)
}

// Left tells on_client_offline, on_client_gone and on_session_expired.
func (c *client) Left(s *session.Session, how session.Departure) {
	snap := c.loop.broker.hooks.Snapshot()
	ev := snap.OnClientOffline
	switch how {
	case session.Gone:
		ev = snap.OnClientGone
	case session.Expired:
		ev = snap.OnSessionExpired
	}
	if ev != nil {
		ev.Tell(new(whoIs(s)))
	}
}

// dropped tells on_message_drop that a client's queue was full.
func (c *client) dropped() {
	if ev := c.loop.broker.hooks.Snapshot().OnMessageDrop; ev != nil {
		ev.Tell(&hooks.Drop{Message: hooks.Message{Client: whoIs(&c.session)}, Reason: "queue_full"})
	}
}

// tellRegistered has on_client_wakeup and on_register told when a client comes
// to its session.
func (l *loop) tellRegistered(conn *reactor.Conn, a *admission, p *codec.Connect) {
	snap := l.broker.hooks.Snapshot()
	wakeup, register := snap.OnClientWakeup, snap.OnRegister(p.Version == codec.V5)
	if wakeup == nil && register == nil {
		return
	}
	a.Registered = func() {
		r := &hooks.Register{Client: a.client(conn, p), CleanStart: p.CleanStart, Properties: p.Props}
		wakeup.Tell(&r.Client)
		register.Tell(r)
	}
}
