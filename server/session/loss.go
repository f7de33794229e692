package session

import (
	"vernemq/queue"
	"vernemq/queue/store"
)

// Loss is a message that a client will not get. What it points to is valid
// during the call that tells of it. A Topic that is empty stands for retained
// messages that nobody has looked up, as the queue was full already.
type Loss struct {
	Why                     Cause
	Topic, Payload, Forward []byte
	Expires                 int64 // Unix second, 0 = never
	QoS                     byte
	Retain                  bool
}

// Cause is why a message is lost.
type Cause uint8

// The causes.
const (
	QueueFull      Cause = iota
	Overdue              // its expiry interval has passed
	PacketTooLarge       // for the client's Maximum Packet Size
)

// lose tells of a publication that does not reach the client.
func (s *Session) lose(why Cause, p *queue.Publication, e *queue.Entry) {
	s.host.Lost(s, Loss{why, p.Topic, p.Payload, p.Forward, p.Expires, e.QoS, e.Retain})
}

// loseQueued tells of a message that has waited in memory or in flight.
func (s *Session) loseQueued(why Cause, e *queue.Entry) {
	s.host.Lost(s, Loss{why, e.Msg.Topic(), e.Msg.Payload(), e.Msg.Forward(), e.Msg.Expires, e.QoS, e.Retain})
}

// loseStored tells of a message that has waited in the store.
func (s *Session) loseStored(why Cause, q *store.Queued) {
	s.loseQueued(why, &queue.Entry{Msg: q.Msg, QoS: q.QoS, Retain: q.Retain})
}
