package disk

import (
	"encoding/binary"
	"fmt"

	"vernemq/queue/store"
)

// A session:
//
//	| version 1 | flags 1 | protocol level 1 | expiry 4 | absent 8 | ends 8 | last id 2 | birth 8 |
//	| will, or nothing |
//
//	flags: bit 2 clean in older stores and not read, bit 3 there is a will
//
// Its version is 2. In version 1 there was no birth.
//
// Its will:
//
//	| version 1 | flags 1 | delay 4 | expiry 4 | due 8 | topic length 2 | properties length 4 |
//	| topic | properties | mountpoint length 2 and mountpoint, or nothing | payload, to the end |
//
//	flags: bits 0-1 QoS, bit 2 retain, bit 3 expiry is set, bit 4 there is a mountpoint
const (
	sessionVersion = 2
	sessionHead    = 33
	oldSessionHead = 25
	willHead       = 24
)

func appendSession(dst []byte, s *store.Session) []byte {
	dst = append(dst, sessionVersion, bit(s.Will != nil, 3), s.Version)
	dst = binary.BigEndian.AppendUint32(dst, s.Expiry)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Absent))
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Ends))
	dst = binary.BigEndian.AppendUint16(dst, s.LastID)
	dst = binary.BigEndian.AppendUint64(dst, s.Birth)
	if s.Will == nil {
		return dst
	}
	return appendWill(dst, s.Will)
}

func appendWill(dst []byte, w *store.Will) []byte {
	dst = append(dst, version, w.QoS&3|bit(w.Retain, 2)|bit(w.Expires, 3)|bit(w.Mountpoint != nil, 4))
	dst = binary.BigEndian.AppendUint32(dst, w.Delay)
	dst = binary.BigEndian.AppendUint32(dst, w.Expiry)
	dst = binary.BigEndian.AppendUint64(dst, uint64(w.Due))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(w.Topic)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(w.Forward)))
	dst = append(append(dst, w.Topic...), w.Forward...)
	if m := w.Mountpoint; m != nil {
		dst = append(binary.BigEndian.AppendUint16(dst, uint16(len(*m))), *m...)
	}
	return append(dst, w.Payload...)
}

// parseSession fills s. The will is a copy.
func parseSession(b []byte, s *store.Session) error {
	size := sessionHead
	if len(b) > 0 && b[0] == version {
		size = oldSessionHead
	}
	if err := headOf(sessionVersion, "session", b, size, 12); err != nil {
		return err
	}
	*s = store.Session{
		Version: b[2],
		Expiry:  binary.BigEndian.Uint32(b[3:]),
		Absent:  int64(binary.BigEndian.Uint64(b[7:])),
		Ends:    int64(binary.BigEndian.Uint64(b[15:])),
		LastID:  binary.BigEndian.Uint16(b[23:]),
	}
	if size == sessionHead {
		s.Birth = binary.BigEndian.Uint64(b[oldSessionHead:])
	}
	if b[1]&8 != 0 {
		var err error
		s.Will, err = parseWill(b[size:])
		return err
	}
	return whole("session", b, size)
}

func parseWill(b []byte) (*store.Will, error) {
	if err := head("will", b, willHead, 31); err != nil {
		return nil, err
	}
	topic := uint64(willHead) + uint64(binary.BigEndian.Uint16(b[18:]))
	props := topic + uint64(binary.BigEndian.Uint32(b[20:]))
	if props > uint64(len(b)) {
		return nil, fmt.Errorf("will: topic and properties of %d bytes in %d", props-willHead, len(b)-willHead)
	}
	data := append([]byte(nil), b...)
	w := &store.Will{
		Topic: data[willHead:topic:topic], Forward: data[topic:props:props], Payload: data[props:],
		QoS: b[1] & 3, Retain: b[1]&4 != 0, Expires: b[1]&8 != 0,
		Delay:  binary.BigEndian.Uint32(b[2:]),
		Expiry: binary.BigEndian.Uint32(b[6:]),
		Due:    int64(binary.BigEndian.Uint64(b[10:])),
	}
	if b[1]&16 == 0 {
		return w, nil
	}
	rest := w.Payload
	if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
		return nil, fmt.Errorf("will: mountpoint in %d bytes", len(rest))
	}
	n := 2 + int(binary.BigEndian.Uint16(rest))
	mountpoint := string(rest[2:n])
	w.Mountpoint, w.Payload = &mountpoint, rest[n:]
	return w, nil
}

// A subscription; its filter is in the key:
//
//	| version 1 | flags 1 | subscription identifier 4 |
//
//	flags: bits 0-1 QoS, bit 2 no local, bit 3 retain as published
const subscriptionSize = 6

func appendSubscription(dst []byte, s *store.Subscription) []byte {
	dst = append(dst, version, s.QoS&3|bit(s.NoLocal, 2)|bit(s.RetainAsPublished, 3))
	return binary.BigEndian.AppendUint32(dst, s.ID)
}

func parseSubscription(b []byte, s *store.Subscription) error {
	if err := head("subscription", b, subscriptionSize, 15); err != nil {
		return err
	}
	s.QoS, s.NoLocal, s.RetainAsPublished = b[1]&3, b[1]&4 != 0, b[1]&8 != 0
	s.ID = binary.BigEndian.Uint32(b[2:])
	return whole("subscription", b, subscriptionSize)
}

// whole refuses a value that has not exactly size bytes.
func whole(what string, b []byte, size int) error {
	if len(b) != size {
		return fmt.Errorf("%s: %d bytes instead of %d", what, len(b), size)
	}
	return nil
}
