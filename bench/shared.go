package bench

import "math/bits"

// distinct counts, by publisher, the messages of a shared subscription that
// any worker's members have. It also moves what two workers have both to the
// duplicates.
func (p *pool) distinct() []uint32 {
	n := make([]uint32, p.plan.Publishers)
	twice := int64(0)
	for i := range n {
		var all seen
		for _, w := range p.workers {
			w.call(func() { twice += all.union(w.seen[i]) })
		}
		for _, word := range all {
			n[i] += uint32(bits.OnesCount64(word))
		}
	}
	w, more := p.workers[0], twice-p.twice
	w.call(func() {
		w.count.Duplicates += more
		w.count.Delivered -= more
	})
	p.twice = twice
	return n
}

// union adds another set and tells how much of it was there already.
func (s *seen) union(o seen) (both int64) {
	for len(*s) < len(o) {
		*s = append(*s, 0)
	}
	for i, word := range o {
		both += int64(bits.OnesCount64((*s)[i] & word))
		(*s)[i] |= word
	}
	return both
}
