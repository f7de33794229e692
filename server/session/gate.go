package session

import (
	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/metrics"
)

// Gate is what plugins have to say about a session. Those that decide give a
// verdict, which is valid until the next call; nil allows what was asked for as
// it is. A verdict that waits ends in ResumeRead: the packet comes again then,
// and is asked about again.
type Gate interface {
	// AuthPublish may change p.
	AuthPublish(s *Session, p *queue.Publication, props codec.Properties) *Verdict
	AuthSubscribe(s *Session, p *codec.Subscribe) *Verdict
	Unsubscribing(s *Session, p *codec.Unsubscribe) *Verdict
	// Authenticate takes an AUTH of a client that is connected.
	Authenticate(s *Session, p *codec.Auth) *Verdict
	// Delivering gives the message that the client is sent in the place of p:
	// p itself, or another one that is valid until the next call. It is nil
	// while that is not known; Writable follows then.
	Delivering(s *Session, p *queue.Publication, e queue.Entry) *queue.Publication

	// What follows only tells.

	// Subscribed tells what came of a SUBSCRIBE: a code for each filter.
	Subscribed(s *Session, filters codec.Filters, codes []byte, props codec.Properties)
	Unsubscribed(s *Session, filters codec.Filters)
	// Kept tells that a message was stored for the client, which is away.
	Kept(s *Session, p *queue.Publication, e queue.Entry)
	// Lost tells of a message that the client will not get. What a full backlog
	// drops of its oldest (lifo) is told when it is read to be removed.
	Lost(s *Session, x Loss)
	// Left tells how it goes on without a connection.
	Left(s *Session, how Departure)
}

// Departure is how a session ends, or goes on without a connection.
type Departure uint8

// The departures.
const (
	WentOffline Departure = iota // the session waits for the client
	Gone                         // the session has ended with the connection, or was wiped
	Expired                      // the session has ended while the client was away
)

// Verdict is what plugins say.
type Verdict struct {
	Waits   bool // it is not known yet
	Refused bool
	Code    codec.ReasonCode // of a refusal, for MQTT 5
	Reason  string           // for people

	Mountpoint *string           // of a message: where it goes, nil for the client's own
	Props      *codec.Properties // of a message: those that it has now, nil for its own

	Filters codec.Filters // of a SUBSCRIBE or UNSUBSCRIBE: in the place of those that were asked for
	Codes   []codec.ReasonCode

	Method   string // of an AUTH
	Data     []byte
	Continue bool // more is needed
}

// Suspended tells that the latest packet was not handled, and has to come again
// when the client is read again.
func (s *Session) Suspended() bool { return s.flags&suspended != 0 }

// suspend leaves the packet at hand for later.
func (s *Session) suspend() {
	s.flags |= suspended
	s.link.PauseRead()
}

// comesAgain tells that the packet at hand has been here before.
func (s *Session) comesAgain() bool {
	was := s.flags&suspended != 0
	s.flags &^= suspended
	return was
}

// authenticate handles AUTH, with which a client of MQTT 5 authenticates again
// [MQTT-4.12.1-1]. AUTH packets of the broker have no Reason String and no User
// Properties [MQTT-3.15.2-2] [MQTT-3.15.2-3].
func (s *Session) authenticate(f codec.Frame) bool {
	again := s.comesAgain()
	if !s.v5() {
		return s.fail(errAuth)
	}
	a := &s.host.Scratch().Auth
	if err := codec.DecodeAuth(f, a); err != nil {
		return s.fail(err)
	}
	if !again {
		s.countCode(metrics.AuthReceived, a.Reason)
	}
	v := s.host.Authenticate(s, a)
	switch {
	case v == nil:
		return s.fail(errAuth) // [MQTT-4.12.0-7]
	case v.Waits:
		s.suspend()
		return true
	case v.Refused: // [MQTT-4.12.1-2]
		s.end(&codec.Error{Code: v.Code, Text: v.Reason})
		return false
	}
	code := codec.Success
	if v.Continue {
		code = codec.ContinueAuthentication // [MQTT-4.12.0-2]
	}
	out := s.link.Output()
	n := len(out.B)
	out.B = codec.AppendAuth(out.B, code, v.Method, v.Data, "") // [MQTT-4.12.0-5]
	if s.tooLarge(len(out.B) - n) {
		out.B = out.B[:n]
		return s.fail(errAnswerSize)
	}
	s.countCode(metrics.AuthSent, code)
	return true
}
