package bench

import (
	"errors"
	"fmt"
	"strconv"

	"vernemq/codec"
)

// state is how far a client has come.
type state byte

const (
	closed      state = iota
	dialling          // TCP
	securing          // TLS
	greeting          // CONNECT sent
	subscribing       // SUBSCRIBE sent
	ready
)

// client is one connection of the load.
type client struct {
	fd      int32 // -1: closed
	place   int32 // among the worker's clients
	number  int   // in its group, over all engines
	group   group
	state   state
	slow    bool // stops reading when told
	paused  bool // does not read now
	marked  bool // is in the worker's list of dirty clients
	writing bool // waits for the socket to take more
	due     int64
	begun   int64 // the handshake
	stage   int64 // the latest step of it: TLS, CONNECT
	spoke   int64 // when it last sent something
	out     []byte
	sent    int    // bytes of out that are written
	in      []byte // a packet that is not complete

	pending int // SUBACKs to come

	secure *secure // nil without TLS
	ticket *ticket // what resumes its TLS session; nil: nothing does

	// publishers
	id       uint16 // of the latest packet
	inflight int    // unacknowledged
	credit   int    // how many may be
	topic    []byte
	number0  uint32 // first message of this phase
	next     uint32 // number of the next message
	owed     uint32 // messages due in this phase

	streams []stream // subscribers: by publisher, see streamOf
}

var (
	errSlowHandshake = errors.New("no answer to the handshake in time")
	errBrokerClosed  = errors.New("the broker closed the connection")
)

// enrol makes the worker's clients: those of its engine's share, and of these
// every so many-th.
func (w *worker) enrol() {
	p := w.plan
	total := [groups]int{subscribers: p.Subscribers, publishers: p.Publishers, idle: p.Clients}
	if p.Kind == TakeOver {
		total[again] = p.Clients
	}
	n := 0
	for _, t := range total {
		n += t/(p.Of*len(w.under)) + 1
	}
	w.clients = make([]client, 0, n)
	for g, t := range total {
		from := len(w.clients)
		for i := p.Share + w.index*p.Of; i < t; i += p.Of * len(w.under) {
			c := client{fd: -1, place: int32(len(w.clients)), number: i, group: group(g)}
			w.equip(&c, len(w.clients)-from)
			w.clients = append(w.clients, c)
		}
		for i := from; i < len(w.clients); i++ {
			w.members[g] = append(w.members[g], &w.clients[i])
		}
	}
	if p.Shape == Shared {
		w.seen = make([]seen, p.Publishers)
	}
}

// equip gives a client, the i-th of its group here, what its group needs.
func (w *worker) equip(c *client, i int) {
	if t := w.plan.TLS; t != nil && t.Resume {
		c.ticket = new(ticket)
	}
	switch c.group {
	case again:
		c.ticket = w.members[idle][i].ticket
	case publishers:
		c.topic = append(c.topic, w.plan.topic(c.number)...)
	case subscribers:
		c.slow = c.number >= w.plan.Subscribers-w.plan.Slow
		c.streams = make([]stream, w.plan.streams(c.number))
	}
}

// topic is the topic of a publisher; a publisher of retained messages adds the
// number of the message.
func (p *plan) topic(publisher int) string { return fmt.Sprintf("vmq-bench/%s/%d", p.Run, publisher) }

// clientID names a client. Those of the group again have the ids of the idle
// ones.
func (p *plan) clientID(g group, number int) string {
	name := [groups]string{"sub", "pub", "idle", "idle"}[g]
	return "vb-" + p.Run + "-" + name + "-" + strconv.Itoa(number)
}

// filtersAtOnce bounds a SUBSCRIBE.
const filtersAtOnce = 100

// filters are the subscriptions of a subscriber.
func (p *plan) filters(subscriber int) (fs []codec.Filter) {
	add := func(s string) { fs = append(fs, codec.Filter{Filter: []byte(s), QoS: p.QoS}) }
	switch {
	case p.Shape == Shared:
		add("$share/benchmark/vmq-bench/" + p.Run + "/#")
	case p.Shape == Pairs:
		add(p.topic(subscriber))
	case p.Shape == FanOut || p.Subscribers == 1:
		add("vmq-bench/" + p.Run + "/#")
	default:
		for i := subscriber; i < p.Publishers; i += p.Subscribers {
			add(p.topic(i))
		}
	}
	return fs
}

// orderedShare bounds the streams of a shared subscription, of which there is
// one per member and publisher; with more the order is not followed.
const orderedShare = 4 << 20

// streams is the number of publishers that a subscriber may hear.
func (p *plan) streams(subscriber int) int {
	switch p.Shape {
	case Pairs:
		return 1
	case FanIn:
		return (p.Publishers - subscriber + p.Subscribers - 1) / p.Subscribers
	case Shared:
		if p.Publishers*p.Subscribers > orderedShare {
			return 0
		}
	}
	return p.Publishers
}

// streamOf is the place of a publisher among a subscriber's streams; ok is
// false when the subscriber should not hear it.
func (p *plan) streamOf(subscriber, publisher int) (i int, ok bool) {
	if publisher >= p.Publishers {
		return 0, false
	}
	switch p.Shape {
	case Pairs:
		return 0, publisher == subscriber
	case FanIn:
		return publisher / p.Subscribers, publisher%p.Subscribers == subscriber
	}
	return publisher, true
}
