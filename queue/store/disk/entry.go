package disk

import (
	"encoding/binary"
	"fmt"

	"vernemq/queue/store"
)

// An entry of a queue:
//
//	| version 1 | flags 1 | subscription identifier 4 | filter length 2 | filter |
//	| id of the body 8, or the message to the end |
//
//	flags: bits 0-1 QoS, bit 2 retain, bit 3 there is a body
const entryHead = 8

func appendEntryHead(dst []byte, d *store.Delivery, body bool) []byte {
	dst = append(dst, version, d.QoS&3|bit(d.Retain, 2)|bit(body, 3))
	dst = binary.BigEndian.AppendUint32(dst, d.SubscriptionID)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(d.Shared)))
	return append(dst, d.Shared...)
}

// parseEntry gives the delivery without its message, and either the id of the
// body or the message.
func parseEntry(b []byte) (d store.Delivery, body uint64, inline []byte, err error) {
	if err := head("queue entry", b, entryHead, 15); err != nil {
		return d, 0, nil, err
	}
	n := entryHead + int(binary.BigEndian.Uint16(b[6:]))
	if n > len(b) {
		return d, 0, nil, fmt.Errorf("queue entry: filter of %d bytes in %d", n-entryHead, len(b)-entryHead)
	}
	d = store.Delivery{
		QoS: b[1] & 3, Retain: b[1]&4 != 0,
		SubscriptionID: binary.BigEndian.Uint32(b[2:]),
		Shared:         string(b[entryHead:n]),
	}
	if b[1]&8 == 0 {
		return d, 0, b[n:], nil
	}
	if body, err = number(b[n:]); err != nil || body == 0 {
		return d, 0, nil, fmt.Errorf("queue entry: body %d: %v", body, err)
	}
	return d, body, nil, nil
}

// bodyOf is the body of an entry, 0 when its message is inline.
func bodyOf(b []byte) (uint64, error) {
	_, body, _, err := parseEntry(b)
	return body, err
}

// An outgoing exchange; its packet identifier is in the key:
//
//	| version 1 | state 1 | sequence 8 |
//
// An incoming one is the version alone.
const outgoingSize = 10

func appendOutgoing(dst []byte, o *store.Outgoing) []byte {
	return binary.BigEndian.AppendUint64(append(dst, version, byte(o.State)), o.Seq)
}

func parseOutgoing(b []byte, o *store.Outgoing) error {
	if err := head("outgoing QoS 2", b, 1, 0); err != nil {
		return err
	}
	if err := whole("outgoing QoS 2", b, outgoingSize); err != nil {
		return err
	}
	o.State, o.Seq = store.OutgoingState(b[1]), binary.BigEndian.Uint64(b[2:])
	if o.State != store.Sent && o.State != store.Released {
		return fmt.Errorf("outgoing QoS 2: unknown state %d", o.State)
	}
	return nil
}
