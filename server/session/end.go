package session

import (
	"errors"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/metrics"
)

// fail ends the connection because of what the client sent. It returns false,
// for Packet.
func (s *Session) fail(err error) bool {
	var e *codec.Error
	if !errors.As(err, &e) {
		e = &codec.Error{Code: codec.UnspecifiedError, Text: err.Error()}
	}
	s.count(metrics.ProtocolError)
	s.end(e)
	return false
}

// Kick ends the connection by the broker's will. The session may end with it.
func (s *Session) Kick(cause *codec.Error) {
	if s.link != nil {
		s.end(cause)
	}
}

// Suspend ends the connection because the process ends. A session in the store
// that ends with it does so after the restart: then there are others to whom
// what it had of shared subscriptions can go.
func (s *Session) Suspend(cause *codec.Error) {
	if s.flags&stored != 0 {
		s.flags |= persistent
	}
	s.Kick(cause)
}

// Remove ends the session by the broker's will, and before it the connection.
// The host does not use the session afterwards.
func (s *Session) Remove(cause *codec.Error) {
	s.flags &^= persistent
	if s.link != nil {
		s.end(cause)
		return
	}
	s.over(Gone)
}

// Malformed ends the connection because the bytes that arrived are no packet.
func (s *Session) Malformed(err error) { s.fail(err) }

// end sends DISCONNECT where the protocol has one, closes the connection and
// lets the session go on without it. The will is due.
func (s *Session) end(cause *codec.Error) {
	if s.v5() {
		out := s.link.Output()
		out.B = codec.AppendDisconnect(out.B, s.version, cause.Code, s.explain(cause.Text), "")
		s.countCode(metrics.DisconnectSent, cause.Code)
	}
	s.link.Finish(cause)
	s.detach(true)
}

// Lost tells that the connection ended without a DISCONNECT.
func (s *Session) Lost() {
	if s.link != nil {
		s.detach(true)
	}
}

// disconnect handles the client's DISCONNECT.
func (s *Session) disconnect(f codec.Frame) bool {
	d := &s.host.Scratch().Disconnect
	if err := codec.DecodeDisconnect(s.version, f, d); err != nil {
		return s.fail(err)
	}
	if d.OnlyServer() {
		return s.fail(errFromServer)
	}
	s.countCode(metrics.DisconnectReceived, d.Reason)
	if d.HasSessionExpiry {
		if s.expiry == 0 && d.SessionExpiry > 0 {
			return s.fail(errExpiryChange)
		}
		s.expiry = d.SessionExpiry
		if s.expiry == 0 {
			s.flags &^= persistent
		}
	}
	s.link.Finish(nil)
	s.detach(d.Reason != codec.Success) // [MQTT-3.14.4-3]
	return false
}

// detach lets the session go on without a connection, or end with it.
func (s *Session) detach(willDue bool) {
	s.link, s.due, s.ends = nil, 0, 0
	if e := s.extra; e != nil {
		if !willDue {
			e.will = nil
		}
		e.aliases, e.topics, e.resend, e.rate = nil, nil, 0, bucket{}
		e.received.Compact()
	}
	s.host.Presence(false)
	if s.host.Accompanied() {
		s.leave()
		return
	}
	if s.flags&persistent == 0 {
		s.over(Gone)
		return
	}
	s.host.Left(s, WentOffline)
	s.park()
	s.scheduleWill()
	s.trim()
	if s.ends = s.expires(); s.ends != 0 {
		s.arm(s.ends)
	}
	s.save()
}

// over ends the session: it is the last thing that happens to it.
func (s *Session) over(how Departure) {
	s.clear()
	s.host.Left(s, how)
	s.host.Ended()
}

// leave ends a session whose client has other connections: they keep the
// subscriptions and may inherit the messages.
func (s *Session) leave() {
	s.fireWill()
	if e := s.extra; e != nil {
		for f := range e.inflight.All {
			if f.Msg == nil || !s.host.Inherit(f.Msg, f.Entry) {
				s.unwrite(f.Ref)
			}
			if s.flags&stored != 0 && f.State != queue.AwaitPuback {
				s.host.Records().DeleteOutgoing(s.client(), f.ID)
			}
		}
		for x := range e.waiting.All {
			if !s.host.Inherit(x.Msg, x) {
				s.unwrite(x.Ref)
			}
		}
		s.forgetReceived(&e.received)
		s.forgetReceived(&e.earlier)
		s.host.Metrics().Add(metrics.QueueMessageUnhandled, e.waiting.Clear())
		e.inflight.Clear()
	}
	s.flags, s.extra = s.flags&stored, nil
	s.host.Ended()
}

// forgetReceived removes from the store which messages of QoS 2 the client has not
// released: the identifiers of another connection mean others.
func (s *Session) forgetReceived(ids *queue.IDSet) {
	if s.flags&stored == 0 {
		return
	}
	for id := range ids.All {
		s.host.Records().DeleteIncoming(s.client(), id)
	}
}

// discard empties the session, so that a new one can begin under the same
// name.
func (s *Session) discard() {
	if s.flags&everPresent != 0 {
		s.clear()
		s.host.Left(s, Gone)
	}
}

// clear ends what the session has: its subscriptions go, its will is due even
// if it was delayed, then its messages go, of which other members of shared
// subscriptions get what is theirs now.
func (s *Session) clear() {
	s.host.Unsubscribe(nil) // a group's will goes to those who stay
	s.fireWill()
	n := s.Queued()
	s.forgetRecords()
	if e := s.extra; e != nil {
		if s.flags&sharer != 0 {
			e.passOn(s.passOn)
		}
		e.waiting.Clear()
		e.inflight.Clear()
	}
	s.host.Metrics().Add(metrics.QueueMessageUnhandled, n)
	s.flags, s.extra, s.backlog, s.lastID = 0, nil, nil, 0
}

// passOn gives a message to another member of the shared subscription from
// which it came.
func (s *Session) passOn(e queue.Entry) {
	if e.Share != 0 && e.QoS > 0 {
		s.host.Redeliver(e.Share, e.Msg)
	}
}

// passOn finds the messages that another client may get: those that wait, and
// those of QoS 1 that are not acknowledged. A QoS 2 delivery that has begun
// ends with its session [MQTT-4.8.2-5].
func (e *extra) passOn(each func(queue.Entry)) {
	for f := range e.inflight.All {
		if f.State == queue.AwaitPuback {
			each(f.Entry)
		}
	}
	for x := range e.waiting.All {
		each(x)
	}
}

// expires is the second of the loop clock at which the session of a client
// that leaves now ends, 0 when it does not.
func (s *Session) expires() uint32 {
	e := s.expiry
	if !s.v5() && e != 0 { // else it is one that ends with its connection
		if e = s.limits.PersistentExpiry; e == 0 {
			return 0
		}
	}
	if e == never {
		return 0
	}
	return after(s.host.Clock(), e)
}

// expired tells that the session of a client that is away has surely come to
// its end, even if the timer has not fired yet.
func (s *Session) expired() bool { return s.ends != 0 && s.host.Clock() > s.ends }

// after adds seconds to a time of the loop clock.
func after(clock, seconds uint32) uint32 {
	return uint32(min(uint64(clock)+uint64(seconds), uint64(never)))
}

// will is the Will Message with what decides about its publication.
type will struct {
	data            []byte // topic | properties to forward | payload
	topic, forward  int    // lengths
	delay, expiry   uint32 // seconds
	at              uint32 // loop clock second at which it is due, once the client is away; 0 = not scheduled
	qos             byte
	retain, expires bool
	mountpoint      *string // nil for the client's own
}

func (s *Session) setWill(c *codec.Connect, a *Admission) {
	if s.extra != nil {
		s.extra.will = nil
	}
	if !c.HasWill {
		return
	}
	w := &will{topic: len(c.Will.Topic), qos: c.Will.QoS, retain: c.Will.Retain,
		expiry: c.Will.Props.Expiry, expires: c.Will.Props.HasExpiry, mountpoint: a.WillMountpoint}
	w.delay = min(c.Will.Delay, s.limits.MaxWillDelay)
	w.data = c.Will.Props.AppendForward(append([]byte(nil), c.Will.Topic...))
	w.forward = len(w.data) - w.topic
	w.data = append(w.data, c.Will.Payload...)
	s.more().will = w
}

// scheduleWill publishes the will of a client that went away, or arms the
// timer for a delayed one [MQTT-3.1.2-8].
func (s *Session) scheduleWill() {
	if s.extra == nil || s.extra.will == nil {
		return
	}
	w := s.extra.will
	if w.delay == 0 {
		s.fireWill()
		return
	}
	w.at = after(s.host.Clock(), w.delay)
	s.arm(w.at)
}

// overdue tells that the delay of the will of a client that is away has surely
// passed, even if the timer has not fired yet, as it has not right after a start.
func (s *Session) overdue() bool {
	return s.extra != nil && s.extra.will != nil && s.extra.will.at != 0 && s.host.Clock() > s.extra.will.at
}

// PublishWill publishes the will of a client whose broker ends, unless the
// store has it for later.
func (s *Session) PublishWill() {
	if s.link != nil || s.flags&stored == 0 {
		s.fireWill()
	}
}

// fireWill publishes the will, if there is one, and removes it [MQTT-3.1.2-10].
func (s *Session) fireWill() {
	if s.extra == nil || s.extra.will == nil {
		return
	}
	w := s.extra.will
	s.extra.will = nil
	if w.data[0] == '$' { // the broker's own topics, as in route
		s.count(metrics.PublishError)
		return
	}
	var p queue.Publication
	p.Topic, p.Forward, p.Payload = w.data[:w.topic], w.data[w.topic:w.topic+w.forward], w.data[w.topic+w.forward:]
	p.QoS, p.Retain, p.From = w.qos, w.retain, s.Key
	if w.expires {
		p.Expires = queue.ExpiresAt(s.host.Unix(), w.expiry)
	}
	mountpoint := s.Mountpoint
	if w.mountpoint != nil {
		mountpoint = *w.mountpoint
	}
	s.host.Publish(s, mountpoint, &p, nil)
	p.Reset()
}
