package queue

import "math/bits"

// IDSet is the set of packet identifiers whose QoS 2 message was received and
// not yet released [MQTT-4.3.3-10]. A short list while it is small, a bitmap
// of 8 KiB above that. The zero value is an empty set.
type IDSet struct {
	list []uint16
	bits *[1024]uint64
	size int
}

const idListMax = 16

// Len is the number of identifiers.
func (s *IDSet) Len() int { return s.size }

// Has tells whether id is in the set.
func (s *IDSet) Has(id uint16) bool {
	if s.bits != nil {
		return s.bits[id>>6]&(1<<(id&63)) != 0
	}
	for _, x := range s.list {
		if x == id {
			return true
		}
	}
	return false
}

// Add puts id into the set and tells whether it was new.
func (s *IDSet) Add(id uint16) bool {
	if s.Has(id) {
		return false
	}
	s.size++
	if s.bits == nil && len(s.list) < idListMax {
		s.list = append(s.list, id)
		return true
	}
	if s.bits == nil {
		s.bits = new([1024]uint64)
		for _, x := range s.list {
			s.bits[x>>6] |= 1 << (x & 63)
		}
		s.list = nil
	}
	s.bits[id>>6] |= 1 << (id & 63)
	return true
}

// Remove takes id out of the set and tells whether it was in.
func (s *IDSet) Remove(id uint16) bool {
	if !s.Has(id) {
		return false
	}
	s.size--
	if s.bits != nil {
		s.bits[id>>6] &^= 1 << (id & 63)
		return true
	}
	for i, x := range s.list {
		if x == id {
			s.list[i] = s.list[len(s.list)-1]
			s.list = s.list[:len(s.list)-1]
			break
		}
	}
	return true
}

// Compact gives the bitmap back when the set is empty, as at a disconnect.
func (s *IDSet) Compact() {
	if s.size == 0 {
		*s = IDSet{}
	}
}

// All yields the identifiers, in no particular order.
func (s *IDSet) All(yield func(uint16) bool) {
	for _, x := range s.list {
		if !yield(x) {
			return
		}
	}
	if s.bits == nil {
		return
	}
	for i, w := range s.bits {
		for ; w != 0; w &= w - 1 {
			if !yield(uint16(i<<6 | bits.TrailingZeros64(w))) {
				return
			}
		}
	}
}
