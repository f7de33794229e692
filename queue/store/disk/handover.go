package disk

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"vernemq/queue"
	"vernemq/queue/store"
)

// A handover; its loop and sequence are in the key:
//
//	| version 1 | flags 1 | loops 2 | mountpoint length 2 | filter length 2 |
//	| mountpoint | filter | message, to the end |
//
//	flags: none yet
const handoverHead = 8

func appendHandoverHead(dst []byte, h *store.Handover) []byte {
	dst = append(dst, version, 0)
	dst = binary.BigEndian.AppendUint16(dst, h.Loops)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(h.Mountpoint)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(h.Filter)))
	return append(append(dst, h.Mountpoint...), h.Filter...)
}

// parseHandover fills h but for its loop. The caller owns a hold on the message.
func parseHandover(b []byte, h *store.Handover) (err error) {
	if err := head("handover", b, handoverHead, 0); err != nil {
		return err
	}
	filter := handoverHead + int(binary.BigEndian.Uint16(b[4:]))
	message := filter + int(binary.BigEndian.Uint16(b[6:]))
	if message > len(b) {
		return fmt.Errorf("handover: mountpoint and filter of %d bytes in %d", message-handoverHead, len(b)-handoverHead)
	}
	h.Loops = binary.BigEndian.Uint16(b[2:])
	h.Mountpoint, h.Filter = string(b[handoverHead:filter]), string(b[filter:message])
	if h.Msg, err = parseMessage(b[message:]); err != nil {
		return fmt.Errorf("handover: %w", err)
	}
	return nil
}

// HandOver writes down that a message is on its way to another loop, and gives
// the name by which TakeOver removes it. The batch takes a hold of its own on
// the message. It must be handed over to the store before the other loop hears
// of the message: batches are committed in the order of Commit.
func (b *Batch) HandOver(h store.Handover) queue.Ref {
	r := queue.Ref{Seq: b.store.number(), Batch: b.number, At: uint32(len(b.ops))}
	o := op{act: actEnqueue, key: len(b.buf), seq: r.Seq, msg: h.Msg.Hold()}
	b.size += messageSize(h.Msg)
	b.buf = appendHandoverKey(b.buf, h.Loop, r.Seq)
	o.value = len(b.buf)
	b.buf = appendHandoverHead(b.buf, &h)
	b.add(o)
	return r
}

// TakeOver removes what was handed over to a loop; once for each Ref. Like
// Dequeue it costs no write when the writer has not begun that batch.
func (b *Batch) TakeOver(loop uint16, r queue.Ref) {
	if r.Batch == b.number && b.kill(r.At, store.Client{}, r.Seq) {
		return
	}
	k := len(b.buf)
	b.buf = appendHandoverKey(b.buf, loop, r.Seq)
	b.dequeue(store.Client{}, r, k)
}

// Handovers shows what was handed over and not taken over, of all loops, in the
// order in which it was handed over. Who gets it owns one hold on the message,
// and removes it with TakeOver.
func (s *Store) Handovers(each func(queue.Ref, store.Handover) error) error {
	list, err := s.handovers()
	for i := 0; err == nil && i < len(list); i++ {
		err = s.showHandover(list[i].loop, list[i].seq, each)
	}
	if err != nil {
		return fmt.Errorf("cannot read handovers: %w", err)
	}
	return nil
}

type handoverKey struct {
	seq  uint64
	loop uint16
}

func (s *Store) handovers() (list []handoverKey, err error) {
	err = s.scan([]byte{kindHandover}, func(key, _ []byte) error {
		loop, seq, err := handoverOf(key)
		list = append(list, handoverKey{seq, loop})
		return err
	})
	slices.SortFunc(list, func(a, b handoverKey) int { return cmp.Compare(a.seq, b.seq) })
	return list, err
}

func (s *Store) showHandover(loop uint16, seq uint64, each func(queue.Ref, store.Handover) error) error {
	key := appendHandoverKey(nil, loop, seq)
	value, err := s.get(key)
	if err == nil && value == nil {
		return nil // taken over meanwhile
	}
	h := store.Handover{Loop: loop}
	if err == nil {
		err = parseHandover(value, &h)
	}
	if err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	return each(queue.Ref{Seq: seq}, h)
}
