package mqttmodel

import (
	"slices"

	"vernemq/codec"
)

// sent is told of every PUBLISH that the broker sent to a client.
func (m *Model) sent(s *session, p *codec.Publish) {
	if s.stalled {
		m.fail("%s: PUBLISH %q to a connection that takes none", s.name, p.Payload)
	}
	if p.QoS > 0 && p.PacketID == 0 {
		m.fail("%s: PUBLISH %q without a packet identifier", s.name, p.Payload)
	}
	if i := s.flight(p.PacketID); p.QoS > 0 && i >= 0 {
		m.sentAgain(s, i, p)
	} else {
		m.sentNew(s, p)
	}
	if s.unacknowledged() > s.window {
		m.fail("%s: PUBLISH %q exceeds the window of %d", s.name, p.Payload, s.window)
	}
}

// sentAgain is a packet identifier in use: a message may only come again on
// another connection, in its old place.
func (m *Model) sentAgain(s *session, i int, p *codec.Publish) {
	f := s.flights[i]
	switch {
	case f.mayRepeat(s, m.clock):
	case !f.due && f.counts || f.released && f.counts:
		m.fail("%s: PUBLISH %q under the packet identifier %d, which is in use", s.name, p.Payload, p.PacketID)
	case f.released:
		m.fail("%s: PUBLISH %q after its PUBREC", s.name, p.Payload)
	case !f.expected.is(p, s):
		m.fail("%s: %q comes again as %q, QoS %d retain %v", s.name, f.payload, p.Payload, p.QoS, p.Retain)
	}
	if !p.Dup {
		m.fail("%s: PUBLISH %q again without DUP", s.name, p.Payload)
	}
	m.inOrder(s, i)
	f.stamp(s, m.before, m.clock)
	f.due, f.counts = false, true
}

// inOrder holds that what was in flight is sent again in the old order
// [MQTT-4.6.0-1].
func (m *Model) inOrder(s *session, i int) {
	for _, f := range s.flights[:i] {
		if f.old() {
			m.fail("%s: packet %d is sent again before packet %d", s.name, s.flights[i].packet, f.packet)
		}
	}
}

func (m *Model) sentNew(s *session, p *codec.Publish) {
	if p.Dup {
		m.fail("%s: PUBLISH %q with DUP the first time", s.name, p.Payload)
	}
	if s.resending() {
		m.fail("%s: new PUBLISH %q before the old are sent again", s.name, p.Payload)
	}
	e, ok := m.take(s, p)
	if !ok {
		m.fail("%s: PUBLISH %s %q QoS %d retain %v is not expected; pending: %s", s.name, p.Topic, p.Payload, p.QoS, p.Retain, s.waiting())
		return
	}
	if p.QoS > 0 {
		s.flights = append(s.flights, &flight{expected: e, packet: p.PacketID, counts: true, sent: m.before, seen: m.clock})
	}
}

// take finds the expected message that was sent. The order is held for each
// subscription, publisher, topic and QoS.
func (m *Model) take(s *session, p *codec.Publish) (expected, bool) {
	early := -1
	for i, e := range s.pending {
		if !e.is(p, s) {
			continue
		}
		if j := slices.IndexFunc(s.pending[:i], e.sameOrder); j >= 0 && !m.Lossy {
			early = j
			continue
		}
		s.pending = slices.Delete(s.pending, i, i+1)
		if m.onlyWay(s, e) { // else it may have been another copy, and those before this one are still to come
			before := slices.DeleteFunc(slices.Clone(s.pending[:i]), e.sameOrder) // lost
			s.pending = append(before, s.pending[i:]...)
		}
		return e, true
	}
	if e, ok := m.place(s, p, map[*share]bool{}); ok {
		return e, true
	}
	if e, ok := m.loosely(s, p); ok {
		return e, true
	}
	if early >= 0 {
		m.fail("%s: %q overtakes %q", s.name, p.Payload, s.pending[early].payload)
	}
	return expected{}, false
}

// onlyWay tells that a session expects no other copy of the message.
func (m *Model) onlyWay(s *session, e expected) bool {
	return !slices.ContainsFunc(s.pending, func(o expected) bool { return o.payload == e.payload }) &&
		!slices.ContainsFunc(m.shares, func(x *share) bool {
			_, holds := x.holders[s]
			return holds && x.msg.payload == e.payload
		})
}

func (e *expected) is(p *codec.Publish, s *session) bool {
	var ids []uint32
	for id := range p.Props.SubscriptionIDs {
		ids = append(ids, id)
	}
	sameID := s.blurred || e.id == 0 && len(ids) == 0 || len(ids) == 1 && ids[0] == e.id
	return e.topic == string(p.Topic) && e.payload == string(p.Payload) && e.qos == p.QoS && e.retain == p.Retain && sameID
}

func (e *expected) sameOrder(o expected) bool {
	return e.filter == o.filter && e.from == o.from && e.topic == o.topic && e.qos == o.qos
}

// pubrel is told of every PUBREL that the broker sent to a client.
func (m *Model) pubrel(s *session, id uint16) {
	i := s.flight(id)
	if i < 0 || !s.flights[i].released || !s.flights[i].due && !s.flights[i].mayRepeat(s, m.clock) {
		m.fail("%s: PUBREL %d is not expected", s.name, id)
		return
	}
	if s.flights[i].old() {
		m.inOrder(s, i)
	}
	s.flights[i].stamp(s, m.before, m.clock)
	s.flights[i].due = false
}

// acknowledge is told of each PUBACK, PUBREC and PUBCOMP of a client.
func (m *Model) acknowledge(s *session, t codec.Type, id uint16, code codec.ReasonCode) {
	i := s.flight(id)
	if t == codec.PUBREC && code < 0x80 {
		s.flights[i].released, s.flights[i].due = true, true
		return
	}
	s.flights = slices.Delete(s.flights, i, i+1)
}

func (s *session) flight(id uint16) int {
	return slices.IndexFunc(s.flights, func(f *flight) bool { return f.packet == id })
}

// resending tells that messages of an earlier connection are yet to be sent
// again.
func (s *session) resending() bool {
	return slices.ContainsFunc(s.flights, (*flight).old)
}

// old tells that a message of an earlier connection is yet to be sent again.
func (f *flight) old() bool { return f.due && !f.counts }

// unacknowledged is the number of messages in the client's window.
func (s *session) unacknowledged() (n int) {
	for _, f := range s.flights {
		if f.counts {
			n++
		}
	}
	return n
}

// settled holds that the broker has sent all that it may send now.
func (m *Model) settled() {
	for _, s := range m.all() {
		if !s.online || s.stalled {
			continue
		}
		m.repeated(s)
		full := s.unacknowledged() >= s.window
		for _, f := range s.flights {
			if f.due && (f.released || !full) {
				m.fail("%s: packet %d is not sent again", s.name, f.packet)
			}
			if f.old() {
				break // those behind it wait
			}
		}
		if len(s.pending) > 0 && !full && !m.Lossy {
			m.fail("%s is not sent: %s", s.name, s.waiting())
		}
	}
	m.settledShares()
	m.before = m.clock
}

// finished holds that everything has come to everybody.
func (m *Model) finished() {
	for _, s := range m.all() {
		if len(s.flights) > 0 || len(s.pending) > 0 && !m.Lossy {
			m.fail("%s: %d in flight at the end, never sent: %s", s.name, len(s.flights), s.waiting())
		}
	}
	m.finishedShares()
}

func (s *session) waiting() (out string) {
	for _, e := range s.pending {
		out += " " + e.topic + "=" + e.payload
	}
	return out
}
