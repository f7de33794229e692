package session

import (
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/server/metrics"
)

// Options are what a subscription asks for.
type Options struct {
	ID                uint32 // Subscription Identifier, 0 = none
	Share             uint32 // number of the shared subscription, 0 = not shared
	QoS               byte   // granted
	NoLocal           bool
	RetainAsPublished bool
	Stored            bool // the subscription is in the store
}

// Deliver takes a publication for this client because of a subscription.
func (s *Session) Deliver(p *queue.Publication, o *Options) {
	if o.NoLocal && p.From == s.Key { // [MQTT-3.8.3-3]
		return
	}
	qos := min(o.QoS, p.QoS) // [MQTT-3.8.4-8]
	if s.limits.UpgradeQoS {
		qos = o.QoS
	}
	s.send(p, queue.Entry{QoS: qos, Retain: p.Retain && o.RetainAsPublished, SubscriptionID: o.ID, Share: o.Share})
}

// Take takes a message that another connection of the same client left behind.
func (s *Session) Take(p *queue.Publication, e queue.Entry) {
	e.Msg = nil
	s.send(p, e)
}

// send passes a publication on to the client, or keeps it until the client
// can take it. The entry says how; its Msg is set when somebody holds it.
func (s *Session) send(p *queue.Publication, e queue.Entry) {
	m := s.host.Metrics()
	m.Inc(metrics.QueueMessageIn)
	if s.link == nil {
		s.keep(p, e)
		return
	}
	if p.Expires != 0 && s.host.Unix() > p.Expires {
		m.Inc(metrics.QueueMessageExpired)
		s.lose(Overdue, p, &e)
		s.unwrite(e.Ref)
		return
	}
	x := s.extra
	if x != nil && (x.waiting.Len() > 0 || x.resend > 0) || s.backlog != nil || s.link.Full() || s.limits.MaxOnline == 0 {
		s.wait(p, e)
		return
	}
	if e.QoS > 0 && s.more().windowFull(s.window) {
		s.wait(p, e)
		return
	}
	q := s.host.Delivering(s, p, e)
	if q == nil {
		s.wait(p, e)
		return
	}
	if q != p {
		s.write(&e, p) // as it was, not as it is sent
	}
	s.dispatch(q, e)
}

// windowFull tells that the client may not be sent another message of QoS 1 or
// 2 now. One identifier always stays free.
func (e *extra) windowFull(window uint16) bool {
	n := e.inflight.Len()
	return n-e.free-e.resend >= int(window) || n >= maxInflight
}

const maxInflight = 65534

// dispatch writes a message out; the window has room for it.
func (s *Session) dispatch(p *queue.Publication, e queue.Entry) {
	d := s.delivery(&e)
	m := s.host.Metrics()
	if s.mayBeTooLarge(p) && s.tooLarge(p.Size(d)) {
		m.Inc(metrics.QueueMessageDrop) // counts as delivered [MQTT-3.1.2-25]
		s.lose(PacketTooLarge, p, &e)
		s.unwrite(e.Ref)
		m.Inc(metrics.LimitPacketOut)
		return
	}
	if e.QoS > 0 {
		state := queue.AwaitPuback
		if e.QoS == 2 {
			state = queue.AwaitPubrec
		}
		now := s.host.Clock()
		s.write(&e, p)
		d.ID = s.extra.inflight.Add(s.held(p, e), state, now)
		if e.QoS == 2 {
			s.wrote(d.ID, store.Sent, e.Ref.Seq)
		}
		if !s.v5() && s.limits.RetryInterval > 0 {
			s.arm(after(now, s.limits.RetryInterval))
		}
	}
	m.Inc(metrics.QueueMessageOut)
	m.Delivered(p.Stamp)
	s.transmit(p, d)
}

// held gives the entry with a hold on its message.
func (s *Session) held(p *queue.Publication, e queue.Entry) queue.Entry {
	e.Msg = p.Message().Hold()
	if e.Share != 0 {
		s.flags |= sharer
	}
	return e
}

// delivery describes a first transmission to this client. It is the loop's
// scratch, valid until the next one.
func (s *Session) delivery(e *queue.Entry) *queue.Delivery {
	d := &s.host.Scratch().Delivery
	*d = queue.Delivery{Version: s.version, QoS: e.QoS, Retain: e.Retain, SubscriptionID: e.SubscriptionID}
	return d
}

// transmit writes the PUBLISH packet of a delivery.
func (s *Session) transmit(p *queue.Publication, d *queue.Delivery) {
	if p.Expires != 0 {
		d.Now = s.host.Unix()
	}
	if s.aliasMax > 0 {
		s.useAlias(p, d)
	}
	out := s.link.Output()
	if len(p.Payload) < queue.SharedMin {
		out.B = p.AppendPacket(out.B, d)
	} else {
		out.B = p.AppendHead(out.B, d)
		if m := p.Kept(); m != nil {
			s.link.AppendShared(m.Payload(), m.Hold())
		} else {
			s.link.AppendBorrowed(p.Payload)
		}
	}
	s.count(metrics.PublishSent)
}

// aliasCost is what a Topic Alias adds to a packet, in bytes.
const aliasCost = 3

// useAlias gives the topic an alias, as long as there are free ones, or puts
// the alias that it has in its place [MQTT-3.3.2-11].
func (s *Session) useAlias(p *queue.Publication, d *queue.Delivery) {
	if len(p.Topic) <= aliasCost {
		return
	}
	e := s.more()
	if id, ok := e.topics[string(p.Topic)]; ok {
		d.Alias, d.KnownAlias = id, true
		return
	}
	if len(e.topics) >= int(s.aliasMax) {
		return
	}
	d.Alias = uint16(len(e.topics)) + 1
	if s.mayBeTooLarge(p) && s.tooLarge(p.Size(d)) { // it fits without
		d.Alias = 0
		return
	}
	if e.topics == nil {
		e.topics = map[string]uint16{}
	}
	e.topics[string(p.Topic)] = d.Alias
}

// wait queues a message for a connected client that cannot take it now.
func (s *Session) wait(p *queue.Publication, e queue.Entry) {
	if limit := s.limits.MaxOnline; limit >= 0 && s.Queued() >= limit {
		s.host.Metrics().Inc(metrics.LimitOnline)
		s.drop()
		s.lose(QueueFull, p, &e)
		s.unwrite(e.Ref)
		return
	}
	taken := e.Ref.Seq != 0 // from another connection: it is older than what is in the store
	s.write(&e, p)
	w := &s.more().waiting
	if !taken && e.Ref.Seq != 0 && (s.backlog != nil || w.Len() >= spillFrom) {
		s.shelf().leave(e.Ref.Seq, p.Expires)
		s.page()
		return
	}
	w.Push(s.held(p, e))
}

// keep stores a message for a client that is away.
func (s *Session) keep(p *queue.Publication, e queue.Entry) {
	if e.QoS == 0 {
		s.host.Metrics().Inc(metrics.QueueMessageUnhandled)
		return
	}
	if !s.room() {
		s.lose(QueueFull, p, &e)
		s.unwrite(e.Ref)
		return
	}
	s.write(&e, p)
	s.shelf().leave(e.Ref.Seq, p.Expires)
	s.host.Kept(s, p, e)
}

// saturated tells that nothing more can be queued for a connected client.
func (s *Session) saturated() bool {
	limit, n := s.limits.MaxOnline, s.Queued()
	return limit >= 0 && n > 0 && n >= limit
}

// refuse drops, as one, the retained messages of a filter that nobody has
// looked up, because none of them could be queued.
func (s *Session) refuse() {
	s.host.Metrics().Inc(metrics.QueueMessageIn)
	s.drop()
	s.host.Lost(s, Loss{Why: QueueFull, Retain: true})
}

func (s *Session) drop() {
	s.host.Metrics().Inc(metrics.QueueMessageDrop)
	s.host.Dropped()
}

// resume goes on with a session after the client came back: what was in
// flight is sent again, then the backlog.
func (s *Session) resume() {
	if e := s.extra; e != nil {
		e.resend, e.free = 0, 0
		for x := range e.inflight.All {
			x.Again, x.Free = true, false
			e.resend++
		}
		for id := range e.received.All {
			e.earlier.Add(id)
		}
		e.received = queue.IDSet{}
	}
	s.unpark()
	s.pump()
}

// Writable tells that the connection takes output again.
func (s *Session) Writable() {
	if s.link != nil {
		s.pump()
	}
}

// pump sends what waits, as far as the window and the connection allow.
func (s *Session) pump() {
	e := s.extra
	if e == nil {
		return
	}
	if e.resend > 0 && !s.sendAgain() {
		return
	}
	defer s.page()
	sc := s.host.Scratch()
	for e.waiting.Len() > 0 && !s.link.Full() {
		if e.waiting.Front().QoS > 0 && e.windowFull(s.window) {
			return
		}
		x := e.waiting.Pop()
		if x.Msg.Expires != 0 && x.Msg.Expired(s.host.Unix()) {
			s.host.Metrics().Inc(metrics.QueueMessageExpired)
			s.loseQueued(Overdue, &x)
			s.unwrite(x.Ref)
		} else {
			sc.Out.View(x.Msg)
			q := s.host.Delivering(s, &sc.Out, x)
			if q == nil {
				sc.Out.Reset()
				e.waiting.PushFront(x)
				return
			}
			s.dispatch(q, x)
			sc.Out.Reset()
		}
		x.Msg.Release()
	}
}

// sendAgain goes on with the transmission of what was in flight when the
// client left, in the original order. PUBREL takes no place in the window. It
// tells whether all is sent.
func (s *Session) sendAgain() bool {
	e, now := s.extra, s.host.Clock()
	if !s.v5() && s.limits.RetryInterval > 0 {
		s.arm(after(now, s.limits.RetryInterval))
	}
	var tooLarge []uint16
	done := true
	for x := range e.inflight.All {
		switch {
		case !x.Again:
			continue
		case s.link.Full():
			done = false
		case x.State == queue.AwaitPubcomp:
			e.free++
			x.Free = true
		case !s.fits(x):
			tooLarge = append(tooLarge, x.ID)
			s.loseQueued(PacketTooLarge, &x.Entry)
			continue
		case e.windowFull(s.window):
			done = false
		}
		if !done {
			break
		}
		e.resend--
		x.Again = false
		s.again(x, now)
	}
	for _, id := range tooLarge { // counts as delivered [MQTT-3.1.2-25]
		s.remove(id)
	}
	return done && e.resend == 0
}

// fits tells whether a message in flight is not too large for the client as
// it is connected now.
func (s *Session) fits(x *queue.Flight) bool {
	p := &s.host.Scratch().Out
	p.View(x.Msg)
	defer p.Reset()
	return !s.mayBeTooLarge(p) || !s.tooLarge(p.Size(s.delivery(&x.Entry)))
}
