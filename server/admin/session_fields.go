package admin

import (
	"fmt"

	"vernemq/server/admin/ql"
)

// sessionField is a field of `session show`.
type sessionField struct {
	name    string
	about   string
	details Details // that it needs
	base    bool    // part of *
	kind    ql.Kind
	get     func(*Session) ql.Value
}

// sessionFields are in the order of their tables in VerneMQ. node is the name
// of this node.
func sessionFields(node string) []sessionField {
	return append(queueFields(node), detailFields()...)
}

func queueFields(node string) []sessionField {
	text, number, flag := ql.String, ql.Int, ql.Bool
	return []sessionField{
		{"node", "node that has the queue", 0, true, text, func(*Session) ql.Value { return ql.Text(node) }},
		{"mountpoint", "mountpoint of the client", 0, true, text, func(s *Session) ql.Value { return ql.Text(s.Mountpoint) }},
		{"client_id", "client identifier", 0, true, text, func(s *Session) ql.Value { return ql.Text(s.ID) }},
		{"queue_pid", "name of the queue", 0, true, text, func(s *Session) ql.Value { return ql.Text(s.Queue.String()) }},
		{"queue_size", "never filled; see online_messages and offline_messages", 0, true, number, func(*Session) ql.Value { return ql.Value{} }},
		{"session_pid", "name of the connection", Connections, false, text, online(func(s *Session) ql.Value { return ql.Text(s.Connection.String()) })},
		{"is_offline", "the client is away", 0, true, flag, func(s *Session) ql.Value { return ql.Flag(!s.Online) }},
		{"is_online", "the client is connected", 0, true, flag, func(s *Session) ql.Value { return ql.Flag(s.Online) }},
		{"statename", "online or offline", 0, true, text, func(s *Session) ql.Value { return ql.Text(word(s.Online, "online", "offline")) }},
		{"deliver_mode", "fanout or balance", 0, true, text, func(s *Session) ql.Value { return ql.Text(word(s.Balance, "balance", "fanout")) }},
		{"offline_messages", "messages kept while the client is away", 0, true, number, func(s *Session) ql.Value { return ql.Number(int64(s.Stored)) }},
		{"online_messages", "messages that wait for the connected client", 0, true, number, func(s *Session) ql.Value { return ql.Number(int64(s.Waiting)) }},
		{"num_sessions", "connections of the client", 0, true, number, func(s *Session) ql.Value { return ql.Number(int64(s.Connections)) }},
		{"clean_session", "the session ends with the connection", 0, true, flag, func(s *Session) ql.Value { return ql.Flag(s.Clean) }},
		{"is_plugin", "the queue is a plugin's", 0, true, flag, func(*Session) ql.Value { return ql.Flag(false) }},
		{"queue_started_at", "when the queue began, in Unix milliseconds", 0, true, number, func(s *Session) ql.Value { return ql.Number(s.Created) }},
		{"user", "user name", Connections, false, text, online(func(s *Session) ql.Value {
			if !s.HasUser {
				return ql.Value{Kind: ql.Undefined}
			}
			return ql.Text(s.User)
		})},
		{"peer_host", "address of the client", Connections, false, text, online(func(s *Session) ql.Value { return ql.Text(s.PeerHost) })},
		{"peer_port", "its port", Connections, false, number, online(func(s *Session) ql.Value { return ql.Number(int64(s.PeerPort)) })},
		{"protocol", "protocol level: 3, 4, 5, or 131, 132 of a bridge", Connections, false, number, online(func(s *Session) ql.Value { return ql.Number(int64(s.Protocol)) })},
		{"waiting_acks", "messages in flight to the client", Connections, false, number, online(func(s *Session) ql.Value { return ql.Number(int64(s.Unacked)) })},
		{"session_started_at", "when the connection began, in Unix milliseconds", Connections, false, number, online(func(s *Session) ql.Value { return ql.Number(s.Connected) })},
	}
}

// detailFields multiply rows: one for each subscription or stored message.
func detailFields() []sessionField {
	text, number, flag := ql.String, ql.Int, ql.Bool
	return []sessionField{
		{"topic", "topic filter of a subscription", Subscriptions, false, text, subscribed(func(x *Subscription) ql.Value { return ql.Text(x.Filter) })},
		{"qos", "QoS of a subscription", Subscriptions, false, number, subscribed(func(x *Subscription) ql.Value { return ql.Number(int64(x.QoS)) })},
		{"rap", "Retain As Published of a subscription", Subscriptions, false, flag, options(func(x *Subscription) bool { return x.RetainAsPublished })},
		{"no_local", "No Local of a subscription", Subscriptions, false, flag, options(func(x *Subscription) bool { return x.NoLocal })},
		{"msg_ref", "name of a stored message", References, false, text, stored(func(m *StoredMessage) ql.Value { return ql.Text(m.Ref) })},
		{"msg_qos", "QoS of a stored message", Messages, false, number, stored(func(m *StoredMessage) ql.Value { return ql.Number(int64(m.QoS)) })},
		{"routing_key", "topic of a stored message", Messages, false, text, stored(func(m *StoredMessage) ql.Value { return ql.Text(m.Topic) })},
		{"dup", "a stored message was sent before", Messages, false, flag, stored(func(m *StoredMessage) ql.Value { return ql.Flag(m.Dup) })},
		{"payload", "payload of a stored message", Messages, false, text, stored(func(m *StoredMessage) ql.Value { return ql.Text(string(m.Payload)) })},
	}
}

// String is the name in VerneMQ's form.
func (p PID) String() string { return fmt.Sprintf("<%d.%d.%d>", p[0], p[1], p[2]) }

func word(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

// online is a field that only a connected client has.
func online(get func(*Session) ql.Value) func(*Session) ql.Value {
	return func(s *Session) ql.Value {
		if !s.Online {
			return ql.Value{}
		}
		return get(s)
	}
}

func subscribed(get func(*Subscription) ql.Value) func(*Session) ql.Value {
	return func(s *Session) ql.Value {
		if s.Subscription == nil {
			return ql.Value{}
		}
		return get(s.Subscription)
	}
}

func options(get func(*Subscription) bool) func(*Session) ql.Value {
	return subscribed(func(x *Subscription) ql.Value {
		if !x.HasOptions {
			return ql.Value{}
		}
		return ql.Flag(get(x))
	})
}

func stored(get func(*StoredMessage) ql.Value) func(*Session) ql.Value {
	return func(s *Session) ql.Value {
		if s.StoredMessage == nil {
			return ql.Value{}
		}
		return get(s.StoredMessage)
	}
}
