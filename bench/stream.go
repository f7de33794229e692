package bench

import (
	"encoding/binary"
	"slices"
	"time"
)

// epoch joins the wall clock with the monotonic one: a process sees no jump,
// and processes of a host agree.
var epoch = time.Now()
var epochNano = epoch.UnixNano()

// now is the time in nanoseconds since 1970.
func now() int64 { return epochNano + int64(time.Since(epoch)) }

// stamp is what the first bytes of a payload say.
type stamp struct {
	due       int64 // when the message was due
	publisher uint32
	number    uint32 // of the publisher's messages, from 0
}

const stampSize = 16

func (s stamp) put(b []byte) {
	binary.BigEndian.PutUint64(b, uint64(s.due))
	binary.BigEndian.PutUint32(b[8:], s.publisher)
	binary.BigEndian.PutUint32(b[12:], s.number)
}

func readStamp(b []byte) stamp {
	return stamp{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])}
}

// verdict is what a message is in its stream.
type verdict int

const (
	fresh     verdict = iota // behind all before
	late                     // after a later one
	duplicate                // once more
)

// stream follows the messages of one publisher to one subscriber. It keeps
// what is missing, not what came, so a stream without faults is three words
// and exact with any number of messages.
type stream struct {
	next uint32 // the number after the largest that came
	lost uint32 // numbers of gaps that are no longer kept
	gaps []gap  // numbers below next that did not come, in order
}

// gap is a range of numbers without its end.
type gap struct{ from, to uint32 }

// maxGaps bounds the memory of a stream; a message that fills a gap that was
// forgotten counts as a duplicate.
const maxGaps = 1 << 16

func (s *stream) take(n uint32) verdict {
	switch {
	case n == s.next:
		s.next++
		return fresh
	case n < s.next:
		return s.fill(n)
	}
	if len(s.gaps) == maxGaps {
		for _, g := range s.gaps[:maxGaps/2] {
			s.lost += g.to - g.from
		}
		s.gaps = slices.Delete(s.gaps, 0, maxGaps/2)
	}
	s.gaps = append(s.gaps, gap{s.next, n})
	s.next = n + 1
	return fresh
}

func (s *stream) fill(n uint32) verdict {
	i, _ := slices.BinarySearchFunc(s.gaps, n, func(g gap, n uint32) int {
		if g.to <= n {
			return -1
		}
		return 1
	})
	if i == len(s.gaps) || s.gaps[i].from > n {
		return duplicate
	}
	g := &s.gaps[i]
	switch {
	case g.from+1 == g.to:
		s.gaps = slices.Delete(s.gaps, i, i+1)
	case n == g.from:
		g.from++
	case n+1 == g.to:
		g.to--
	default:
		s.gaps = slices.Insert(s.gaps, i+1, gap{n + 1, g.to})
		s.gaps[i].to = n
	}
	return late
}

// missing is how many of the first published messages did not come.
func (s *stream) missing(published uint32) (n uint64) {
	if published > s.next {
		n = uint64(published - s.next)
	}
	for _, g := range s.gaps {
		n += uint64(g.to - g.from)
	}
	return n + uint64(s.lost)
}

// seen is a set of numbers, for a shared subscription, whose members see parts.
type seen []uint64

// add tells whether n is new.
func (s *seen) add(n uint32) bool {
	for int(n/64) >= len(*s) {
		*s = append(*s, 0)
	}
	word, bit := &(*s)[n/64], uint64(1)<<(n%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}
