package queue

// FIFO is a ring of entries that grows when it is full and gives its memory
// back when it runs empty, if it was large. The zero value is an empty queue.
type FIFO struct {
	ring []Entry // length is zero or a power of two
	head uint32
	size uint32
}

const (
	fifoMin  = 8
	fifoKeep = 4096 // a ring of at most this many entries survives running empty
)

// Len is the number of entries.
func (f *FIFO) Len() int { return int(f.size) }

// Push adds e at the end.
func (f *FIFO) Push(e Entry) {
	if int(f.size) == len(f.ring) {
		f.grow()
	}
	f.ring[(f.head+f.size)&uint32(len(f.ring)-1)] = e
	f.size++
}

// PushFront adds e before the first entry.
func (f *FIFO) PushFront(e Entry) {
	if int(f.size) == len(f.ring) {
		f.grow()
	}
	f.head = (f.head - 1) & uint32(len(f.ring)-1)
	f.ring[f.head] = e
	f.size++
}

// Front is the first entry; the queue must not be empty. The pointer is valid
// until the queue changes.
func (f *FIFO) Front() *Entry { return &f.ring[f.head] }

// Pop removes the first entry; the queue must not be empty.
func (f *FIFO) Pop() Entry {
	e := f.ring[f.head]
	f.ring[f.head] = Entry{}
	f.head = (f.head + 1) & uint32(len(f.ring)-1)
	f.size--
	f.trim()
	return e
}

// All yields the entries from the first to the last. The queue must not change
// meanwhile.
func (f *FIFO) All(yield func(Entry) bool) {
	for i := range f.size {
		if !yield(f.ring[(f.head+i)&uint32(len(f.ring)-1)]) {
			return
		}
	}
}

// Clear releases every message and empties the queue. It returns how many
// entries there were.
func (f *FIFO) Clear() int {
	n := int(f.size)
	for f.size > 0 {
		f.Pop().Msg.Release()
	}
	f.ring = nil
	return n
}

func (f *FIFO) trim() {
	if f.size == 0 {
		f.head = 0
		if len(f.ring) > fifoKeep {
			f.ring = nil
		}
	}
}

func (f *FIFO) grow() {
	ring := make([]Entry, max(fifoMin, 2*len(f.ring)))
	n := copy(ring, f.ring[f.head:])
	copy(ring[n:], f.ring[:f.head])
	f.ring, f.head = ring, 0
}
