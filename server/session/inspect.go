package session

// Unacknowledged is the number of messages in flight to the client.
func (s *Session) Unacknowledged() int {
	if s.extra == nil {
		return 0
	}
	return s.extra.inflight.Len()
}

// Clean tells that the session ends with the connection.
func (s *Session) Clean() bool { return s.flags&persistent == 0 }

// Relink puts another Link in the place of a connected client's.
func (s *Session) Relink(l Link) { s.link = l }
