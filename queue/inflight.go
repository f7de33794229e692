package queue

// State says what an in-flight message waits for.
type State byte

// The states of a message in flight [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.3.3-5].
const (
	Done         State = iota // acknowledged, or an identifier that was skipped
	AwaitPuback               // QoS 1 sent
	AwaitPubrec               // QoS 2 sent
	AwaitPubcomp              // PUBREL sent; the message itself is no longer held
)

// Flight is a message that was sent and is not acknowledged to the end.
type Flight struct {
	Entry
	ID    uint16
	State State
	Sent  uint32 // loop clock of the latest transmission
	Again bool   // to be sent again after a reconnect
	Free  bool   // takes no place in the window: a PUBREL that was sent again
}

// Inflight is the window of messages that were sent with QoS 1 or 2 and not
// yet acknowledged. Identifiers are handed out in sequence, so the window is a
// ring in which an identifier finds its place by subtraction. An
// acknowledgement out of turn leaves a hole that goes when it reaches the
// front. A client that leaves one message unacknowledged while many others
// pass would stretch the ring: its oldest entries then move to a list of
// strays. The zero value is an empty window.
type Inflight struct {
	strays *strays  // older than all in ring; nil when there are none
	ring   []Flight // length is zero or a power of two
	head   uint32
	span   uint32 // ring entries in use, holes included
	count  uint32 // unacknowledged, strays included
	lastID uint16 // last identifier handed out
}

const (
	inflightMin  = 8
	inflightSpan = 4096  // longest ring while fewer than half of it are unacknowledged
	idSpan       = 65534 // a ring this long leaves out one identifier: the next
)

// Len is the number of messages that wait for an acknowledgement.
func (f *Inflight) Len() int { return int(f.count) }

// LastID is the identifier handed out last, 0 at first. It continues over
// reconnects of a persistent session.
func (f *Inflight) LastID() uint16 { return f.lastID }

// Continue makes the identifier after last the next one of an empty window.
func (f *Inflight) Continue(last uint16) { f.lastID = last }

// Add puts a message that is being sent into the window and returns its
// packet identifier: not zero and not in use [MQTT-2.2.1-4]. The window must
// hold fewer than 65,535 messages.
func (f *Inflight) Add(e Entry, s State, now uint32) uint16 {
	id := nextID(f.lastID)
	for f.strays.find(id) >= 0 {
		f.push(Flight{ID: id}) // keeps the ring contiguous
		id = nextID(id)
	}
	f.push(Flight{Entry: e, ID: id, State: s, Sent: now})
	f.lastID = id
	f.count++
	return id
}

func nextID(id uint16) uint16 {
	if id++; id == 0 {
		return 1
	}
	return id
}

func (f *Inflight) push(x Flight) {
	full := int(f.span) == len(f.ring)
	if f.span == idSpan || full && len(f.ring) >= inflightSpan && f.count < uint32(len(f.ring))/2 {
		f.evict() // may leave no ring at all
	}
	if int(f.span) == len(f.ring) {
		f.grow()
	}
	f.ring[(f.head+f.span)&uint32(len(f.ring)-1)] = x
	f.span++
}

// evict makes room by moving the unacknowledged front to the strays. The front
// may be a hole too: an identifier that Add skipped when the ring was empty.
func (f *Inflight) evict() {
	if x := f.ring[f.head]; x.State != Done {
		if f.strays == nil {
			f.strays = new(strays)
		}
		f.strays.add(x)
		f.drop()
	}
	f.advance()
}

func (f *Inflight) drop() {
	f.ring[f.head] = Flight{}
	f.head = (f.head + 1) & uint32(len(f.ring)-1)
	f.span--
}

// advance removes the holes at the front.
func (f *Inflight) advance() {
	for f.span > 0 && f.ring[f.head].State == Done {
		f.drop()
	}
	if f.span == 0 && len(f.ring) > fifoKeep {
		f.ring, f.head = nil, 0
	}
}

func (f *Inflight) grow() {
	ring := make([]Flight, max(inflightMin, 2*len(f.ring)))
	n := copy(ring, f.ring[f.head:])
	copy(ring[n:], f.ring[:f.head])
	f.ring, f.head = ring, 0
}

// Find gives the message with an identifier, nil when there is none. The
// pointer is valid until the window changes.
func (f *Inflight) Find(id uint16) *Flight {
	if f.span > 0 {
		first := f.ring[f.head].ID
		d := uint32(id) - uint32(first)
		if id < first {
			d = 65535 - uint32(first) + uint32(id)
		}
		if id != 0 && d < f.span {
			if x := &f.ring[(f.head+d)&uint32(len(f.ring)-1)]; x.State != Done && x.ID == id {
				return x
			}
		}
	}
	if i := f.strays.find(id); i >= 0 {
		return &f.strays.list[i]
	}
	return nil
}

// Remove takes the message with an identifier out of the window. The caller
// takes over its Msg (nil in AwaitPubcomp).
func (f *Inflight) Remove(id uint16) (Flight, bool) {
	x := f.Find(id)
	if x == nil {
		return Flight{}, false
	}
	out := *x
	f.count--
	if i := f.strays.find(id); i >= 0 && &f.strays.list[i] == x {
		if f.strays.remove(i); f.strays.live == 0 {
			f.strays = nil
		}
		return out, true
	}
	*x = Flight{ID: id}
	f.advance()
	return out, true
}

// All yields the messages in the order in which they were first sent. They
// may be changed through the pointer; the window itself may not.
func (f *Inflight) All(yield func(*Flight) bool) {
	if f.strays != nil {
		for x := range f.strays.all {
			if !yield(x) {
				return
			}
		}
	}
	for i := uint32(0); i < f.span; i++ {
		x := &f.ring[(f.head+i)&uint32(len(f.ring)-1)]
		if x.State != Done && !yield(x) {
			return
		}
	}
}

// Clear releases every message and empties the window; identifiers go on from
// where they were. It returns how many messages there were.
func (f *Inflight) Clear() int {
	n := int(f.count)
	for x := range f.All {
		if x.Msg != nil {
			x.Msg.Release()
		}
	}
	*f = Inflight{lastID: f.lastID}
	return n
}

// Restore puts a message into the window that was sent before a restart. They
// come in the order in which they were sent, before any other.
func (f *Inflight) Restore(x Flight) {
	if f.strays == nil {
		f.strays = new(strays)
	}
	f.strays.add(x)
	f.count++
}

// Stored gives the sequences between two of those entries in flight that are in
// the store, nil when there are none.
func (f *Inflight) Stored(first, last uint64) map[uint64]bool {
	var found map[uint64]bool
	for x := range f.All {
		if n := x.Ref.Seq; n != 0 && n >= first && n <= last {
			if found == nil {
				found = map[uint64]bool{}
			}
			found[n] = true
		}
	}
	return found
}
