package server

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/queue/store/disk"
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

// copySubscriptions copies those of a client from a place on, up to another one.
func copySubscriptions(c *client, from, to int) []copiedSubscription {
	out := make([]copiedSubscription, 0, to-from)
	for _, x := range c.subs.between(from, to) {
		out = append(out, copiedSubscription{x.node, x.group, x.options, c.session.Version() == codec.V5})
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

// multiply yields a row for each subscription and stored message, if they are
// asked for: a session without any has no row then.
func (r *row) multiply(st *disk.Store, d admin.Details, f func(*admin.Session) bool) bool {
	if d&admin.Subscriptions == 0 {
		return r.eachMessage(st, d, f)
	}
	for i := range r.subs {
		r.Subscription = r.subs[i].row()
		if !r.eachMessage(st, d, f) {
			return false
		}
	}
	return true
}

// storedAtOnce is how many stored messages are read at a time.
const storedAtOnce = 256

// eachMessage reads the messages in the store, those in flight among them. What
// has just been written may be missing.
func (r *row) eachMessage(st *disk.Store, d admin.Details, f func(*admin.Session) bool) bool {
	if d&(admin.References|admin.Messages) == 0 {
		return f(&r.Session)
	}
	name := store.Client{Key: queue.KeyOf(r.Client.Mountpoint, r.Client.ID), Mountpoint: r.Client.Mountpoint, ID: r.Client.ID}
	for from, more := uint64(0), r.messages; more; {
		page, err := st.Page(name, from, storedAtOnce, pageBytes)
		if err != nil || len(page) == 0 {
			break // the log tells
		}
		from = page[len(page)-1].Seq + 1
		for i := range page {
			if more {
				r.StoredMessage = storedRow(&page[i])
				more = f(&r.Session)
			}
			page[i].Msg.Release()
		}
		if !more {
			return false
		}
	}
	return true
}

// storedRow is a stored message as a row. Its name is its place in the store.
func storedRow(q *store.Queued) *admin.StoredMessage {
	ref := binary.BigEndian.AppendUint64(nil, q.Seq)
	return &admin.StoredMessage{QoS: q.QoS, Topic: string(q.Msg.Topic()), Payload: bytes.Clone(q.Msg.Payload()),
		Ref: base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(ref, xxhash.Sum64(q.Msg.Payload())))}
}
