package disk

import (
	"encoding/binary"
	"fmt"

	"vernemq/queue"
)

// version is the first byte of every value whose layout is still that of the
// first program with format 1.
const version = 1

// A message:
//
//	| version 1 | flags 1 | from 8 | expires 8 | topic length 2 | properties length 4 |
//	| topic | properties to forward | payload, to the end |
//
//	flags: bits 0-1 QoS, bit 2 retain
const messageHead = 24

func messageSize(m *queue.Message) int {
	return messageHead + len(m.Topic()) + len(m.Forward()) + len(m.Payload())
}

func appendMessage(dst []byte, m *queue.Message) []byte {
	dst = append(dst, version, m.QoS&3|bit(m.Retain, 2))
	dst = binary.BigEndian.AppendUint64(dst, m.From)
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.Expires))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Topic())))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(m.Forward())))
	dst = append(append(dst, m.Topic()...), m.Forward()...)
	return append(dst, m.Payload()...)
}

// checkMessage tells what is wrong with a message, without making one.
func checkMessage(b []byte) error {
	if err := head("message", b, messageHead, 7); err != nil {
		return err
	}
	need := uint64(binary.BigEndian.Uint16(b[18:])) + uint64(binary.BigEndian.Uint32(b[20:]))
	if need > uint64(len(b)-messageHead) {
		return fmt.Errorf("message: topic and properties of %d bytes in %d", need, len(b)-messageHead)
	}
	return nil
}

func parseMessage(b []byte) (*queue.Message, error) {
	if err := checkMessage(b); err != nil {
		return nil, err
	}
	topic := messageHead + int(binary.BigEndian.Uint16(b[18:]))
	props := topic + int(binary.BigEndian.Uint32(b[20:]))
	m := queue.NewMessage(b[messageHead:topic], b[topic:props], b[props:])
	m.QoS, m.Retain = b[1]&3, b[1]&4 != 0
	m.From = binary.BigEndian.Uint64(b[2:])
	m.Expires = int64(binary.BigEndian.Uint64(b[10:]))
	return m, nil
}

// head checks what all values have in common: they are long enough, of a known
// version, their flags (the second byte) have no unknown bits and no QoS 3 in
// the two lowest.
func head(what string, b []byte, size int, flags byte) error {
	return headOf(version, what, b, size, flags)
}

// headOf is head for values that may have later versions, up to latest.
func headOf(latest byte, what string, b []byte, size int, flags byte) error {
	switch {
	case len(b) == 0:
		return fmt.Errorf("%s: empty", what)
	case b[0] < version || b[0] > latest:
		return &versionError{what, b[0], latest}
	case len(b) < size:
		return fmt.Errorf("%s: %d bytes, at least %d expected", what, len(b), size)
	case size > 1 && b[1]&^flags != 0:
		return fmt.Errorf("%s: unknown flags %#x", what, b[1]&^flags)
	case size > 1 && flags&3 == 3 && b[1]&3 == 3:
		return fmt.Errorf("%s: QoS 3", what)
	}
	return nil
}

// versionError tells that a value has a layout that this program does not know.
type versionError struct {
	what       string
	is, latest byte
}

func (e *versionError) Error() string {
	return fmt.Sprintf("%s: version %d, known are those up to %d", e.what, e.is, e.latest)
}

func bit(on bool, n int) byte {
	if on {
		return 1 << n
	}
	return 0
}
