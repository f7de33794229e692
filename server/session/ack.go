package session

import (
	"vernemq/codec"
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/server/metrics"
)

// acknowledgement handles PUBACK, PUBREC, PUBREL and PUBCOMP.
func (s *Session) acknowledgement(f codec.Frame) bool {
	a := &s.host.Scratch().Ack
	if err := codec.DecodeAck(s.version, f, a); err != nil {
		return s.fail(err)
	}
	switch f.Type() {
	case codec.PUBACK:
		s.puback(a)
	case codec.PUBREC:
		s.pubrec(a)
	case codec.PUBREL:
		s.pubrel(a)
	default:
		s.pubcomp(a)
	}
	return true
}

// flight finds the message that an acknowledgement is for, nil when there is
// none that waits for it.
func (s *Session) flight(id uint16) *queue.Flight {
	if s.extra == nil {
		return nil
	}
	return s.extra.inflight.Find(id)
}

// settle takes a message out of the window and sends what waits for its place.
func (s *Session) settle(id uint16) {
	s.remove(id)
	s.pump()
}

// remove takes a message out of the window.
func (s *Session) remove(id uint16) {
	x, _ := s.extra.inflight.Remove(id)
	if x.Again {
		s.extra.resend--
	}
	if x.Free {
		s.extra.free--
	}
	if s.flags&stored != 0 && x.State != queue.AwaitPuback {
		s.host.Records().DeleteOutgoing(s.client(), id)
	}
	s.discardEntry(&x.Entry)
}

func (s *Session) puback(a *codec.Ack) {
	s.countCode(metrics.PubackReceived, a.Reason)
	if x := s.flight(a.PacketID); x == nil || x.State != queue.AwaitPuback {
		s.count(metrics.PubackInvalid)
		return
	}
	s.settle(a.PacketID)
}

func (s *Session) pubrec(a *codec.Ack) {
	s.countCode(metrics.PubrecReceived, a.Reason)
	x := s.flight(a.PacketID)
	switch {
	case x == nil || x.State == queue.AwaitPuback:
		s.count(metrics.PubrecInvalid)
		code := codec.Success
		if s.v5() {
			code = codec.PacketIdentifierNotFound
		}
		s.ack(codec.PUBREL, a.PacketID, code)
		s.countCode(metrics.PubrelSent, code)
		return
	case a.Reason >= 0x80: // [MQTT-4.4.0-2]
		s.settle(a.PacketID)
		return
	case x.State == queue.AwaitPubrec:
		seq := x.Ref.Seq
		s.discardEntry(&x.Entry)
		x.Msg, x.Ref, x.State = nil, queue.Ref{}, queue.AwaitPubcomp
		s.wrote(a.PacketID, store.Released, seq)
	}
	x.Sent = s.host.Clock()
	if x.Again {
		x.Again = false
		s.extra.resend--
	}
	s.ack(codec.PUBREL, a.PacketID, codec.Success) // [MQTT-4.3.3-4]
	s.countCode(metrics.PubrelSent, codec.Success)
}

func (s *Session) pubcomp(a *codec.Ack) {
	s.countCode(metrics.PubcompReceived, a.Reason)
	if x := s.flight(a.PacketID); x == nil || x.State != queue.AwaitPubcomp {
		s.count(metrics.PubcompInvalid)
		return
	}
	s.settle(a.PacketID)
}

// ack writes an acknowledgement.
func (s *Session) ack(t codec.Type, id uint16, code codec.ReasonCode) { s.ackWhy(t, id, code, "") }

// ackWhy writes an acknowledgement with a reason for people.
func (s *Session) ackWhy(t codec.Type, id uint16, code codec.ReasonCode, reason string) {
	out := s.link.Output()
	out.B = codec.AppendAck(out.B, s.version, t, id, code, s.explain(reason))
}

// explain gives a Reason String, or none when the client asked for that or may
// find it too large [MQTT-3.1.2-29] [MQTT-3.4.2-2].
func (s *Session) explain(reason string) string {
	if s.flags&noProblems != 0 || s.maxPacket != 0 {
		return ""
	}
	return reason
}
