package bench

import (
	"math"
	"strconv"
	"time"

	"vernemq/codec"
)

// pacer says when messages are due. In an open loop message j of publisher p
// is due at start + (j·publishers + p)·period whatever happened before; a
// message that cannot be sent then is owed, and its latency counts from when it
// was due. In a closed loop a message is due when there is room in the window.
type pacer struct {
	on     bool
	clear  bool // empty retained messages
	qos    byte
	start  int64
	end    int64
	from   int64   // messages that were due before are not measured
	period float64 // between messages over all publishers; 0: closed loop
	each   uint32  // messages of a publisher at most; 0: no limit
	turn   int     // the publisher whose turn it is
	round  int     // message of each publisher
	first  byte    // of the PUBLISH packets
	topic  []byte
}

// congested is the output from which a publisher waits for its socket.
const congested = 64 << 10

// publishGroup begins a phase.
func (w *worker) publishGroup(c command) {
	qos := w.plan.QoS
	if c.Clean { // acknowledged, so that the connections do not end before all is cleared
		qos = max(qos, 1)
	}
	w.pace = pacer{on: true, clear: c.Clean, qos: qos, start: c.Start, end: c.End, from: c.From, each: c.Each, topic: w.pace.topic,
		first: codec.PublishFirst(qos, false, w.plan.Kind == Retained)}
	if c.Rate > 0 {
		w.pace.period = 1e9 / c.Rate
	}
	for _, p := range w.members[publishers] {
		if w.pace.clear {
			p.next = 0
		}
		p.number0, p.owed = p.next, 0
	}
}

// stopPublishing ends the phase and forgets what is owed.
func (w *worker) stopPublishing() (unsent uint64) {
	for _, p := range w.members[publishers] {
		unsent += uint64(p.owed - (p.next - p.number0))
		p.owed = p.next - p.number0
	}
	w.count.Due -= int64(unsent)
	w.pace.on = false
	return unsent
}

// dueOf is when message j of a publisher is due.
func (pc *pacer) dueOf(c *client, j, all int) int64 {
	return pc.start + int64(float64(j*all+c.number)*pc.period)
}

// pollWindow is how long a worker waits for deliveries that other workers get.
const pollWindow = int64(50 * time.Microsecond)

// publishDue is when the next message is due.
func (w *worker) publishDue(at int64) int64 {
	pc, ps := &w.pace, w.members[publishers]
	switch {
	case !pc.on || len(ps) == 0:
		return math.MaxInt64
	case pc.period == 0 && w.closedReady():
		return at
	case pc.period == 0 && len(w.under) > 1:
		return at + pollWindow
	case pc.period == 0 || pc.each > 0 && pc.round >= int(pc.each):
		return math.MaxInt64
	}
	due := pc.dueOf(ps[pc.turn], pc.round, w.plan.Publishers)
	if due >= pc.end {
		return math.MaxInt64
	}
	return due
}

func (w *worker) publishTurn(at int64) {
	if !w.pace.on {
		return
	}
	if w.pace.period == 0 {
		w.closedTurn(at)
		return
	}
	ps := w.members[publishers]
	for due := w.publishDue(at); due <= at; due = w.publishDue(at) {
		c := ps[w.pace.turn]
		w.lag.Record(at - due)
		c.owed++
		w.count.Due++
		w.catchUp(c)
		if w.pace.turn++; w.pace.turn == len(ps) {
			w.pace.turn = 0
			w.pace.round++
		}
	}
}

// catchUp sends what a publisher owes, as far as it may.
func (w *worker) catchUp(c *client) {
	for w.pace.period > 0 && c.next-c.number0 < c.owed && w.maySend(c) {
		w.send(c, w.pace.dueOf(c, int(c.next-c.number0), w.plan.Publishers))
	}
}

func (w *worker) maySend(c *client) bool {
	return c.state == ready && len(c.out)-c.sent < congested && (w.pace.qos == 0 || c.inflight < c.credit)
}

// room is how many messages the window has room for.
func (w *worker) room() int {
	sent, delivered := w.count.Sent, w.count.Delivered
	for i := range w.under {
		if i != w.index {
			sent += w.under[i].sent.Load()
			delivered += w.under[i].delivered.Load()
		}
	}
	fan := int64(w.plan.fan())
	return int((int64(w.plan.Window) - sent*fan + delivered + fan - 1) / fan)
}

// refill is the part of the window that must be free before it is filled
// again. Filled message by message, every write would carry one message.
const refill = 4

// closedReady tells whether a publisher may send at once.
func (w *worker) closedReady() bool {
	if w.pace.each == 0 && w.room()*refill < w.plan.Window/int(w.plan.fan()) {
		return false
	}
	for _, c := range w.members[publishers] {
		if w.maySend(c) && !w.pace.spent(c) {
			return true
		}
	}
	return false
}

// spent tells that a publisher has sent all that it is to send.
func (pc *pacer) spent(c *client) bool { return pc.each > 0 && c.next-c.number0 >= pc.each }

// closedTurn lets each publisher in turn send a batch while there is room.
func (w *worker) closedTurn(at int64) {
	if !w.closedReady() {
		return
	}
	ps := w.members[publishers]
	room := math.MaxInt
	if w.pace.each == 0 { // a burst has no window but the publishers' own
		room = w.room()
	}
	for range ps {
		if room <= 0 {
			return
		}
		c := ps[w.pace.turn]
		w.pace.turn = (w.pace.turn + 1) % len(ps)
		for n := 0; n < w.plan.Batch && w.maySend(c) && !w.pace.spent(c); n++ {
			c.owed++
			w.count.Due++
			w.send(c, at)
			room--
		}
	}
}

// unmeasured stands for the due time of a message of the warm-up. The publisher
// says so, since the subscriber's worker may not know yet when that ends.
const unmeasured = 0

// send puts a message into a publisher's output.
func (w *worker) send(c *client, due int64) {
	topic := c.topic
	if w.plan.Kind == Retained {
		w.pace.topic = append(append(w.pace.topic[:0], c.topic...), '/')
		w.pace.topic = strconv.AppendUint(w.pace.topic, uint64(c.next), 10)
		topic = w.pace.topic
	}
	if w.pace.qos > 0 {
		c.inflight++
		if c.id++; c.id == 0 {
			c.id = 1
		}
	}
	payload := w.pattern
	if w.pace.clear {
		payload = nil
	} else {
		if due < w.pace.from {
			due = unmeasured
		}
		stamp{due, uint32(c.number), c.next}.put(payload)
	}
	c.out = append(codec.AppendPublishHead(c.out, w.version, w.pace.first, topic, c.id, nil, len(payload)), payload...)
	c.next++
	w.count.Sent++
	w.mark(c)
}
