// Package mqttmodel is a model of an MQTT broker, and a driver that runs random
// clients against a broker and holds it to the model. Only tests import it.
//
// The model follows what clients send and says which messages each session must
// be sent; then it is told what the broker sent. It never guesses: the driver
// lets everything settle after each step.
package mqttmodel

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vernemq/codec"
)

// Model is the state of a broker as MQTT defines it.
type Model struct {
	Lossy    bool // queues are short: what waits may be dropped
	sessions map[string]*session
	retained map[string]*message
	shares   []*share
	loose    map[string][]*share // by payload, see passOn
	clock    uint32              // seconds
	before   uint32              // the clock when all was settled last
	wrong    string              // the first thing that the broker did wrong
}

// message is one publication. Payloads are unique unless they are empty.
type message struct {
	from, topic, payload string
	qos                  byte
	retain               bool
}

// expected is a copy of a message that a session has yet to be sent.
type expected struct {
	*message
	filter string // the subscription it comes of
	qos    byte   // min(publish, granted)
	retain bool
	id     uint32 // Subscription Identifier
}

// flight is a message of QoS 1 or 2 that was sent and is not acknowledged.
type flight struct {
	expected
	packet   uint16
	released bool   // the client sent PUBREC: PUBREL takes the message's place
	due      bool   // the packet, or its PUBREL, is yet to be sent (again)
	counts   bool   // takes a place in the window: not a PUBREL of an earlier connection
	sent     uint32 // when it was sent last, at the earliest
	seen     uint32 // and at the latest
}

type subscription struct {
	codec.Filter
	name  string // the filter as subscribed
	topic string // without $share and group
	group bool
	id    uint32
}

type will struct {
	message
	delay uint32 // seconds
}

type session struct {
	name     string
	version  codec.Version
	online   bool
	stalled  bool   // the connection takes no messages at present
	blurred  bool   // an MQTT 3 client cannot tell apart what differs by identifier
	expiry   uint32 // Session Expiry Interval
	left     uint32 // when the connection ended
	window   int    // Receive Maximum
	subs     []subscription
	groups   map[string]bool // that it has ever been in
	pending  []expected
	flights  []*flight
	received map[uint16]bool // QoS 2 from the client, not released
	will     *will
}

// New makes the model of a broker that nobody has used.
func New() *Model {
	return &Model{sessions: map[string]*session{}, retained: map[string]*message{}, loose: map[string][]*share{}}
}

func (m *Model) fail(format string, a ...any) {
	if m.wrong == "" {
		m.wrong = fmt.Sprintf(format, a...)
	}
}

func (m *Model) all() []*session {
	var out []*session
	for _, name := range slices.Sorted(maps.Keys(m.sessions)) {
		out = append(out, m.sessions[name])
	}
	return out
}

// connect gives Session Present.
func (m *Model) connect(c *codec.Connect, window int) (present bool) {
	name := string(c.ClientID)
	if s := m.sessions[name]; s != nil && s.online { // taken over
		m.detach(s, true)
	}
	if s := m.sessions[name]; s != nil && c.CleanStart {
		m.end(s)
	}
	s := m.sessions[name]
	if present = s != nil; !present {
		s = &session{name: name, received: map[uint16]bool{}, groups: map[string]bool{}}
		m.sessions[name] = s
	}
	s.version, s.window, s.online, s.stalled = c.Version, window, true, false
	s.blurred = s.blurred || c.Version != codec.V5
	s.expiry = c.SessionExpiry
	if c.Version != codec.V5 && !c.CleanStart {
		s.expiry = never
	}
	s.will = nil // a delayed will does not come true
	if c.HasWill {
		s.will = &will{delay: c.Will.Delay, message: message{from: name, topic: string(c.Will.Topic),
			payload: string(c.Will.Payload), qos: c.Will.QoS, retain: c.Will.Retain}}
	}
	for _, f := range s.flights {
		f.due, f.counts = true, false
	}
	return present
}

// detach takes the connection from a session.
func (m *Model) detach(s *session, willDue bool) {
	s.online, s.left = false, m.clock
	if !willDue {
		s.will = nil
	}
	if s.expiry == 0 {
		m.end(s)
		return
	}
	s.pending = slices.DeleteFunc(s.pending, func(e expected) bool { return e.qos == 0 })
	m.abandon(s, func(e expected) bool { return e.qos == 0 })
	if w := s.will; w != nil && w.delay == 0 {
		s.will = nil
		m.publish(&w.message)
	}
}

// end ends a session: its will is due now.
func (m *Model) end(s *session) {
	delete(m.sessions, s.name)
	m.passOn(s)
	if s.will != nil {
		m.publish(&s.will.message)
	}
}

// subscribe gives the messages that were retained, for each filter.
func (m *Model) subscribe(s *session, filters []codec.Filter, id uint32) {
	var retained []expected
	for _, f := range filters {
		_, topic, group := codec.SplitShared(f.Filter)
		if group {
			s.groups[string(f.Filter)] = true
		}
		x := subscription{Filter: f, name: string(f.Filter), topic: string(topic), group: group, id: id}
		i := slices.IndexFunc(s.subs, func(o subscription) bool { return o.name == x.name })
		if i >= 0 {
			s.subs[i] = x
		} else {
			s.subs = append(s.subs, x)
		}
		if group || f.RetainHandling == 2 || f.RetainHandling == 1 && i >= 0 {
			continue
		}
		for _, t := range slices.Sorted(maps.Keys(m.retained)) {
			if msg := m.retained[t]; Matches(x.topic, t) && !(f.NoLocal && msg.from == s.name) {
				retained = append(retained, x.copyOf(msg, true))
			}
		}
	}
	s.pending = append(s.pending, retained...)
}

func (m *Model) unsubscribe(s *session, filter string) (was bool) {
	n := len(s.subs)
	s.subs = slices.DeleteFunc(s.subs, func(x subscription) bool { return x.name == filter })
	return len(s.subs) < n
}

func (x *subscription) copyOf(msg *message, retain bool) expected {
	return expected{message: msg, filter: x.name, qos: min(x.QoS, msg.qos), retain: retain, id: x.id}
}

// publish is what the broker must do with a message: one copy for each
// subscription, one for each group.
func (m *Model) publish(msg *message) {
	if msg.retain {
		delete(m.retained, msg.topic)
		if msg.payload != "" {
			m.retained[msg.topic] = msg
		}
	}
	members := map[string]map[*session]expected{}
	for _, s := range m.all() {
		for i := range s.subs {
			x := &s.subs[i]
			e := x.copyOf(msg, msg.retain && x.RetainAsPublished)
			switch {
			case !Matches(x.topic, msg.topic):
			case x.group:
				if members[x.name] == nil {
					members[x.name] = map[*session]expected{}
				}
				members[x.name][s] = e
			case x.NoLocal && msg.from == s.name, !s.online && e.qos == 0:
			default:
				s.pending = append(s.pending, e)
			}
		}
	}
	m.share(msg, members)
}

// Matches is the definition of a match, level by level.
func Matches(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		if level == "#" {
			return true
		}
		if i >= len(t) || level != "+" && level != t[i] {
			return false
		}
	}
	return len(f) == len(t)
}
