package disk

import (
	"encoding/binary"

	"vernemq/queue"
	"vernemq/queue/store"
)

// Enqueue puts an entry at the end of a client's queue and gives the name by
// which it is removed. The batch takes a hold of its own on the message.
//
// many says that the message has or may have other receivers in this batch: it
// is then written once, as a body that their entries share. Without, it is
// written in the entry. To be wrong about it only costs bytes.
func (b *Batch) Enqueue(c store.Client, d store.Delivery, many bool) queue.Ref {
	r := queue.Ref{Seq: b.store.number(), Batch: b.number, At: uint32(len(b.ops))}
	o := op{act: actEnqueue, client: c, key: len(b.buf), seq: r.Seq}
	if many {
		o.body = b.bodyFor(&d, r.Seq)
		r.Body = b.bodies[o.body-1].id
	} else {
		o.msg = d.Msg.Hold()
		b.size += messageSize(d.Msg)
	}
	b.buf = appendEntryKey(b.buf, c, r.Seq)
	o.value = len(b.buf)
	b.buf = appendEntryHead(b.buf, &d, many)
	if many {
		b.buf = binary.BigEndian.AppendUint64(b.buf, r.Body)
	}
	b.add(o)
	return r
}

// bodyFor counts one entry more of the message's body, which it makes if there
// is none yet or the latest has enough of them. It returns its index plus 1.
func (b *Batch) bodyFor(d *store.Delivery, id uint64) int32 {
	if i, ok := b.shared[d.Msg]; ok && b.bodies[i].count < b.store.receivers {
		b.bodies[i].count++
		return i + 1
	}
	b.size += messageSize(d.Msg)
	b.bodies = append(b.bodies, body{msg: d.Msg.Hold(), id: id, count: 1})
	b.shared[d.Msg] = int32(len(b.bodies) - 1)
	return int32(len(b.bodies))
}

// Dequeue removes an entry; once for each Ref. An entry of this batch, or of
// one that the writer has not begun, costs no write at all.
func (b *Batch) Dequeue(c store.Client, r queue.Ref) {
	if r.Batch == b.number && b.kill(r.At, c, r.Seq) {
		return
	}
	k := len(b.buf)
	b.buf = appendEntryKey(b.buf, c, r.Seq)
	b.dequeue(c, r, k)
}

// dequeue removes what Enqueue or HandOver has named, whose key begins at k.
func (b *Batch) dequeue(c store.Client, r queue.Ref, k int) {
	b.add(op{
		act: actDequeue, client: c, key: k, value: len(b.buf), seq: r.Seq, bodyID: r.Body,
		inBatch: r.Batch, inOps: r.At,
	})
}

// kill makes an entry's enqueuing dead, if it is the one at a place.
func (b *Batch) kill(at uint32, c store.Client, seq uint64) bool {
	if int(at) >= len(b.ops) {
		return false
	}
	o := &b.ops[at]
	if o.act != actEnqueue || o.dead || o.seq != seq || o.client != c {
		return false
	}
	b.bury(o)
	return true
}

// bury makes a write dead and lets go of its message.
func (b *Batch) bury(o *op) {
	o.dead = true
	b.live--
	b.size -= o.end - o.key
	if o.msg != nil {
		b.size -= messageSize(o.msg)
	}
	b.release(o)
	if o.body == 0 {
		return
	}
	x := &b.bodies[o.body-1]
	if x.count--; x.count > 0 {
		return
	}
	if b.shared[x.msg] == o.body-1 {
		delete(b.shared, x.msg) // its address may be another message's soon
	}
	b.size -= messageSize(x.msg)
	x.msg.Release()
	x.msg = nil
}
