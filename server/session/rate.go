package session

import "vernemq/server/metrics"

// bucket holds the tokens of a client whose rate of messages is limited. One
// is spent for each PUBLISH, MaxRate come every second, and no more than
// MaxRate are kept. The clock is that of the loop, in seconds, so a client that
// has spent all is read again when a second begins.
type bucket struct {
	tokens int    // below 0: messages that were read too early
	filled uint32 // loop clock of the latest filling, 0 = never used
}

// at gives the number of tokens at a time.
func (b bucket) at(now uint32, rate int) int {
	if b.filled == 0 {
		return rate
	}
	return int(min(int64(rate), int64(b.tokens)+int64(rate)*int64(now-b.filled)))
}

// spend pays for a PUBLISH, unless it comes again and is paid for. A client
// without a token left is not read until it has one: nothing is lost, its own
// kernel holds its messages back. What it waited for has it read again, too.
func (s *Session) spend(again bool) {
	b, now := &s.more().rate, s.host.Clock()
	left := b.at(now, s.limits.MaxRate)
	if !again {
		left--
		b.tokens, b.filled = left, now
	}
	if left > 0 {
		return
	}
	if !again {
		s.host.Metrics().Inc(metrics.LimitRate)
	}
	s.link.PauseRead()
	s.arm(now)
}

// Spent tells that the client is not to be read before it has a token. A packet
// that has waited is paid for.
func (s *Session) Spent() bool {
	return s.limits.MaxRate > 0 && s.extra != nil && s.flags&suspended == 0 && s.extra.rate.at(s.host.Clock(), s.limits.MaxRate) <= 0
}

// refill reads a client again that has tokens. The timer of a second comes
// before anything else that happens in it.
func (s *Session) refill(now uint32) {
	e := s.extra
	if e == nil || e.rate.filled == 0 || e.rate.tokens > 0 {
		return
	}
	if e.rate.at(now+1, s.limits.MaxRate) > 0 {
		s.link.ResumeRead()
		return
	}
	s.arm(now + 1)
}

// idle tells that the bucket is full, so that it need not be kept.
func (s *Session) idle() bool {
	b := s.extra.rate
	return b.filled == 0 || b.at(s.host.Clock(), s.limits.MaxRate) == s.limits.MaxRate
}
