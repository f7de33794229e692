package codec

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

var (
	errTopicEmpty    = malformed("topic is empty")
	errTopicUTF8     = malformed("topic is not UTF-8 or holds U+0000")
	errTopicWildcard = &Error{TopicNameInvalid, "topic name holds a wildcard"}
	errFilterEmpty   = malformed("topic filter is empty")
	errFilterUTF8    = malformed("topic filter is not UTF-8 or holds U+0000")
	errFilter        = &Error{TopicFilterInvalid, "wildcard in a wrong place of a topic filter"}
	errShare         = &Error{TopicFilterInvalid, "shared subscription without group name or filter"}
)

// validText tells whether b is UTF-8 without U+0000.
func validText(b []byte) bool {
	ascii := true
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if hasZero(w) {
			return false
		}
		ascii = ascii && w&high == 0
	}
	for _, c := range b[i:] {
		if c == 0 {
			return false
		}
		ascii = ascii && c < 0x80
	}
	return ascii || utf8.Valid(b)
}

const (
	high = 0x8080808080808080
	low  = 0x0101010101010101
)

// hasZero tells whether one of eight bytes is zero.
func hasZero(w uint64) bool { return (w-low)&^w&high != 0 }

// ValidTopic checks a topic name [MQTT-4.7.1-1] [MQTT-4.7.3-1].
func ValidTopic(b []byte) error {
	if len(b) == 0 {
		return errTopicEmpty
	}
	return topicName(b)
}

// topicName checks a topic name that may be empty, eight bytes at a time.
func topicName(b []byte) error {
	ascii := true
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if hasZero(w) || hasZero(w^('+'*low)) || hasZero(w^('#'*low)) {
			return badTopic(b)
		}
		ascii = ascii && w&high == 0
	}
	for _, c := range b[i:] {
		if c == 0 || c == '+' || c == '#' {
			return badTopic(b)
		}
		ascii = ascii && c < 0x80
	}
	if !ascii && !utf8.Valid(b) {
		return errTopicUTF8
	}
	return nil
}

// badTopic says what is wrong with a topic that holds NUL or a wildcard.
func badTopic(b []byte) error {
	if !validText(b) {
		return errTopicUTF8
	}
	return errTopicWildcard
}

// ValidFilter checks a topic filter, that of a shared subscription included
// [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.8.2-1] [MQTT-4.8.2-2].
func ValidFilter(b []byte) error {
	if len(b) == 0 {
		return errFilterEmpty
	}
	if !validText(b) {
		return errFilterUTF8
	}
	if bytes.HasPrefix(b, sharePrefix) || bytes.Equal(b, sharePrefix[:len(sharePrefix)-1]) {
		group, rest, ok := SplitShared(b)
		if !ok || len(group) == 0 || len(rest) == 0 || bytes.ContainsAny(group, "+#") {
			return errShare
		}
		b = rest
	}
	for i, c := range b {
		switch c {
		case '#':
			if i != len(b)-1 || i > 0 && b[i-1] != '/' {
				return errFilter
			}
		case '+':
			if i > 0 && b[i-1] != '/' || i < len(b)-1 && b[i+1] != '/' {
				return errFilter
			}
		}
	}
	return nil
}

var sharePrefix = []byte("$share/")

// SplitShared takes a shared subscription's filter apart. For any other filter
// it gives the filter itself and false.
func SplitShared(filter []byte) (group, rest []byte, shared bool) {
	after, ok := bytes.CutPrefix(filter, sharePrefix)
	if !ok {
		return nil, filter, false
	}
	group, rest, ok = bytes.Cut(after, []byte{'/'})
	if !ok {
		return nil, filter, false
	}
	return group, rest, true
}
