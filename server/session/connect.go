package session

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/metrics"
)

// Rules are what a listener lets in.
type Rules struct {
	Versions        []byte // protocol levels: 3, 4, 5, 131, 132
	MaxClientIDSize int    // bytes
	TopicMaxDepth   int    // levels, 0 = no limit
}

// Admit checks a CONNECT against the rules that need no state (reference:
// connection set-up). It returns the client identifier, generated when the
// client left it to the broker; a code other than Success refuses the client.
func Admit(c *codec.Connect, r *Rules) (id string, assigned bool, code codec.ReasonCode) {
	if !contains(r.Versions, c.Level) {
		return "", false, codec.UnsupportedProtocolVersion
	}
	switch {
	case len(c.ClientID) > 0:
		id = string(c.ClientID)
	case c.Version == codec.V5, c.Version == codec.V311 && c.CleanStart:
		id, assigned = generateID(), true // [MQTT-3.1.3-6]
	default:
		return "", false, codec.ClientIdentifierNotValid // [MQTT-3.1.3-8]
	}
	switch {
	case len(c.ClientID) > r.MaxClientIDSize:
		return "", false, codec.ClientIdentifierNotValid
	case c.HasWill && r.TopicMaxDepth > 0 && bytes.Count(c.Will.Topic, slash) >= r.TopicMaxDepth:
		return "", false, codec.TopicNameInvalid
	}
	return id, assigned, codec.Success
}

func contains(levels []byte, level byte) bool {
	for _, l := range levels {
		if l == level {
			return true
		}
	}
	return false
}

// generateID makes a client identifier from 21 random bytes.
func generateID() string {
	var b [21]byte
	_, _ = rand.Read(b[:]) // never fails
	return "anon-" + base64.RawURLEncoding.EncodeToString(b[:])
}

// Admission is what was found out about a client before its session.
type Admission struct {
	Assigned       bool    // the broker chose the client identifier
	User           *string // nil without a user name
	WillMountpoint *string // where a plugin sends the will, nil for the client's own
	// Method and Data go into the CONNACK after an enhanced authentication
	// [MQTT-4.12.0-5].
	Method       string
	Data         []byte
	ResponseInfo string           // for the CONNACK
	More         codec.Properties // User Properties for the CONNACK
	// Registered, if it is there, is called once the session is the client's,
	// before it is told so.
	Registered func()
	// ExpiryChanged tells that the Session Expiry Interval is not the client's
	// own, and it has to be told [MQTT 5, 3.2.2.3.2].
	ExpiryChanged bool
}

// Connect attaches a connection whose CONNECT was admitted. The client must be
// away: the host ends the connection that it may still have with TakeOver.
func (s *Session) Connect(link Link, c *codec.Connect, a *Admission, l *Limits) {
	resumed := s.flags&everPresent != 0 && !c.CleanStart && !s.expired()
	writes := s.host.Writes()
	if !resumed {
		s.discard() // [MQTT-3.1.2-4]
	} else if s.overdue() {
		s.fireWill()
	}
	s.attach(link, c, a, l)
	s.save()
	s.waitFor(writes)
	if !s.connack(resumed, a) {
		return
	}
	s.host.Presence(true)
	if resumed {
		s.resume()
	}
}

// Join attaches one more connection of a client that is connected already:
// both share the subscriptions and what follows from them. There is nothing to
// resume, and Clean Start wipes nothing.
func (s *Session) Join(link Link, c *codec.Connect, a *Admission, l *Limits) {
	s.attach(link, c, a, l)
	if s.connack(true, a) {
		s.host.Presence(true)
	}
}

// attach takes over what CONNECT says of the connection.
func (s *Session) attach(link Link, c *codec.Connect, a *Admission, l *Limits) {
	s.link, s.limits, s.User = link, l, a.User
	s.version, s.keepAlive = c.Version, c.KeepAlive
	s.flags = s.flags&(sharer|stored) | everPresent
	if c.Bridge {
		s.flags |= bridge
	}
	s.maxPacket, s.aliasMax, s.ends = 0, 0, 0
	if s.v5() {
		s.aliasMax = min(c.TopicAliasMax, l.TopicAliasMaxBroker) // [MQTT-3.1.2-26] [MQTT-3.1.2-27]
		s.expiry = c.SessionExpiry
		s.maxPacket = c.MaxPacketSize
		s.window = min(c.ReceiveMax, l.ReceiveMaxClient)
		if !c.RequestProblemInfo {
			s.flags |= noProblems
		}
	} else {
		s.expiry = 0
		if !c.CleanStart {
			s.expiry = never
		}
		s.window = windowOf(l.MaxInflight)
	}
	// One identifier stays free, so that there is always a next one.
	s.window = min(max(s.window, 1), 65534)
	if s.expiry > 0 {
		s.flags |= persistent
	}
	if a.Registered != nil {
		a.Registered()
	}
	s.setWill(c, a) // a will of the connection before is gone [MQTT-3.1.3-9]
	s.due = 0
	if c.KeepAlive > 0 {
		s.arm(s.keepAliveEnd())
	}
	if l.Lifetime > 0 {
		s.ends = after(s.host.Clock(), l.Lifetime)
		s.arm(s.ends)
	}
}

// connack accepts the client. It returns false when the client's Maximum
// Packet Size does not even allow that.
func (s *Session) connack(resumed bool, a *Admission) bool {
	var p codec.ConnackProps
	if s.v5() {
		p.AuthMethod, p.AuthData = a.Method, a.Data
		p.ResponseInfo, p.More = a.ResponseInfo, a.More
		p.SessionExpiry, p.HasSessionExpiry = s.expiry, a.ExpiryChanged
		if a.Assigned {
			p.AssignedClientID = s.ID // [MQTT-3.2.2-16]
		}
		if s.limits.ReceiveMaxBroker != 65535 {
			p.ReceiveMax = s.limits.ReceiveMaxBroker
		}
		p.TopicAliasMax = s.limits.TopicAliasMaxClient
		p.MaxPacketSize = s.limits.maxPacketSize()
	}
	out := s.link.Output()
	n := len(out.B)
	// MQTT 3.1 has no Session Present.
	out.B = codec.AppendConnack(out.B, s.version, resumed && s.version != codec.V31, codec.Success, &p)
	if p.More != nil && s.tooLarge(len(out.B)-n) { // [MQTT-3.2.2-20]
		p.More = nil
		out.B = codec.AppendConnack(out.B[:n], s.version, resumed, codec.Success, &p)
	}
	if s.tooLarge(len(out.B) - n) {
		out.B = out.B[:n]
		s.link.Finish(errAnswerSize)
		s.detach(false)
		return false
	}
	s.countCode(metrics.ConnackSent, codec.Success)
	return true
}

// maxPacketSize is the largest packet for which the client need not fear
// MaxRemaining, 0 when there is no limit.
func (l *Limits) maxPacketSize() uint32 {
	if l.MaxRemaining <= 0 || l.MaxRemaining >= codec.MaxRemaining {
		return 0
	}
	return uint32(1 + codec.LengthSize(l.MaxRemaining) + l.MaxRemaining)
}

// tooLarge tells that a packet is larger than the client takes [MQTT-3.1.2-24],
// or than a packet can be.
func (s *Session) tooLarge(size int) bool {
	return s.maxPacket != 0 && size > int(s.maxPacket) || size > largestPacket
}

const largestPacket = 1 + 4 + codec.MaxRemaining // bytes

// mayBeTooLarge tells that it has to be asked about a message at all. One that
// came in the largest packet may go out in one that is larger still, by its
// properties.
func (s *Session) mayBeTooLarge(p *queue.Publication) bool {
	return s.maxPacket != 0 || len(p.Topic)+len(p.Forward)+len(p.Payload) > codec.MaxRemaining-publishCost
}

// publishCost is more than what a PUBLISH has besides topic, forwarded properties
// and payload, in bytes.
const publishCost = 64

// Refuse gives the CONNACK that refuses a CONNECT, or nothing where the
// protocol wants silence: a malformed packet of MQTT 3 [MQTT-3.1.4-1], or a
// client that takes no packet of that size [MQTT-3.1.2-24].
//
// told, which may be nil, is what else the client may be told, unless it wants
// no such things [MQTT-3.1.2-29] or may find them too large [MQTT-3.2.2-19].
func Refuse(c *codec.Connect, code codec.ReasonCode, told *codec.ConnackProps) []byte {
	v := c.Version
	if c.MaxPacketSize != 0 && c.MaxPacketSize < refusalSize {
		return nil
	}
	if v != codec.V5 && (code == codec.MalformedPacket || code == codec.ProtocolError || code == codec.TopicNameInvalid) {
		return nil
	}
	switch {
	case told == nil:
	case c.MaxPacketSize != 0:
		told = nil
	case !c.RequestProblemInfo:
		told = &codec.ConnackProps{ServerReference: told.ServerReference}
	}
	return codec.AppendConnack(nil, v, false, code, told)
}

const refusalSize = 5 // of a CONNACK without properties

// TakeOver ends the connection that a new one of the same client replaces
// [MQTT-3.1.4-3]. The session ends with it unless it is persistent.
func (s *Session) TakeOver() {
	if s.limits.SuppressTakeoverWill && s.extra != nil {
		s.extra.will = nil
	}
	s.end(errTakenOver)
}
