package disk

import (
	"time"

	"vernemq/queue"
	"vernemq/queue/store"
)

// Batch collects writes in memory. It belongs to one goroutine until it is
// handed over with Store.Commit, and to the store from then on. It is committed
// whole or not at all, its writes in their order.
//
// The messages are not copied: the batch holds them, and the writer encodes
// what is still to be written then.
type Batch struct {
	store  *Store
	number uint32 // no other batch in memory has it
	ops    []op
	buf    []byte // keys and values of ops
	bodies []body
	shared map[*queue.Message]int32 // latest of bodies of a message
	live   int                      // ops that are not dead
	size   int                      // bytes to be written, about

	deletes bool // some op deletes a client
	retains bool // some op is about a retained message

	done       func(error)
	handed     time.Time
	handedSize int
}

var _ store.Records = (*Batch)(nil)

type action byte

const (
	actSet action = iota
	actDelete
	actEnqueue // a queue entry or a handover; the message is not in buf
	actDequeue
	actRetain        // no value
	actDeleteSession // no key
	actDeleteState   // no key
)

// op is one write. Dead ones are not written: what they would do is undone by
// a later one of the same batch or group.
type op struct {
	act            action
	dead           bool
	client         store.Client // zero for handovers and retained messages
	key, value     int          // where they begin in buf; the value ends at end
	end            int
	seq            uint64
	body           int32          // actEnqueue: index into bodies plus 1, 0 when inline
	msg            *queue.Message // actEnqueue: the message if it is inline
	bodyID         uint64         // actDequeue
	inBatch, inOps uint32         // actDequeue: where the entry was enqueued
}

// body is a message that several entries of the batch share.
type body struct {
	msg   *queue.Message // nil when all its entries are dead
	id    uint64
	count int32
}

func (b *Batch) add(o op) {
	o.end = len(b.buf)
	b.size += o.end - o.key
	b.ops = append(b.ops, o)
	b.live++
}

// set adds a write whose key ends and whose value begins at v.
func (b *Batch) set(c store.Client, k, v int) {
	b.add(op{act: actSet, client: c, key: k, value: v})
}

func (b *Batch) unset(c store.Client, k int) {
	b.add(op{act: actDelete, client: c, key: k, value: len(b.buf)})
}

// Empty tells whether there is nothing to write.
func (b *Batch) Empty() bool { return b.live == 0 }

// Size is about the number of bytes to be written.
func (b *Batch) Size() int { return b.size }

// PutSession writes the record of a client's session.
func (b *Batch) PutSession(c store.Client, s *store.Session) {
	k := len(b.buf)
	b.buf = appendPrefix(b.buf, kindSession, c)
	v := len(b.buf)
	b.buf = appendSession(b.buf, s)
	b.set(c, k, v)
}

// PutSubscription writes a subscription of a client.
func (b *Batch) PutSubscription(c store.Client, s *store.Subscription) {
	k := len(b.buf)
	b.buf = append(appendPrefix(b.buf, kindSubscription, c), s.Filter...)
	v := len(b.buf)
	b.buf = appendSubscription(b.buf, s)
	b.set(c, k, v)
}

// DeleteSubscription removes a subscription of a client.
func (b *Batch) DeleteSubscription(c store.Client, filter string) {
	k := len(b.buf)
	b.buf = append(appendPrefix(b.buf, kindSubscription, c), filter...)
	b.unset(c, k)
}

// PutOutgoing writes how far the delivery of a QoS 2 message is.
func (b *Batch) PutOutgoing(c store.Client, o *store.Outgoing) {
	k := len(b.buf)
	b.buf = appendPacketKey(b.buf, kindOutgoing, c, o.ID)
	v := len(b.buf)
	b.buf = appendOutgoing(b.buf, o)
	b.set(c, k, v)
}

// DeleteOutgoing removes it: the exchange has ended.
func (b *Batch) DeleteOutgoing(c store.Client, id uint16) {
	k := len(b.buf)
	b.buf = appendPacketKey(b.buf, kindOutgoing, c, id)
	b.unset(c, k)
}

// PutIncoming notes that a QoS 2 message was received and not released yet.
func (b *Batch) PutIncoming(c store.Client, id uint16) {
	k := len(b.buf)
	b.buf = appendPacketKey(b.buf, kindIncoming, c, id)
	v := len(b.buf)
	b.buf = append(b.buf, version)
	b.set(c, k, v)
}

// DeleteIncoming removes that: the message was released.
func (b *Batch) DeleteIncoming(c store.Client, id uint16) {
	k := len(b.buf)
	b.buf = appendPacketKey(b.buf, kindIncoming, c, id)
	b.unset(c, k)
}

// keepBuffer and keepOps bound what an idle batch keeps.
const (
	keepBuffer = 1 << 20
	keepOps    = 8192
)

// reset releases what the batch holds and makes it empty.
func (b *Batch) reset() {
	for i := range b.ops {
		b.release(&b.ops[i])
	}
	for i := range b.bodies {
		if m := b.bodies[i].msg; m != nil {
			m.Release()
		}
	}
	clear(b.ops)
	clear(b.bodies)
	clear(b.shared)
	b.ops, b.bodies, b.buf = b.ops[:0], b.bodies[:0], b.buf[:0]
	if cap(b.buf) > keepBuffer || cap(b.ops) > keepOps {
		b.ops, b.bodies, b.buf = nil, nil, nil
		b.shared = map[*queue.Message]int32{}
	}
	b.live, b.size, b.handedSize, b.done = 0, 0, 0, nil
	b.deletes, b.retains = false, false
}

func (b *Batch) release(o *op) {
	if o.msg != nil {
		o.msg.Release()
		o.msg = nil
	}
}
