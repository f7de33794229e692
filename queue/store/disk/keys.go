package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"vernemq/queue"
	"vernemq/queue/store"
)

// The first byte of a key says what the record is.
const (
	kindMeta         = 'm'
	kindSession      = 's'
	kindSubscription = 'u'
	kindEntry        = 'q'
	kindBody         = 'b'
	kindOutgoing     = 'f'
	kindIncoming     = 'i'
	kindRetained     = 'r'
	kindDoomed       = 'd'
	kindHandover     = 'x'
)

// Slots is the number of slots that clients are kept by. It never changes.
const Slots = 4096

func slotOf(c store.Client) uint16 { return uint16(c.Key & (Slots - 1)) }

// appendPrefix appends a kind and P:
//
//	| kind 1 | slot 2 | mountpoint | 0x00 | client id | 0x00 |
func appendPrefix(dst []byte, kind byte, c store.Client) []byte {
	dst = appendSlot(dst, kind, slotOf(c))
	dst = append(append(dst, c.Mountpoint...), 0)
	return append(append(dst, c.ID...), 0)
}

// appendSlot appends a kind and the number of a slot, or of a loop.
func appendSlot(dst []byte, kind byte, slot uint16) []byte {
	return binary.BigEndian.AppendUint16(append(dst, kind), slot)
}

func appendEntryKey(dst []byte, c store.Client, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(appendPrefix(dst, kindEntry, c), seq)
}

func appendPacketKey(dst []byte, kind byte, c store.Client, id uint16) []byte {
	return binary.BigEndian.AppendUint16(appendPrefix(dst, kind, c), id)
}

func appendBodyKey(dst []byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, kindBody), id)
}

func appendHandoverKey(dst []byte, loop uint16, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(appendSlot(dst, kindHandover, loop), seq)
}

func handoverOf(key []byte) (loop uint16, seq uint64, err error) {
	if len(key) != 11 {
		return 0, 0, fmt.Errorf("key %q of a handover has %d bytes instead of 11", key, len(key))
	}
	return binary.BigEndian.Uint16(key[1:]), binary.BigEndian.Uint64(key[3:]), nil
}

func appendRetainedKey(dst []byte, mountpoint string, topic []byte) []byte {
	dst = append(append(append(dst, kindRetained), mountpoint...), 0)
	return append(dst, topic...)
}

// after is the first key behind all that begin with p. p may be written to.
func after(p []byte) []byte {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i]++; p[i] != 0 {
			return p[:i+1]
		}
	}
	return nil
}

// prefixLen is the length of kind and P at the beginning of a key.
func prefixLen(key []byte) (int, error) {
	n := 3
	for range 2 {
		if n > len(key) {
			break
		}
		i := bytes.IndexByte(key[n:], 0)
		if i < 0 {
			n = len(key) + 1
			break
		}
		n += i + 1
	}
	if n > len(key) {
		return 0, fmt.Errorf("key %q has no mountpoint and client id", key)
	}
	return n, nil
}

// clientOf reads P from a key and gives what follows it.
func clientOf(key []byte) (store.Client, []byte, error) {
	n, err := prefixLen(key)
	if err != nil {
		return store.Client{}, nil, err
	}
	mount, id, _ := bytes.Cut(key[3:n-1], []byte{0})
	c := store.Client{Mountpoint: string(mount), ID: string(id)}
	c.Key = queue.KeyOf(c.Mountpoint, c.ID)
	if slot := binary.BigEndian.Uint16(key[1:]); slot != slotOf(c) {
		return c, nil, fmt.Errorf("key %q is in slot %d, its client belongs to %d", key, slot, slotOf(c))
	}
	return c, key[n:], nil
}

// number reads the number of 8 bytes that is all of b.
func number(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("number of %d bytes instead of 8", len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// packetID reads the packet identifier that is all of b.
func packetID(b []byte) (uint16, error) {
	if len(b) != 2 {
		return 0, fmt.Errorf("packet identifier of %d bytes instead of 2", len(b))
	}
	return binary.BigEndian.Uint16(b), nil
}

func retainedOf(key []byte) (mountpoint string, topic []byte, err error) {
	mount, topic, ok := bytes.Cut(key[min(1, len(key)):], []byte{0})
	if !ok {
		return "", nil, fmt.Errorf("key %q has no mountpoint", key)
	}
	return string(mount), topic, nil
}
