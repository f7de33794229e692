package session

import (
	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/metrics"
)

// A session has one timer. Traffic never touches it; when it fires, everything
// that may be due is looked at and the earliest of what remains is armed.

func (s *Session) arm(deadline uint32) {
	if s.due == 0 || deadline < s.due {
		s.due = deadline
		s.host.Arm(deadline)
	}
}

// Timer is called when the armed deadline has come.
func (s *Session) Timer() {
	s.due = 0
	now := s.host.Clock()
	if s.link == nil {
		s.awayTimer(now)
		return
	}
	if s.keepAlive > 0 {
		end := s.keepAliveEnd()
		if s.link.Paused() { // the client may have pinged: nobody looks
			end = max(end, now+1)
		}
		if now >= end {
			s.count(metrics.KeepaliveExpired)
			s.end(errKeepAlive) // [MQTT-3.1.2-22]
			return
		}
		s.arm(end)
	}
	if s.ends > 0 {
		if now >= s.ends {
			s.host.Metrics().Inc(metrics.LimitLifetime)
			s.end(errLifetime)
			return
		}
		s.arm(s.ends)
	}
	s.refill(now)
	s.retry(now)
	s.trim()
	if s.extra != nil {
		s.arm(after(now, trimInterval))
	}
}

// awayTimer looks after a client that is not connected.
func (s *Session) awayTimer(now uint32) {
	if s.ends != 0 {
		if now >= s.ends && s.flags&unread == 0 {
			s.over(Expired)
			return
		}
		// Before the session is read nobody knows which messages have begun to be
		// delivered. Those are for no other member of a group [MQTT-4.8.2-5].
		s.arm(max(s.ends, now+1))
	}
	if s.extra == nil || s.extra.will == nil {
		return
	}
	if w := s.extra.will; now >= w.at {
		s.fireWill()
		s.trim()
		s.save()
	} else {
		s.arm(w.at)
	}
}

// keepAliveEnd is the first second of the loop clock in which surely one and a
// half times the keep alive has passed since something was received.
func (s *Session) keepAliveEnd() uint32 {
	return s.link.LastSeen() + (3*uint32(s.keepAlive)+1)/2 + 1
}

// retry sends again what an MQTT 3 client has not acknowledged for a while.
// MQTT 5 forbids it [MQTT-4.4.0-1].
func (s *Session) retry(now uint32) {
	e := s.extra
	if s.v5() || s.limits.RetryInterval == 0 || e == nil || e.inflight.Len() == 0 {
		return
	}
	next := never
	for x := range e.inflight.All {
		if x.Again {
			continue
		}
		if due := after(x.Sent, s.limits.RetryInterval); due > now {
			next = min(next, due)
			continue
		}
		if s.link.Full() {
			next = now + 1
			break
		}
		s.again(x, now)
		next = min(next, after(now, s.limits.RetryInterval))
	}
	if next != never {
		s.arm(next)
	}
}

// again sends a message in flight once more: the PUBLISH with DUP, or the
// PUBREL that took its place.
func (s *Session) again(x *queue.Flight, now uint32) {
	x.Sent = now
	if x.State == queue.AwaitPubcomp {
		s.ack(codec.PUBREL, x.ID, codec.Success)
		s.countCode(metrics.PubrelSent, codec.Success)
		return
	}
	sc := s.host.Scratch()
	d := s.delivery(&x.Entry)
	d.Dup, d.ID = true, x.ID
	sc.Out.View(x.Msg)
	s.transmit(&sc.Out, d)
	sc.Out.Reset()
}
