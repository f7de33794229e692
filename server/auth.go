package server

import (
	"vernemq/codec"
	"vernemq/queue"
	"vernemq/reactor"
	"vernemq/server/hooks"
	"vernemq/server/session"
)

// questions are requests to plugins, in space that the sessions of a loop
// share. They are valid during a call.
type questions struct {
	message     hooks.Message
	subscribe   hooks.Subscribe
	unsubscribe hooks.Unsubscribe
	verdict     session.Verdict
	topics      []hooks.Topic
	filters     [][]byte
	forward     []byte // properties of a message that plugins have changed
	properties  []byte
	delivered   []byte            // as forward, of delivery
	delivery    queue.Publication // in the place of one that plugins have changed
}

// exchange is the enhanced authentication of a connection.
type exchange struct {
	hooks.Exchange
	unfinished bool // the client has to send an AUTH
}

// connOf is the connection of a session that has one.
func connOf(s *session.Session) *reactor.Conn {
	switch l := s.Link().(type) {
	case link:
		return l.Conn
	case *tap:
		return l.Conn
	}
	return nil
}

// whoIs names the client of a session to plugins.
func whoIs(s *session.Session) hooks.Client {
	c := hooks.Client{Mountpoint: s.Mountpoint, ID: s.ID, V5: s.Version() == codec.V5}
	if s.User != nil {
		c.Username, c.HasUsername = *s.User, true
	}
	return c
}

// chains are the plugins that decide about the clients of a session's listener.
func (l *loop) chains(s *session.Session) *hooks.View {
	return l.broker.hooks.Snapshot().View(s.Limits().Chains)
}

// refused fills the verdict of a refusal, with the code that it has unless the
// packet cannot carry it.
func (q *questions) refused(r *hooks.Refusal, in codec.Type, code codec.ReasonCode) *session.Verdict {
	if r.Code.Refuses(in) {
		code = r.Code
	}
	q.verdict = session.Verdict{Refused: true, Code: code, Reason: r.Reason}
	return &q.verdict
}

var waits = &session.Verdict{Waits: true}

// AuthPublish asks auth_on_publish. Without any plugin for it, those may
// publish that need not authenticate.
func (c *client) AuthPublish(s *session.Session, p *queue.Publication, props codec.Properties) *session.Verdict {
	l := c.loop
	ch := l.chains(s).AuthOnPublish(s.Version() == codec.V5)
	if ch == nil && s.Limits().Anonymous {
		return nil
	}
	if l.grants.has(s, ch, p.Topic) {
		return nil
	}
	r := &l.questions.message
	*r = hooks.Message{Client: whoIs(s), Topic: p.Topic, Payload: p.Payload, QoS: p.QoS, Retain: p.Retain, Properties: props}
	a, known := ask(l, connOf(s), ch, r)
	switch {
	case !known:
		return waits
	case a.Result != hooks.OK:
		l.logRefused(s, codec.PUBLISH, p.Topic, a.Refusal)
		return l.questions.refused(a.Refusal, codec.PUBACK, codec.NotAuthorized)
	case a.Modifiers == nil:
		if a.Lasts != nil {
			l.grants.add(s, ch, p.Topic, a.Lasts)
		}
		return nil
	}
	return l.changeMessage(s, p, a.Modifiers)
}

// changeMessage does what plugins want with a message.
func (l *loop) changeMessage(s *session.Session, p *queue.Publication, m *hooks.PublishModifiers) *session.Verdict {
	q := &l.questions
	if m.Topic != nil {
		p.Topic = *m.Topic
	}
	if m.Payload != nil {
		p.Payload = *m.Payload
	}
	if m.QoS != nil {
		p.QoS = *m.QoS
	}
	if m.Retain != nil {
		p.Retain = *m.Retain
	}
	if m.Properties != nil {
		q.forward = changeProperties(q.forward[:0], *m.Properties, func(expiry uint32) { p.Expires = queue.ExpiresAt(l.unix(), expiry) })
		p.Forward = q.forward
	}
	if m.Throttle > 0 {
		l.pause(connOf(s), m.Throttle)
	}
	q.verdict = session.Verdict{Mountpoint: m.Mountpoint, Props: m.Properties}
	return &q.verdict
}

// changeProperties appends what of new properties is passed on.
func changeProperties(dst []byte, raw codec.Properties, expire func(seconds uint32)) []byte {
	var p codec.PublishProps
	if err := codec.DecodePublishProps(raw, &p); err != nil {
		return dst // cannot be: the chain has checked them
	}
	if p.HasExpiry {
		expire(p.Expiry)
	}
	return p.AppendForward(dst)
}

// propertiesOf are the properties of a message that is on its way.
func (l *loop) propertiesOf(p *queue.Publication) codec.Properties {
	return l.withExpiry(p.Forward, p.Expires)
}

// withExpiry puts what is left of the expiry interval before other properties.
func (l *loop) withExpiry(forward []byte, expires int64) codec.Properties {
	if expires == 0 {
		return forward
	}
	q := &l.questions
	left := codec.Property{ID: codec.MessageExpiryInterval, Number: queue.ExpiryLeft(expires, l.unix())}
	q.properties = append(codec.AppendProperty(q.properties[:0], left), forward...)
	return q.properties
}

// AuthSubscribe asks auth_on_subscribe.
func (c *client) AuthSubscribe(s *session.Session, p *codec.Subscribe) *session.Verdict {
	l := c.loop
	ch := l.chains(s).AuthOnSubscribe(s.Version() == codec.V5)
	if ch == nil && s.Limits().Anonymous {
		return nil
	}
	q := &l.questions
	q.topics = appendTopics(q.topics[:0], p.Filters, nil)
	q.subscribe = hooks.Subscribe{Client: whoIs(s), Topics: q.topics, Properties: p.Props}
	a, known := ask(l, connOf(s), ch, &q.subscribe)
	switch {
	case !known:
		return waits
	case a.Result != hooks.OK:
		l.logRefused(s, codec.SUBSCRIBE, q.topics[0].Filter.Filter, a.Refusal)
		return q.refused(a.Refusal, codec.SUBACK, codec.NotAuthorized)
	case a.Modifiers == nil:
		return nil
	}
	return q.changeTopics(a.Modifiers.Topics)
}

// appendTopics appends the filters of a packet, with their codes if there are
// any.
func appendTopics(dst []hooks.Topic, fs codec.Filters, codes []byte) []hooks.Topic {
	for i := 0; ; i++ {
		f, ok := fs.Next()
		if !ok {
			return dst
		}
		t := hooks.Topic{Filter: f}
		if i < len(codes) {
			if code := codec.ReasonCode(codes[i]); code >= 0x80 {
				t.Code = code
			} else {
				t.QoS = codes[i]
			}
		}
		dst = append(dst, t)
	}
}

// changeTopics puts topics in the place of those that were asked for, in
// q.topics. Those that are missing are refused.
func (q *questions) changeTopics(topics []hooks.Topic) *session.Verdict {
	n := max(len(topics), len(q.topics))
	filters, codes := make([]codec.Filter, n), make([]codec.ReasonCode, n)
	for i := range n {
		switch {
		case i >= len(topics):
			filters[i], codes[i] = q.topics[i].Filter, codec.NotAuthorized
		case topics[i].Code >= 0x80:
			codes[i] = codec.UnspecifiedError
			if topics[i].Code.Refuses(codec.SUBACK) {
				codes[i] = topics[i].Code
			}
			if filters[i] = topics[i].Filter; i < len(q.topics) {
				filters[i] = q.topics[i].Filter
			}
		default:
			filters[i] = topics[i].Filter
		}
	}
	q.verdict = session.Verdict{Filters: codec.NewFilters(filters), Codes: codes}
	return &q.verdict
}

// Unsubscribing asks on_unsubscribe, which may change the topics and not refuse.
func (c *client) Unsubscribing(s *session.Session, p *codec.Unsubscribe) *session.Verdict {
	l := c.loop
	ch := l.broker.hooks.Snapshot().OnUnsubscribe(s.Version() == codec.V5)
	if ch == nil {
		return nil
	}
	q := &l.questions
	q.filters = appendFilters(q.filters[:0], p.Filters)
	q.unsubscribe = hooks.Unsubscribe{Client: whoIs(s), Filters: q.filters, Properties: p.Props}
	a, known := ask(l, connOf(s), ch, &q.unsubscribe)
	switch {
	case !known:
		return waits
	case a.Result != hooks.OK || a.Modifiers == nil:
		return nil
	}
	filters := make([]codec.Filter, len(a.Modifiers.Filters))
	for i, f := range a.Modifiers.Filters {
		filters[i].Filter = f
	}
	q.verdict = session.Verdict{Filters: codec.NewFilters(filters)}
	return &q.verdict
}

func appendFilters(dst [][]byte, fs codec.Filters) [][]byte {
	for f, ok := fs.Next(); ok; f, ok = fs.Next() {
		dst = append(dst, f.Filter)
	}
	return dst
}

// Authenticate asks on_auth about an AUTH of a connected client, which may only
// go on with the method of its CONNECT [MQTT-4.12.1-1].
func (c *client) Authenticate(s *session.Session, p *codec.Auth) *session.Verdict {
	l, conn := c.loop, connOf(s)
	x := l.exchanges[conn]
	if x == nil {
		return nil
	}
	q := &l.questions
	want := codec.Reauthenticate
	if x.unfinished {
		want = codec.ContinueAuthentication
	}
	if p.Reason != want || string(p.Method) != x.Method {
		q.verdict = session.Verdict{Refused: true, Code: codec.ProtocolError, Reason: "AUTH does not go on with the authentication"}
		return &q.verdict
	}
	r := &hooks.Auth{Client: whoIs(s), Exchange: &x.Exchange, Data: p.Data, HasData: p.Data != nil, Again: true, Properties: p.Props}
	a, known := ask(l, conn, l.chains(s).OnAuth(), r)
	switch {
	case !known:
		return waits
	case a.Result != hooks.OK:
		return q.refused(a.Refusal, codec.DISCONNECT, codec.NotAuthorized)
	}
	q.verdict = session.Verdict{Method: x.Method}
	if m := a.Modifiers; m != nil {
		q.verdict.Continue, q.verdict.Data = m.Continue, m.Data
	}
	x.unfinished = q.verdict.Continue
	return &q.verdict
}
