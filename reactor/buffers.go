package reactor

import "github.com/valyala/bytebufferpool"

// buffers are the large output buffers of a loop that are free, by size. Small
// ones come from bytebufferpool, which forgets the large ones of a few busy
// connections because most are small.
//
// A buffer that becomes too small gives its bytes to a larger one. The old
// bytes stay as they are until the turn ends: they may be the pattern of
// packets that other connections are sent (queue.Publication).
type buffers struct {
	free    [bufferClasses][][]byte
	lowest  [bufferClasses]int // fewest free ones since the last trim
	retired [][]byte           // replaced in this turn
}

const (
	bufferClasses = 5        // 4 KiB, 16 KiB, 64 KiB, 256 KiB, 1 MiB
	smallest      = 4 << 10  // bytes
	keptBytes     = 16 << 20 // of free buffers of a size, until the next trim
)

// classOf is the largest size class that a buffer fills, -1 for one that is
// not kept.
func classOf(n int) int {
	class := -1
	for size := smallest; size <= n; size *= 4 {
		class++
	}
	if class >= bufferClasses {
		return -1
	}
	return class
}

// grow gives b more room: four times as much, at least 4 KiB.
func (s *buffers) grow(b *bytebufferpool.ByteBuffer) {
	class, size := 0, smallest
	for size <= cap(b.B) && class < bufferClasses {
		class, size = class+1, size*4
	}
	if class == bufferClasses {
		return // append grows it
	}
	old := b.B
	b.B = append(s.get(class, size), old...)
	s.retired = append(s.retired, old)
}

func (s *buffers) get(class, size int) []byte {
	f := s.free[class]
	if len(f) == 0 {
		return make([]byte, 0, size)
	}
	b := f[len(f)-1]
	f[len(f)-1] = nil
	s.free[class] = f[:len(f)-1]
	s.lowest[class] = min(s.lowest[class], len(f)-1)
	return b
}

// put takes back the buffer of a connection that has sent everything.
func (s *buffers) put(b *bytebufferpool.ByteBuffer) {
	if s.keep(b.B) {
		b.B = nil
	}
	if cap(b.B) < smallest {
		bytebufferpool.Put(b)
	}
}

// keep takes a large buffer and tells whether it did.
func (s *buffers) keep(b []byte) bool {
	class := classOf(cap(b))
	if class < 0 || len(s.free[class])*cap(b) >= keptBytes {
		return false
	}
	s.free[class] = append(s.free[class], b[:0])
	return true
}

// endTurn frees the buffers that were replaced.
func (s *buffers) endTurn() {
	for i, b := range s.retired {
		s.keep(b)
		s.retired[i] = nil
	}
	s.retired = s.retired[:0]
}

// trim gives back what nobody has needed since the last time.
func (s *buffers) trim() {
	for class := range s.free {
		f := s.free[class]
		n := len(f) - min(s.lowest[class], len(f))
		clear(f[n:])
		s.free[class], s.lowest[class] = f[:n], n
	}
}
