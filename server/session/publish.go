package session

import (
	"bytes"
	"slices"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/metrics"
)

// publish handles a PUBLISH from the client.
func (s *Session) publish(f codec.Frame) bool {
	sc := s.host.Scratch()
	m := &sc.Publish
	if err := codec.DecodePublish(s.version, f, m); err != nil {
		return s.fail(err)
	}
	again := s.comesAgain()
	if !again {
		s.count(metrics.PublishReceived)
	}
	if s.limits.MaxRate > 0 {
		s.spend(again)
	}
	if s.v5() {
		if err := s.alias(m); err != nil {
			return s.fail(err)
		}
	}
	if limit := s.limits.TopicMaxDepth; limit > 0 && bytes.Count(m.Topic, slash) >= limit {
		return s.fail(errDepth)
	}
	if m.QoS == 2 {
		return s.publishExactlyOnce(m)
	}
	writes := s.host.Writes()
	code, reason, done := s.route(m)
	if done && m.QoS == 1 {
		if code == codec.QuotaExceeded && !s.v5() {
			s.end(errStore)
			return false
		}
		s.waitFor(writes)
		s.ackWhy(codec.PUBACK, m.PacketID, code, reason)
		s.countCode(metrics.PubackSent, code)
	}
	return s.link != nil
}

var slash = []byte{'/'}

// publishExactlyOnce is the receiver's side of QoS 2, method A: the message is
// routed at its first arrival, repeats are acknowledged only [MQTT-4.3.3-10].
func (s *Session) publishExactlyOnce(m *codec.Publish) bool {
	e, writes := s.more(), s.host.Writes()
	code, reason := codec.Success, ""
	if !e.received.Has(m.PacketID) && !e.earlier.Has(m.PacketID) {
		if s.v5() && e.received.Len() >= int(s.limits.ReceiveMaxBroker) {
			s.host.Metrics().Inc(metrics.LimitReceive)
			return s.fail(errReceiveMax) // [MQTT-3.3.4-7]
		}
		var done bool
		if code, reason, done = s.route(m); !done {
			return s.link != nil
		}
		if code < 0x80 {
			e.received.Add(m.PacketID)
			if s.flags&stored != 0 {
				s.host.Records().PutIncoming(s.client(), m.PacketID)
			}
		} else if code == codec.QuotaExceeded && !s.v5() {
			s.end(errStore)
			return false
		}
		s.countCode(metrics.PubrecSent, code) // repeats are not counted
	}
	s.waitFor(writes)
	s.ackWhy(codec.PUBREC, m.PacketID, code, reason)
	return true
}

func (s *Session) pubrel(a *codec.Ack) {
	s.countCode(metrics.PubrelReceived, a.Reason)
	code := codec.Success
	e := s.extra
	known := e != nil && (e.received.Remove(a.PacketID) || e.earlier.Remove(a.PacketID))
	switch {
	case known && s.flags&stored != 0:
		// Were it there after a crash, the next message with this identifier
		// would be taken for this one.
		s.host.Records().DeleteIncoming(s.client(), a.PacketID)
		s.host.Hold()
	case !known && s.v5():
		code = codec.PacketIdentifierNotFound
	}
	s.ack(codec.PUBCOMP, a.PacketID, code)
	if known || s.v5() { // so does VerneMQ
		s.countCode(metrics.PubcompSent, code)
	}
}

// route hands the message to the broker. Topics that begin with $ are the
// broker's own: the client gets its acknowledgement, nobody the message. While
// nothing can be stored, no message is accepted that would be acknowledged. The
// reason of a refusal is for people. It is not done when the message has to wait,
// or the connection ends.
func (s *Session) route(m *codec.Publish) (code codec.ReasonCode, reason string, done bool) {
	if m.Topic[0] == '$' {
		return s.reserved(), ownTopics, true
	}
	if m.QoS > 0 && !s.host.Safe() {
		s.count(metrics.PublishError)
		return codec.QuotaExceeded, errStore.Text, true
	}
	sc := s.host.Scratch()
	p := &sc.In
	p.Reset() // a contained panic may have left something
	p.Topic, p.Payload, p.Forward = m.Topic, m.Payload, nil
	p.QoS, p.Retain, p.From, p.Expires = m.QoS, m.Retain, s.Key, 0
	if m.Props.Forward {
		sc.Forward = m.Props.AppendForward(sc.Forward[:0])
		p.Forward = sc.Forward
	}
	if m.Props.HasExpiry {
		p.Expires = queue.ExpiresAt(s.host.Unix(), m.Props.Expiry)
	}
	mountpoint, props := s.Mountpoint, m.Props.Raw
	if v := s.host.AuthPublish(s, p, props); v != nil {
		switch {
		case v.Waits:
			s.suspend()
			return 0, "", false
		case v.Refused:
			code, done = s.refusePublish(v)
			return code, v.Reason, done
		case p.Topic[0] == '$':
			return s.reserved(), ownTopics, true
		}
		if v.Mountpoint != nil {
			mountpoint = *v.Mountpoint
		}
		if v.Props != nil {
			props = *v.Props
		}
	}
	s.host.Publish(s, mountpoint, p, props)
	p.Reset()
	return codec.Success, "", true
}

const ownTopics = "topics that begin with $ are the broker's own"

// reserved refuses a message to a topic of the broker.
func (s *Session) reserved() codec.ReasonCode {
	s.count(metrics.PublishError)
	if s.v5() {
		return codec.NotAuthorized
	}
	return codec.Success
}

// refusePublish refuses a message that plugins do not allow. MQTT 3 has no way
// to say so: 3.1.1 ends the connection, 3.1 acknowledges unless the
// configuration says otherwise [MQTT-3.3.5-2].
func (s *Session) refusePublish(v *Verdict) (code codec.ReasonCode, done bool) {
	s.count(metrics.PublishAuthError)
	switch {
	case s.v5():
		return v.Code, true
	case s.version == codec.V311, s.limits.DisconnectUnauthorizedV3:
		s.end(errUnauthorized)
		return 0, false
	}
	return codec.Success, true
}

var errUnauthorized = &codec.Error{Code: codec.NotAuthorized, Text: "client may not publish to this topic"}

// alias checks what only MQTT 5 has, and puts the topic of a known alias in
// place of an empty one [MQTT-3.3.2-12].
func (s *Session) alias(m *codec.Publish) error {
	if m.Props.HasSubscriptionID() {
		return errSubscription // [MQTT-3.3.4-6]
	}
	if !m.Props.HasAlias {
		return nil
	}
	id := m.Props.Alias
	if id > s.limits.TopicAliasMaxClient {
		s.host.Metrics().Inc(metrics.LimitAlias)
		return errAlias // [MQTT-3.3.2-9]
	}
	e := s.more()
	if len(m.Topic) == 0 {
		topic, ok := e.aliases[id]
		if !ok {
			return errUnknownAlias
		}
		m.Topic = append(s.host.Scratch().Topic[:0], topic...)
		s.host.Scratch().Topic = m.Topic
		return nil
	}
	if string(m.Topic) == e.aliases[id] {
		return nil
	}
	if e.aliases == nil {
		e.aliases = map[uint16]string{}
	}
	e.aliases[id] = string(m.Topic)
	return nil
}

// subscribe handles SUBSCRIBE: all filters are answered in one SUBACK, then
// the retained messages follow.
func (s *Session) subscribe(f codec.Frame) bool {
	sc := s.host.Scratch()
	m := &sc.Subscribe
	if err := codec.DecodeSubscribe(s.version, f, m); err != nil {
		return s.fail(err)
	}
	if !s.comesAgain() {
		s.count(metrics.SubscribeReceived)
	}
	if s.tooDeep(m.Filters) {
		return s.fail(errFilterDepth)
	}
	if s.tooLarge(answerSize(m.Filters)) {
		return s.fail(errAnswerSize)
	}
	asked := m.Filters.Len()
	v := s.host.AuthSubscribe(s, m)
	var denied []codec.ReasonCode
	if v != nil {
		if v.Waits {
			s.suspend()
			return true
		}
		denied = s.denied(v, m)
	}
	writes := s.host.Writes()
	sc.Codes, sc.Retained = sc.Codes[:0], sc.Retained[:0]
	for fs := m.Filters; ; {
		x, ok := fs.Next()
		if !ok {
			break
		}
		if i := len(sc.Codes); i < len(denied) && denied[i] >= 0x80 {
			sc.Codes, sc.Retained = append(sc.Codes, byte(denied[i])), append(sc.Retained, false)
			continue
		}
		if s.flags&bridge != 0 {
			x.NoLocal, x.RetainAsPublished = true, true
		}
		isNew, code := s.host.Subscribe(&x, m.SubscriptionID)
		sc.Codes = append(sc.Codes, byte(code))
		wanted := x.RetainHandling == 0 || x.RetainHandling == 1 && isNew
		sc.Retained = append(sc.Retained, wanted && code < 0x80)
	}
	if v == nil || !v.Refused { // else nothing was done
		s.host.Subscribed(s, m.Filters, sc.Codes, m.Props)
	}
	reason := ""
	if v != nil {
		reason = s.explain(v.Reason)
	}
	if bytes.IndexByte(sc.Codes, byte(codec.QuotaExceeded)) >= 0 {
		reason = s.explain("no more subscriptions are allowed")
	}
	s.waitFor(writes)
	out := s.link.Output()
	out.B = codec.AppendSuback(out.B, s.version, m.PacketID, sc.Codes[:asked], reason)
	s.countSuback(sc.Codes)
	s.sendRetained(m)
	return true
}

// countSuback counts a SUBACK that grants nothing as a refusal.
func (s *Session) countSuback(codes []byte) {
	for _, c := range codes {
		if c < 0x80 {
			s.count(metrics.SubackSent)
			return
		}
	}
	s.count(metrics.SubscribeAuthError)
}

// denied puts the filters that plugins want into the place of those of the
// packet, and gives the codes of those that they refuse. There is at least one
// for each that was asked for.
func (s *Session) denied(v *Verdict, m *codec.Subscribe) []codec.ReasonCode {
	if v.Refused {
		return slices.Repeat([]codec.ReasonCode{v.Code}, m.Filters.Len())
	}
	m.Filters = v.Filters
	return v.Codes
}

// answerSize is the size of the MQTT 5 SUBACK or UNSUBACK for filters.
func answerSize(fs codec.Filters) int {
	n := 3 // identifier, no properties
	for _, ok := fs.Next(); ok; _, ok = fs.Next() {
		n++
	}
	return 1 + codec.LengthSize(n) + n
}

func (s *Session) tooDeep(fs codec.Filters) bool {
	limit := s.limits.TopicMaxDepth
	for limit > 0 {
		x, ok := fs.Next()
		if !ok {
			break
		}
		if bytes.Count(x.Filter, slash) >= limit {
			return true
		}
	}
	return false
}

// sendRetained sends the retained messages that the filters of a SUBSCRIBE ask
// for [MQTT-3.3.1-9]. Shared subscriptions get none.
func (s *Session) sendRetained(m *codec.Subscribe) {
	sc := s.host.Scratch()
	fs := m.Filters
	for i := 0; ; i++ {
		x, ok := fs.Next()
		if !ok {
			return
		}
		if _, _, shared := codec.SplitShared(x.Filter); shared || !sc.Retained[i] {
			continue
		}
		if s.saturated() {
			s.refuse()
			continue
		}
		noLocal := x.NoLocal || s.Bridge()
		s.host.Retained(x.Filter, func(msg *queue.Message) bool {
			if noLocal && msg.From == s.Key {
				return true
			}
			sc.Out.View(msg)
			qos := min(x.QoS, msg.QoS)
			if s.limits.UpgradeQoS {
				qos = x.QoS
			}
			s.send(&sc.Out, queue.Entry{QoS: qos, Retain: true, SubscriptionID: m.SubscriptionID})
			sc.Out.Reset()
			return true
		})
	}
}

// unsubscribe handles UNSUBSCRIBE.
func (s *Session) unsubscribe(f codec.Frame) bool {
	sc := s.host.Scratch()
	m := &sc.Unsubscribe
	if err := codec.DecodeUnsubscribe(s.version, f, m); err != nil {
		return s.fail(err)
	}
	if !s.comesAgain() {
		s.count(metrics.UnsubscribeReceived)
	}
	if s.tooLarge(answerSize(m.Filters)) {
		return s.fail(errAnswerSize)
	}
	asked := m.Filters.Len()
	if v := s.host.Unsubscribing(s, m); v != nil {
		if v.Waits {
			s.suspend()
			return true
		}
		m.Filters = v.Filters
	}
	writes := s.host.Writes()
	sc.Codes = sc.Codes[:0]
	for fs := m.Filters; ; {
		x, ok := fs.Next()
		if !ok {
			break
		}
		code := codec.Success
		if !s.host.Unsubscribe(x.Filter) {
			code = codec.NoSubscriptionExisted
		}
		sc.Codes = append(sc.Codes, byte(code))
	}
	s.host.Unsubscribed(s, m.Filters)
	for len(sc.Codes) < asked {
		sc.Codes = append(sc.Codes, byte(codec.NoSubscriptionExisted))
	}
	s.waitFor(writes)
	out := s.link.Output()
	out.B = codec.AppendUnsuback(out.B, s.version, m.PacketID, sc.Codes[:asked], "")
	s.count(metrics.UnsubackSent)
	return true
}
