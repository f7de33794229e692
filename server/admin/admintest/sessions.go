package admintest

import (
	"context"
	"slices"

	"vernemq/server/admin"
)

// Sessions are some clients.
type Sessions struct {
	List []Client
	Done []string // what was done to them
}

// Client is a client with all that belongs to it.
type Client struct {
	admin.Session
	Subscriptions []admin.Subscription
	Messages      []admin.StoredMessage
}

func newSessions() *Sessions {
	online := func(id, user string, protocol uint8, port uint16, clean bool, subs ...admin.Subscription) Client {
		n := uint32(port)
		return Client{Session: admin.Session{Client: admin.Client{ID: id}, Queue: admin.PID{0, n, 0}, Online: true, Clean: clean, Connections: 1,
			Created: 1795334840671, Connection: admin.PID{0, n, 1}, User: user, HasUser: user != "", PeerHost: "127.0.0.1", PeerPort: port,
			Protocol: protocol, Connected: 1795334840675}, Subscriptions: subs}
	}
	sub := func(filter string, qos byte, v5 bool) admin.Subscription {
		return admin.Subscription{Filter: filter, QoS: qos, HasOptions: v5}
	}
	away := func(id string, stored int, subs ...admin.Subscription) Client {
		c := Client{Session: admin.Session{Client: admin.Client{ID: id}, Queue: admin.PID{0, 9, 0}, Stored: stored, Created: 1795334840671}, Subscriptions: subs}
		for i := range stored {
			c.Messages = append(c.Messages, admin.StoredMessage{Ref: "ref" + string(rune('0'+i)), QoS: 1, Topic: "sensors/a", Payload: []byte{byte('0' + i)}})
		}
		return c
	}
	anon := online("anon-t6WD", "", 5, 8242, true, sub("anon/#", 0, true))
	anon.Subscriptions[0].RetainAsPublished = true
	return &Sessions{List: []Client{
		online("legacy-1", "", 4, 8200, false, sub("sensors/+/temp", 2, false)),
		online("worker-1", "", 5, 8236, true, sub("$share/g1/jobs/#", 1, true)), anon,
		away("off-1", 2, sub("sensors/#", 1, false)),
		online("dash-1", "alice", 5, 8208, true, sub("alerts/+", 1, true), sub("sensors/#", 1, true)),
		away("off-5", 0),
	}}
}

// Each yields the clients.
func (s *Sessions) Each(ctx context.Context, q *admin.Scan, yield func(*admin.Session) bool) error {
	for _, c := range s.List {
		if q.ClientID != nil && c.ID != *q.ClientID || q.Mountpoint != nil && c.Mountpoint != *q.Mountpoint {
			continue
		}
		for _, x := range c.rows(q.Details) {
			if !yield(&x) {
				return nil
			}
		}
	}
	return ctx.Err()
}

func (c *Client) rows(d admin.Details) []admin.Session {
	rows := []admin.Session{c.Session}
	if d&admin.Subscriptions != 0 {
		rows = nil
		for i := range c.Subscriptions {
			x := c.Session
			x.Subscription = &c.Subscriptions[i]
			rows = append(rows, x)
		}
	}
	if d&(admin.References|admin.Messages) == 0 {
		return rows
	}
	var all []admin.Session
	for _, r := range rows {
		for i := range c.Messages {
			r.StoredMessage = &c.Messages[i]
			all = append(all, r)
		}
	}
	return all
}

// Disconnect notes what was asked.
func (s *Sessions) Disconnect(_ context.Context, name admin.Client, cleanup bool) (bool, error) {
	verb := "disconnect "
	if cleanup {
		verb = "remove "
	}
	s.Done = append(s.Done, verb+name.Mountpoint+"/"+name.ID)
	return s.knows(name), nil
}

func (s *Sessions) knows(name admin.Client) bool {
	return slices.ContainsFunc(s.List, func(c Client) bool { return c.Client == name })
}

// Unsubscribe notes what was asked.
func (s *Sessions) Unsubscribe(_ context.Context, name admin.Client, filter string, hook bool) (bool, error) {
	s.Done = append(s.Done, "unsubscribe "+name.ID+" "+filter)
	return s.knows(name), nil
}

// Reauthorize changes something for alice.
func (s *Sessions) Reauthorize(_ context.Context, name admin.Client, user string) (bool, error) {
	return user == "alice" && s.knows(name), nil
}

// Retained are some retained messages.
type Retained struct{ list [][3]string }

func newRetained() *Retained {
	return &Retained{[][3]string{{"", "sensors/kitchen/temp", "21.5"}, {"", "sensors/hall/temp", "19.0"},
		{"", "config/device/1", `{"a":1,"b":[1,2]}`}, {"", "bin", "\x01\x02ü€"}, {"", "bytes", "\x80\x81\xff"}, {"mp", "other", "x"}}}
}

// Each yields them.
func (r *Retained) Each(yield func(mountpoint, topic string, payload []byte) bool) {
	for _, m := range r.list {
		if !yield(m[0], m[1], []byte(m[2])) {
			return
		}
	}
}

// Delete deletes one.
func (r *Retained) Delete(mountpoint, topic string) bool {
	n := len(r.list)
	r.list = slices.DeleteFunc(r.list, func(m [3]string) bool { return m[0] == mountpoint && m[1] == topic })
	return len(r.list) < n
}

// DeleteExpired deletes three.
func (r *Retained) DeleteExpired() int { return 3 }
