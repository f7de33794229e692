// Package queue holds application messages on their way to a client: the
// immutable, reference-counted Message, the FIFO of messages that wait, the
// window of those that are in flight, and the packet identifiers of QoS 2
// messages not yet released.
//
// A Message may be shared by any number of loops. Everything else belongs to
// one client and is only touched by the goroutine of the client's loop.
package queue

import (
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"
)

// Message is an application message, immutable once made. Its holders count
// themselves with Hold and Release; the last Release gives the memory back.
type Message struct {
	refs     atomic.Int32
	class    int8 // index into pools, -1 when not pooled
	QoS      byte // as published
	Retain   bool // as published
	topicLen uint16
	propsLen uint32
	// From is the key of the publishing client (KeyOf), for No Local
	// [MQTT-3.8.3-3]; 0 when the broker itself publishes.
	From uint64
	// Expires is the Unix second after which the message is not delivered
	// any more, 0 when it never expires [MQTT-3.3.2-5].
	Expires int64
	// Stamp is when the message arrived, if that is to be measured: a time of
	// server/metrics. 0 otherwise, and once the message was on disk.
	Stamp int64
	buf   []byte // topic | properties to forward | payload
}

const (
	minClass = 7  // 128 B
	maxClass = 16 // 64 KiB; larger messages are left to the garbage collector
)

var pools [maxClass - minClass + 1]sync.Pool

// NewMessage copies the parts into a message with one holder: the caller.
// forward are the properties that are passed on to MQTT 5 subscribers, in
// their wire format.
func NewMessage(topic, forward, payload []byte) *Message {
	m := allocate(len(topic) + len(forward) + len(payload))
	m.fill(topic, forward, payload)
	return m
}

func (m *Message) fill(topic, forward, payload []byte) {
	m.topicLen, m.propsLen = uint16(len(topic)), uint32(len(forward))
	m.buf = append(append(append(m.buf, topic...), forward...), payload...)
}

func allocate(size int) *Message {
	class := 0
	for class < len(pools) && size > 1<<(class+minClass) {
		class++
	}
	if class == len(pools) {
		m := &Message{class: -1, buf: make([]byte, 0, size)}
		m.refs.Store(1)
		return m
	}
	m, _ := pools[class].Get().(*Message)
	if m == nil {
		m = &Message{class: int8(class), buf: make([]byte, 0, 1<<(class+minClass))}
	}
	m.refs.Store(1)
	return m
}

// Hold counts one holder more and returns m.
func (m *Message) Hold() *Message {
	m.refs.Add(1)
	return m
}

// Release counts one holder less. The caller must not use m afterwards.
func (m *Message) Release() {
	switch n := m.refs.Add(-1); {
	case n > 0:
	case n < 0:
		panic("queue: message released more often than held")
	case m.class >= 0:
		m.QoS, m.Retain, m.From, m.Expires, m.Stamp = 0, false, 0, 0, 0
		m.buf = m.buf[:0]
		pools[m.class].Put(m)
	}
}

// Topic is the topic name.
func (m *Message) Topic() []byte { return m.buf[:m.topicLen] }

// Forward are the properties to pass on, in wire format without the length.
func (m *Message) Forward() []byte {
	return m.buf[m.topicLen : uint32(m.topicLen)+m.propsLen]
}

// Payload is the application payload.
func (m *Message) Payload() []byte { return m.buf[uint32(m.topicLen)+m.propsLen:] }

// Size is the number of bytes that the message occupies.
func (m *Message) Size() int { return cap(m.buf) + 64 }

// ExpiresAt is the second after which a message expires whose interval begins
// now (Unix second). As now is rounded down, such a message may live up to a
// second too long, but never too short. An interval of 0 has passed at once.
func ExpiresAt(now int64, interval uint32) int64 {
	if interval == 0 {
		return now - 1
	}
	return now + int64(interval)
}

// ExpiryLeft is what is left at now of an interval that ends at expires, in
// seconds. now may be before its beginning: another loop may have read the
// clock a little earlier.
func ExpiryLeft(expires, now int64) uint32 {
	return uint32(min(max(expires-now, 0), math.MaxUint32))
}

// Expired tells whether the message's expiry interval has passed at now (Unix
// seconds).
func (m *Message) Expired(now int64) bool { return m.Expires != 0 && now > m.Expires }

// Ref names an entry in the store. The zero Ref names none.
type Ref struct {
	Seq  uint64 // place in the queue: later entries have higher numbers
	Body uint64 // id of the stored message, 0 when the entry has it for itself

	// Where the entry stands in a batch that may not be written yet.
	Batch, At uint32
}

// Entry is a message in the queue of one client, with what that client's
// subscription made of it.
type Entry struct {
	Msg            *Message
	Ref            Ref    // zero when the entry is not in the store
	SubscriptionID uint32 // 0 when the subscription has none
	Share          uint32 // the broker's number of the shared subscription, 0 when it is none
	QoS            byte   // of the delivery
	Retain         bool   // flag of the delivery
}

// PatchID writes a packet identifier into a frame at off.
func PatchID(frame []byte, off int, id uint16) { binary.BigEndian.PutUint16(frame[off:], id) }
