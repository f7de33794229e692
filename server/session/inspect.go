package session

import "vernemq/queue"

// Waiting is the number of messages that wait for a connected client.
func (s *Session) Waiting() int {
	if s.extra == nil {
		return 0
	}
	return s.extra.waiting.Len()
}

// Unacknowledged is the number of messages in flight to the client.
func (s *Session) Unacknowledged() int {
	if s.extra == nil {
		return 0
	}
	return s.extra.inflight.Len()
}

// InFlight yields the messages in flight, oldest first, those of QoS 2 that are
// received and not released without their message.
func (s *Session) InFlight(yield func(*queue.Flight) bool) {
	if s.extra != nil {
		s.extra.inflight.All(yield)
	}
}

// Clean tells that the session ends with the connection.
func (s *Session) Clean() bool { return s.flags&persistent == 0 }

// Relink puts another Link in the place of a connected client's.
func (s *Session) Relink(l Link) { s.link = l }
