package session

import "vernemq/codec"

// Told are the limits that a client of MQTT 5 learns from its CONNACK. They hold
// for as long as it is connected.
type Told struct{ ReceiveMax, TopicAliasMax uint16 }

// Told gives them.
func (l *Limits) Told() Told { return Told{l.ReceiveMaxBroker, l.TopicAliasMaxClient} }

// Keep gives the limits with those that a client was told.
func (l *Limits) Keep(t Told) *Limits {
	if l.Told() == t {
		return l
	}
	kept := *l
	kept.ReceiveMaxBroker, kept.TopicAliasMaxClient = t.ReceiveMax, t.TopicAliasMax
	return &kept
}

// Adopt has the session follow other limits from now on. A window that the
// client of MQTT 5 asked for only becomes smaller until it connects again.
func (s *Session) Adopt(l *Limits) {
	old := s.limits
	s.limits = l
	if s.link == nil {
		s.postpone(old.PersistentExpiry, l.PersistentExpiry)
		return
	}
	if s.version == codec.V5 {
		s.window = min(s.window, l.ReceiveMaxClient)
		s.aliasMax = min(s.aliasMax, l.TopicAliasMaxBroker)
	} else {
		s.window = windowOf(l.MaxInflight)
	}
	e := s.extra
	if e == nil {
		return
	}
	if e.rate.filled != 0 { // it may wait for tokens of another rate
		e.rate = bucket{}
		s.link.ResumeRead()
	}
	s.arm(after(s.host.Clock(), 1)) // another interval for what is sent again
	s.pump()
}

// postpone gives the session of an absent MQTT 3 client another time to live. One
// that was to live for ever begins to count now.
func (s *Session) postpone(old, next uint32) {
	if s.v5() || old == next {
		return
	}
	now := s.host.Clock()
	switch {
	case next == 0:
		s.ends = 0
		return
	case old == 0 || s.ends == 0:
		s.ends = after(now, next)
	default:
		s.ends = loopClock(now, int64(s.ends)-int64(old)+int64(next)-int64(now))
	}
	s.arm(max(s.ends, now))
}

// windowOf is the window of a client of MQTT 3. One identifier stays free, so
// that there is always a next one.
func windowOf(limit int) uint16 {
	if limit <= 0 {
		limit = maxInflight
	}
	return uint16(min(limit, maxInflight))
}
