package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// A body, and every operand that Pebble merges into one:
//
//	| version 1 | count 4, signed | message, or nothing |
//
// The first operand has the message and counts its entries, each later one
// counts those that are gone; the sum says how many are left. So nobody counts
// in memory or at boot, and the message is written once. Pebble merges
// neighbours in any grouping: operands without the first one sum up to a
// negative operand, which is again one.
//
// The last entry takes the body along: the writer reads the sum, once for a
// body and group, and deletes the body when nothing would be left. Entry,
// operand and deletion go in one batch, so that no crash leaves a body behind.
// (To let the merged value disappear would need no reading, but the compaction
// of Pebble v2.1.7 panics or shows the old value again after a
// DeletableValueMerger has said so: it goes on in the wrong state.)
const bodyHead = 5

func appendCount(dst []byte, n int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, version), uint32(n))
}

func parseBody(b []byte) (count int32, message []byte, err error) {
	if err := head("body", b, 1, 0); err != nil {
		return 0, nil, err
	}
	if len(b) < bodyHead {
		return 0, nil, fmt.Errorf("body: %d bytes, at least %d expected", len(b), bodyHead)
	}
	if message = b[bodyHead:]; len(message) > 0 {
		if err := checkMessage(message); err != nil {
			return 0, nil, fmt.Errorf("body: %w", err)
		}
	}
	return int32(binary.BigEndian.Uint32(b[1:])), message, nil
}

var bodyMerger = &pebble.Merger{
	Name: "vernemq.body.1",
	Merge: func(key, value []byte) (pebble.ValueMerger, error) {
		s := &bodySum{}
		if len(key) == 0 || key[0] != kindBody {
			return nil, fmt.Errorf("merge of key %q, which is no body", key)
		}
		return s, s.add(value)
	},
}

type bodySum struct {
	count   int64
	message []byte
}

func (s *bodySum) add(value []byte) error {
	n, message, err := parseBody(value)
	if err != nil {
		return err
	}
	s.count += int64(n)
	switch {
	case len(message) == 0:
	case s.message != nil:
		return errors.New("body: two messages under one id")
	default:
		s.message = append([]byte(nil), message...)
	}
	return nil
}

// MergeNewer adds an operand; the order does not matter.
func (s *bodySum) MergeNewer(value []byte) error { return s.add(value) }

// MergeOlder adds an operand; the order does not matter.
func (s *bodySum) MergeOlder(value []byte) error { return s.add(value) }

// Finish gives the sum.
func (s *bodySum) Finish(bool) ([]byte, io.Closer, error) {
	out := make([]byte, 0, bodyHead+len(s.message))
	return append(appendCount(out, int32(s.count)), s.message...), nil, nil
}
