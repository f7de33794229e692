package metrics

import "time"

// latency measures what takes time on a loop. A message or a connection is
// stamped with the begin of the turn in which it arrived, and counted at the
// end of the turn in which its answer was written: the clock is read as often
// as turns begin and end. Of the messages of a turn only the first is stamped.
type latency struct {
	delivery Histogram // from PUBLISH to the subscriber's socket
	connect  Histogram // from CONNECT to CONNACK
	turn     Histogram
	backlog  Histogram // messages that other loops had for this one when it looked

	begin   int64 // of the turn, nanoseconds
	stamp   int64 // the same; 0 once a message has it
	waiting []sample
}

// sample is an answer that this turn will write.
type sample struct {
	to    *Histogram
	since int64
}

// samplesPerTurn bounds what one turn measures.
const samplesPerTurn = 64

// Begin starts a turn. Owner only.
func (s *Set) Begin(now time.Time) {
	s.latency.begin = sinceEpoch(now)
	s.latency.stamp = s.latency.begin
}

// End ends a turn: its output is written. Owner only.
func (s *Set) End(now time.Time) {
	l, t := &s.latency, sinceEpoch(now)
	for _, x := range l.waiting {
		x.to.Observe(micros(t - x.since))
	}
	l.waiting = l.waiting[:0]
	took := micros(t - l.begin)
	l.turn.Observe(took)
	s.local[LoopBusy] += took
}

// Stamp gives the first message of a turn its time of arrival, others 0. Owner
// only.
func (s *Set) Stamp() int64 {
	t := s.latency.stamp
	s.latency.stamp = 0
	return t
}

// Delivered tells that a message is being written to a subscriber. Owner only.
func (s *Set) Delivered(stamp int64) {
	if stamp != 0 {
		s.await(&s.latency.delivery, stamp)
	}
}

// Arrival is the begin of this turn, for Answered. Owner only.
func (s *Set) Arrival() int64 { return s.latency.begin }

// Answered tells that a CONNACK is being written. Owner only.
func (s *Set) Answered(arrival int64) {
	if arrival != 0 {
		s.await(&s.latency.connect, arrival)
	}
}

// Backlog counts a batch of messages from other loops. Owner only.
func (s *Set) Backlog(n int) { s.latency.backlog.Observe(uint64(n)) }

func (s *Set) await(h *Histogram, since int64) {
	if len(s.latency.waiting) < samplesPerTurn {
		s.latency.waiting = append(s.latency.waiting, sample{h, since})
	}
}

// epoch is where stamps count from. They follow the monotonic clock.
var epoch = time.Now().Add(-time.Second)

func sinceEpoch(t time.Time) int64 { return int64(t.Sub(epoch)) }

func micros(ns int64) uint64 { return uint64(max(ns, 0)) / 1000 }
