// Package metrics counts what happens and says so: the counters of the loops,
// histograms, the catalogue of all metrics, and their exposition for
// Prometheus. Names and meanings are those of VerneMQ; what VerneMQ does not
// have has names of its own.
//
// A Set belongs to one loop, which counts in plain memory and publishes a copy
// about once a second. Everything else may be used by any goroutine.
package metrics

import "sync/atomic"

// Counter names one counter of a Set, or a level that its loop puts there.
type Counter uint16

// Counters that exist once.
const (
	QueueSetup Counter = iota
	QueueInitialized
	QueueTeardown
	QueueMessageIn
	QueueMessageOut
	QueueMessageDrop
	QueueMessageExpired
	QueueMessageUnhandled
	RouterMatchesLocal
	RouterMatchesRemote
	LoopMessages // handed over to another loop
	InboxFull
	LimitOnline
	LimitOffline
	LimitReceive
	LimitRate
	LimitLifetime
	LimitAlias
	LimitPacketOut
	LimitPacketIn
	LimitSubscriptions
	LimitGroups
	LimitLogLines
	LogLinesLost
	LoopBusy // microseconds in turns
	TakeOvers
	// Levels: what the loop has now.
	Sessions
	SessionsOnline
	Subscriptions
	HeldPublishers
	CongestedLoops
	perVersion // those below exist for MQTT 3 ("4") and 5 ("5") each
)

// Counters that exist per protocol version. Each has two places.
const (
	ConnectReceived = perVersion + 2*iota
	PublishReceived
	PublishSent
	PublishAuthError
	PublishError
	SubscribeReceived
	SubackSent
	SubscribeAuthError
	SubscribeError
	UnsubscribeReceived
	UnsubackSent
	UnsubscribeError
	PingreqReceived
	PingrespSent
	InvalidMessageSize
	PubackInvalid
	PubrecInvalid
	PubcompInvalid
	KeepaliveExpired
	ConnectRefused
	ProtocolError // packets that ended their connection
	codedFrom
)

// slots is the room of a Set.
const slots = 256

// Set are the counters of one loop.
type Set struct {
	local   [slots]uint64                 // the loop's own
	shared  atomic.Pointer[[slots]uint64] // any goroutine reads
	latency latency
}

// Inc counts one. Owner only.
func (s *Set) Inc(c Counter) { s.local[c]++ }

// Add counts n. Owner only.
func (s *Set) Add(c Counter, n int) { s.local[c] += uint64(n) }

// Put sets a level. Owner only.
func (s *Set) Put(c Counter, n int) { s.local[c] = uint64(n) }

// IncVersion counts one for a protocol version. Owner only.
func (s *Set) IncVersion(c Counter, v5 bool) {
	if v5 {
		c++
	}
	s.local[c]++
}

// IncCode counts one packet with a reason code. Owner only.
func (s *Set) IncCode(p Packet, v5 bool, code byte) {
	row := 2 * p
	if v5 {
		row++
	}
	s.local[codedAt[row%codedRows][code]]++
}

// Publish makes the counters visible to other goroutines, all of one moment.
// Owner only.
func (s *Set) Publish() {
	snapshot := s.local
	s.shared.Store(&snapshot)
}

// totals are the published counters of some sets together.
func totals(sets []*Set) (sum [slots]uint64) {
	for _, s := range sets {
		if p := s.shared.Load(); p != nil {
			for i, n := range p {
				sum[i] += n
			}
		}
	}
	return sum
}

// Level is a level as it was published last. Any goroutine.
func (s *Set) Level(c Counter) int {
	if p := s.shared.Load(); p != nil {
		return int(p[c])
	}
	return 0
}
