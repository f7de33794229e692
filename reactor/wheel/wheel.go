// Package wheel is a hashed timer wheel for very many timers of whole seconds.
// A timer is known by a small dense number that its owner chooses and costs
// 12 bytes. A wheel belongs to one goroutine.
package wheel

const (
	buckets = 4096
	none    = ^uint32(0)
)

// timer is a node of its bucket's list. deadline is 0 while it is not armed.
type timer struct{ next, prev, deadline uint32 }

// Wheel holds timers by deadline.
type Wheel struct {
	now    uint32
	heads  [buckets]uint32
	timers []timer // by id
	cursor uint32  // next timer of the bucket that Advance walks
}

// New makes a wheel whose clock shows now.
func New(now uint32) *Wheel {
	w := &Wheel{now: now, cursor: none}
	for i := range w.heads {
		w.heads[i] = none
	}
	return w
}

// Set arms timer id for a second of the clock, or arms it anew. A deadline that
// is not in the future becomes the next second.
func (w *Wheel) Set(id, deadline uint32) {
	for int(id) >= len(w.timers) {
		w.timers = append(w.timers, timer{})
	}
	w.Cancel(id)
	deadline = max(deadline, w.now+1)
	b := deadline % buckets
	head := w.heads[b]
	w.timers[id] = timer{next: head, prev: none, deadline: deadline}
	if head != none {
		w.timers[head].prev = id
	}
	w.heads[b] = id
}

// Cancel disarms timer id; nothing happens when it is not armed.
func (w *Wheel) Cancel(id uint32) {
	if int(id) >= len(w.timers) || w.timers[id].deadline == 0 {
		return
	}
	t := &w.timers[id]
	if w.cursor == id {
		w.cursor = t.next
	}
	if t.next != none {
		w.timers[t.next].prev = t.prev
	}
	if t.prev != none {
		w.timers[t.prev].next = t.next
	} else {
		w.heads[t.deadline%buckets] = t.next
	}
	t.deadline = 0
}

// Deadline tells when timer id fires.
func (w *Wheel) Deadline(id uint32) (deadline uint32, armed bool) {
	if int(id) >= len(w.timers) || w.timers[id].deadline == 0 {
		return 0, false
	}
	return w.timers[id].deadline, true
}

// Advance moves the clock and calls expired for each timer that is due, once
// it is disarmed. expired may set and cancel any timer. If it panics, the timers
// that are left fire with the next call.
func (w *Wheel) Advance(now uint32, expired func(id uint32)) {
	walked := w.now
	defer func() { w.now = walked }()
	if now-w.now > buckets && now > w.now {
		// After a long pause one round visits every bucket.
		w.walkAll(now, expired)
		walked = now
		return
	}
	for w.now < now {
		w.now++
		w.walk(w.now%buckets, now, expired)
		walked = w.now
	}
}

func (w *Wheel) walkAll(now uint32, expired func(id uint32)) {
	w.now = now
	for b := range uint32(buckets) {
		w.walk(b, now, expired)
	}
}

// walk fires the timers of a bucket that are due. The cursor survives changes
// of the list that expired makes.
func (w *Wheel) walk(b, now uint32, expired func(id uint32)) {
	for id := w.heads[b]; id != none; id = w.cursor {
		w.cursor = w.timers[id].next
		if w.timers[id].deadline > now {
			continue
		}
		w.Cancel(id)
		expired(id)
	}
	w.cursor = none
}
