package server

import (
	"slices"
	"sync/atomic"

	"vernemq/queue"
	"vernemq/server/metrics"
	"vernemq/trie"
)

// group is a shared subscription: a filter and a group name
// [MQTT-4.8.2-2]. Each loop keeps its own members. A publisher sees only how
// many there are on each loop, chooses a loop in proportion, and that loop
// chooses the member. Online members come before absent ones.
type group struct {
	name   string
	node   *trie.Node[route]
	share  uint32       // its number in Broker.shares
	refs   int          // members, under Broker.wideMu
	stored atomic.Int32 // members whose sessions are in the store
	loops  []groupMembers
}

// groupMembers are the members of a group on one loop. The counts are read by
// every loop and written by one.
type groupMembers struct {
	counts  atomic.Uint64 // online members << 32 | absent ones: always of one moment
	on, off []*subscription
	next    int // where the search in on or off goes on
	_       [32]byte
}

// group finds a group of the route by its name.
func (r *route) group(name string) *group {
	if w := r.wide.Load(); w != nil {
		for _, g := range w.groups {
			if g.name == name {
				return g
			}
		}
	}
	return nil
}

// groupsPerFilter is the number of groups that one filter may have. They are
// searched from end to end, by every message too.
const groupsPerFilter = 1024

// joinGroup makes x a member of the named group of its filter. It returns
// false when the filter has as many groups as it may.
func (l *loop) joinGroup(x *subscription, name string) bool {
	b, r := l.broker, &x.node.Value
	b.wideMu.Lock()
	g := r.group(name)
	if g == nil {
		if w := r.wide.Load(); w != nil && len(w.groups) >= groupsPerFilter {
			b.wideMu.Unlock()
			return false
		}
		g = b.newGroup(x.node, name)
		b.widenLocked(r, func(w *wide) { w.groups = append(w.groups, g) })
	}
	g.refs++
	b.wideMu.Unlock()
	x.group, x.options.Share = g, g.share
	if x.options.Stored {
		g.stored.Add(1)
	}
	g.loops[l.index].add(x)
	return true
}

// newGroup makes a group and gives it a number that no other has. Under
// Broker.wideMu.
func (b *Broker) newGroup(node *trie.Node[route], name string) *group {
	for b.lastShare++; b.lastShare == 0 || b.shares[b.lastShare] != nil; b.lastShare++ {
	}
	g := &group{name: name, node: node, share: b.lastShare, loops: make([]groupMembers, len(b.loops))}
	b.shares[g.share] = g
	return g
}

func (l *loop) leaveGroup(x *subscription) {
	b, g := l.broker, x.group
	g.loops[l.index].remove(x)
	if x.options.Stored {
		g.stored.Add(-1)
	}
	b.wideMu.Lock()
	defer b.wideMu.Unlock()
	if g.refs--; g.refs == 0 {
		delete(b.shares, g.share)
		b.widenLocked(&x.node.Value, func(w *wide) {
			w.groups = slices.DeleteFunc(w.groups, func(o *group) bool { return o == g })
		})
	}
}

func (m *groupMembers) add(x *subscription) {
	m.insert(x)
	m.publish()
}

func (m *groupMembers) insert(x *subscription) {
	if x.client.session.Online() {
		x.pos = uint32(len(m.on))
		m.on = append(m.on, x)
	} else {
		x.pos = uint32(len(m.off))
		m.off = append(m.off, x)
	}
}

// remove takes x out of the list in which it is: that of the online members or
// that of the absent ones.
func (m *groupMembers) remove(x *subscription) {
	m.cut(x)
	m.publish()
}

func (m *groupMembers) cut(x *subscription) {
	list := &m.off
	if int(x.pos) < len(m.on) && m.on[x.pos] == x {
		list = &m.on
	}
	s := *list
	last := s[len(s)-1]
	s[x.pos], last.pos = last, x.pos
	s[len(s)-1] = nil
	*list = s[:len(s)-1]
}

// moved puts x into the other list after its client came or went. Other loops
// see the group before or after, never without x.
func (m *groupMembers) moved(x *subscription) {
	m.cut(x)
	m.insert(x)
	m.publish()
}

func (m *groupMembers) publish() { m.counts.Store(uint64(len(m.on))<<32 | uint64(len(m.off))) }

// size is the number of online members, or of absent ones.
func (m *groupMembers) size(online bool) uint64 {
	n := m.counts.Load()
	if online {
		return n >> 32
	}
	return n & (1<<32 - 1)
}

// maxHops bounds how often a message looks for a member on yet another loop
// because the members of the chosen one have just left.
const maxHops = 8

// publishShared gives p to one member of the group.
func (l *loop) publishShared(g *group, p *queue.Publication, hops uint8) {
	t := l.choose(g)
	switch {
	case t < 0, hops > maxHops:
		return // the last member has just left
	case t == l.index:
		l.deliverShared(g, p)
	default:
		d := delivery{msg: p.Message().Hold(), group: g, hops: hops + 1}
		if p.QoS > 0 && g.stored.Load() > 0 {
			d.ref = l.records().HandOver(l.handover(t, g.node, g.filter(), p))
		}
		l.handOver(t, d)
	}
}

// filter is the whole filter of the group.
func (g *group) filter() string { return "$share/" + g.name + "/" + g.node.Filter() }

// redeliver gives a message that a member has left behind to another one. When
// the broker stops nobody is left to get it.
func (l *loop) redeliver(share uint32, m *queue.Message) {
	if l.ending {
		return
	}
	l.broker.wideMu.Lock()
	g := l.broker.shares[share]
	l.broker.wideMu.Unlock()
	if g == nil {
		return
	}
	p := &l.behind
	p.View(m)
	l.publishShared(g, p, 0)
	p.Reset()
}

// choose picks a loop in proportion to its online members, or to its absent
// ones when nobody is online; -1 when there is no member.
func (l *loop) choose(g *group) int {
	for {
		online, away := uint64(0), uint64(0)
		for i := range g.loops {
			n := g.loops[i].counts.Load()
			online += n >> 32
			away += n & (1<<32 - 1)
		}
		total := online
		if online == 0 {
			total = away
		}
		if total == 0 {
			return -1
		}
		if i := g.pick(l.random.Uint64N(total), online > 0); i >= 0 {
			return i
		} // else all who were counted have come or gone meanwhile: count again
	}
}

// pick gives the loop of the k-th member, or any loop with a member if there
// are fewer by now; -1 if there is none.
func (g *group) pick(k uint64, online bool) int {
	last := -1
	for i := range g.loops {
		n := g.loops[i].size(online)
		if n > 0 {
			last = i
		}
		if k < n {
			return i
		}
		k -= n
	}
	return last
}

// deliverShared gives p to the next member on this loop: an online one, if there
// is any, and of a few of those one that keeps up. It tells whether there was a
// member.
func (l *loop) deliverShared(g *group, p *queue.Publication) bool {
	m := &g.loops[l.index]
	list := m.on
	if len(list) == 0 {
		list = m.off
	}
	if len(list) == 0 {
		return false
	}
	m.next++
	x := list[m.next%len(list)]
	for i := 1; i < len(list) && i < 8 && x.client.session.Busy(); i++ {
		m.next++
		x = list[m.next%len(list)]
	}
	if p.Many, p.Shared = false, ""; x.options.Stored {
		p.Shared = g.filter()
	}
	x.client.deliver(p, &x.options)
	l.metrics.Inc(metrics.RouterMatchesLocal)
	return true
}
