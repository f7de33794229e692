// Package store names what outlives a connection and the process: sessions,
// subscriptions, the messages that wait for a client, the state of QoS 2
// exchanges. Package disk keeps it.
package store

import "vernemq/queue"

// Client names the owner of records.
type Client struct {
	Key            uint64 // queue.KeyOf(Mountpoint, ID)
	Mountpoint, ID string
}

// Session is what is kept of a session besides its subscriptions and queue.
// Times are wall clock, in Unix seconds.
type Session struct {
	Version byte   // protocol level of the latest connection
	Expiry  uint32 // Session Expiry Interval
	Absent  int64  // since when the client is away, 0 while it is connected
	Ends    int64  // when the session ends, 0 when it never does
	LastID  uint16 // packet identifier handed out last
	// Birth is the sequence before which no entry of the client's queue belongs
	// to this session.
	Birth uint64
	Will  *Will // nil when there is none
}

// Will is the will message of a session.
type Will struct {
	Topic, Forward, Payload []byte // Forward: properties in wire format
	QoS                     byte
	Retain                  bool
	Delay                   uint32  // Will Delay Interval
	Expiry                  uint32  // Message Expiry Interval
	Expires                 bool    // Expiry is set
	Due                     int64   // when it is published, 0 when that is not decided
	Mountpoint              *string // where it is published, nil for the client's own
}

// Subscription is one subscription of a session.
type Subscription struct {
	Filter            string // whole, with $share/...
	QoS               byte   // granted
	NoLocal           bool
	RetainAsPublished bool
	ID                uint32 // Subscription Identifier, 0 when it has none
}

// Delivery is a message on its way to one client.
type Delivery struct {
	Msg            *queue.Message
	SubscriptionID uint32 // 0 when the subscription has none
	QoS            byte   // of the delivery
	Retain         bool   // flag of the delivery
	Shared         string // filter of the shared subscription it came by, "" when it is none
}

// Queued is an entry as it was read. Who gets it owns one hold on the message.
type Queued struct {
	queue.Ref
	Delivery
}

// Bounds says what a client's queue holds.
type Bounds struct {
	First, Last uint64 // sequences, 0 when the queue is empty
	Len         int
}

// OutgoingState is how far the delivery of a QoS 2 message is.
type OutgoingState byte

// The states of an outgoing QoS 2 exchange.
const (
	Sent     OutgoingState = 1 // PUBLISH sent; the entry is still in the queue
	Released OutgoingState = 2 // PUBREL sent; the entry may be gone
)

// Outgoing is a QoS 2 message on its way to the client.
type Outgoing struct {
	ID    uint16 // packet identifier
	State OutgoingState
	Seq   uint64 // of the entry
}

// Handover is a message on its way from one loop to the subscribers of another
// one.
type Handover struct {
	Loop, Loops uint16 // the loop it goes to, of how many
	Mountpoint  string
	Filter      string // whose subscribers get it, whole, with $share/...
	Msg         *queue.Message
}

// Records is where a session writes down what must outlive the process. What
// is written in one turn of a loop is kept whole or not at all.
type Records interface {
	PutSession(Client, *Session)
	// DeleteSession removes all of a client; DeleteState leaves the entries of
	// its queue.
	DeleteSession(Client)
	DeleteState(Client)
	// Enqueue puts an entry at the end of the client's queue and gives the name
	// by which Dequeue removes it, once. many tells that the message may have
	// other receivers.
	Enqueue(c Client, d Delivery, many bool) queue.Ref
	Dequeue(Client, queue.Ref)
	PutOutgoing(Client, *Outgoing)
	DeleteOutgoing(c Client, id uint16)
	PutIncoming(c Client, id uint16)
	DeleteIncoming(c Client, id uint16)
}
