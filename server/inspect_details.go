package server

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/server/admin"
	"vernemq/server/session"
	"vernemq/trie"
)

// copiedSubscription is what makes a row of a subscription. The filter is put
// together off the loop.
type copiedSubscription struct {
	node    *trie.Node[route]
	group   *group
	options session.Options
	v5      bool
}

func copySubscriptions(c *client, list []*subscription) []copiedSubscription {
	out := make([]copiedSubscription, len(list))
	for i, x := range list {
		out[i] = copiedSubscription{x.node, x.group, x.options, c.session.Version() == codec.V5}
	}
	return out
}

func (s *copiedSubscription) row() *admin.Subscription {
	filter := s.node.Filter()
	if s.group != nil {
		filter = "$share/" + s.group.name + "/" + filter
	}
	return &admin.Subscription{Filter: filter, QoS: s.options.QoS, NoLocal: s.options.NoLocal,
		RetainAsPublished: s.options.RetainAsPublished, HasOptions: s.v5}
}

// backlog is the number of messages kept for an absent client.
func (l *loop) backlog(c *client) int {
	return l.store.Len(clientName(c)) + c.session.Unacknowledged()
}

func clientName(c *client) store.Client {
	return store.Client{Key: c.session.Key, Mountpoint: c.session.Mountpoint, ID: c.session.ID}
}

// storedMessages are the messages kept for an absent client, those that it has
// been sent before first. Each has a hold; one that the client has received and
// not released has no message any more.
func (c *client) storedMessages() (list []queue.Entry) {
	if c.session.Online() {
		return nil
	}
	for f := range c.session.InFlight {
		if f.Msg != nil {
			f.Msg.Hold()
		}
		list = append(list, f.Entry)
	}
	// The store shows a backlog only when it gives it up.
	st, name := c.loop.store, clientName(c)
	n := st.Len(name)
	st.Drop(name, func(e queue.Entry) {
		e.Msg.Hold()
		list = append(list, e)
	})
	for _, e := range list[len(list)-n:] {
		e.Msg.Hold()
		st.Append(name, e)
	}
	return list
}

// multiply yields a row for each subscription and stored message, if they are
// asked for: a session without any has no row then.
func (r *row) multiply(d admin.Details, f func(*admin.Session) bool) bool {
	if d&admin.Subscriptions == 0 {
		return r.eachMessage(d, f)
	}
	for i := range r.subs {
		r.Subscription = r.subs[i].row()
		if !r.eachMessage(d, f) {
			return false
		}
	}
	return true
}

func (r *row) eachMessage(d admin.Details, f func(*admin.Session) bool) bool {
	if d&(admin.References|admin.Messages) == 0 {
		return f(&r.Session)
	}
	for i := range r.messages {
		r.StoredMessage = storedRow(i, &r.messages[i])
		if !f(&r.Session) {
			return false
		}
	}
	return true
}

// storedRow is a stored message as a row. Its name comes from its place and
// content.
func storedRow(place int, e *queue.Entry) *admin.StoredMessage {
	m := &admin.StoredMessage{QoS: e.QoS}
	ref := binary.BigEndian.AppendUint64(nil, uint64(place))
	if e.Msg != nil {
		m.Topic, m.Payload = string(e.Msg.Topic()), e.Msg.Payload()
		ref = binary.BigEndian.AppendUint64(ref, xxhash.Sum64(m.Payload)^xxhash.Sum64(e.Msg.Topic()))
	}
	m.Ref = base64.StdEncoding.EncodeToString(ref)
	return m
}
