package mqttmodel

import (
	"maps"
	"slices"

	"vernemq/codec"
)

// share is a message for one member of a shared group. Nobody can tell from
// outside whom the broker chose before the message comes to somebody.
type share struct {
	msg       *message
	group     string
	holders   map[*session]expected // who may have got it from the broker
	taker     *session              // to whom it came
	seen      codec.Publish         // as it came
	optional  bool                  // it may have gone with a session or connection
	ambiguous bool                  // somebody may get the same from another group
}

// share gives a message to its groups.
func (m *Model) share(msg *message, groups map[string]map[*session]expected) {
	in := map[*session]int{} // groups of a session
	for _, members := range groups {
		for s := range members {
			in[s]++
		}
	}
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		x := newShare(msg, groups[g])
		x.group = g
		x.optional = x.optional || m.Lossy || msg.payload == "" // those look all the same
		for s := range groups[g] {
			x.ambiguous = x.ambiguous || in[s] > 1
		}
		for _, y := range m.shares { // published again
			if y.msg.payload == msg.payload && y.msg != msg {
				x.ambiguous, y.ambiguous = true, true
			}
		}
		m.shares = append(m.shares, x)
	}
}

// newShare gives a message to one of a group: one who is online, if there is
// any.
func newShare(msg *message, members map[*session]expected) *share {
	x := &share{msg: msg, holders: map[*session]expected{}}
	online := false
	for s := range members {
		online = online || s.online
	}
	for s, e := range members {
		switch {
		case s.online != online:
		case !online && e.qos == 0:
			x.optional = true // dropped if it was given to this one
		default:
			x.holders[s] = e
		}
	}
	return x
}

// abandon takes from a session what it may hold of shared groups. Where copies
// look the same it is not known which one is gone.
func (m *Model) abandon(s *session, which func(expected) bool) {
	lost := map[string]bool{}
	for _, x := range m.shares {
		e, ok := x.holders[s]
		if !ok || !which(e) {
			continue
		}
		if x.ambiguous {
			lost[x.msg.payload] = true
		} else if x.taker == nil {
			delete(x.holders, s)
			x.optional = true
		}
	}
	for _, x := range m.shares {
		x.optional = x.optional || lost[x.msg.payload]
	}
}

// passOn is told that a session has ended. What it may have held goes to
// other members of its groups, who may have other options by now, or to nobody
// if the group has been without members meanwhile. The model does not follow
// that: it lets these messages come to any member and checks no more of them.
// TestSharedMembersLeave and the transcripts do.
func (m *Model) passOn(s *session) {
	for _, x := range m.shares {
		if _, ok := x.holders[s]; ok {
			x.optional = true
			m.loose[x.msg.payload] = append(m.loose[x.msg.payload], x)
		}
	}
}

// loosely finds a message that a session left behind.
func (m *Model) loosely(s *session, p *codec.Publish) (expected, bool) {
	for _, x := range m.loose[string(p.Payload)] {
		if !s.groups[x.group] || x.msg.topic != string(p.Topic) || p.QoS > x.msg.qos {
			continue
		}
		e := expected{message: x.msg, filter: x.group, qos: p.QoS, retain: p.Retain}
		for id := range p.Props.SubscriptionIDs {
			e.id = id
		}
		return e, true
	}
	return expected{}, false
}

// place finds the share of which a message comes, if possible one that has to
// come. One that seemed to be of another group may have to change its place.
func (m *Model) place(s *session, p *codec.Publish, tried map[*share]bool) (expected, bool) {
	for _, optional := range []bool{false, true} {
		for _, x := range m.shares {
			e, ok := x.holders[s]
			if !ok || x.optional != optional || tried[x] || !e.is(p, s) {
				continue
			}
			tried[x] = true
			if x.taker != nil {
				if _, moved := m.place(x.taker, &x.seen, tried); !moved {
					continue
				}
			}
			x.taker, x.seen = s, *p
			return e, true
		}
	}
	return expected{}, false
}

// settledShares holds that a group was given what one of its members can take.
func (m *Model) settledShares() {
	for _, x := range m.shares {
		if !x.optional && !x.ambiguous && x.taker == nil && !x.waits() {
			m.fail("no member of the group is sent %q", x.msg.payload)
		}
	}
}

// waits tells that a member may hold the message and not be able to take it.
func (x *share) waits() bool {
	for s := range x.holders {
		if !s.online || s.stalled || s.unacknowledged() >= s.window {
			return true
		}
	}
	return false
}

func (m *Model) finishedShares() {
	for _, x := range m.shares {
		if !x.optional && x.taker == nil {
			m.fail("a group never got %q", x.msg.payload)
		}
	}
}
