package server

import (
	"math/bits"
	"slices"
	"sync/atomic"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/server/metrics"
	"vernemq/server/session"
	"vernemq/trie"
)

// maxLoops is the number of loops that a route's mask can name.
const maxLoops = 64

// subscription binds a client to a topic filter. It belongs to the client's
// loop.
type subscription struct {
	client  *client
	node    *trie.Node[route]
	group   *group // of a shared subscription, else nil
	pos     uint32 // place in the list that holds it
	options session.Options
}

// route is what the index keeps for a topic filter. Which loops have
// subscribers is read by every loop; the subscribers themselves are kept
// apart for each loop and only touched by it. Nearly all filters have
// subscribers on one loop only, and one subscriber, so that case is inline.
type route struct {
	mask   atomic.Uint64 // loops that have plain subscribers
	owner  atomic.Int32  // loop+1 that uses set; the first loop to come takes it
	stored atomic.Int32  // plain subscribers, of all loops, whose sessions are in the store
	set    subscribers   // of the owner
	wide   atomic.Pointer[wide]
}

// wide is the rest of a route. It is replaced as a whole, under
// Broker.wideMu.
type wide struct {
	sets   []*subscribers // by loop; nil for the owner and for loops without subscribers
	groups []*group
}

// subscribers is a set with constant-time insertion and removal.
type subscribers struct {
	first *subscription
	rest  *[]*subscription
}

func (s *subscribers) all(yield func(*subscription) bool) {
	if s.first == nil || !yield(s.first) || s.rest == nil {
		return
	}
	for _, x := range *s.rest {
		if !yield(x) {
			return
		}
	}
}

func (s *subscribers) add(x *subscription) {
	if s.first == nil {
		s.first, x.pos = x, 0
		return
	}
	if s.rest == nil {
		s.rest = new([]*subscription)
	}
	*s.rest = append(*s.rest, x)
	x.pos = uint32(len(*s.rest))
}

// remove takes x out and tells whether the set is empty now.
func (s *subscribers) remove(x *subscription) bool {
	if s.rest == nil {
		s.first = nil
		return true
	}
	r := *s.rest
	last := r[len(r)-1]
	r[len(r)-1] = nil
	if x.pos == 0 {
		s.first, last.pos = last, 0
	} else if x != last {
		r[x.pos-1], last.pos = last, x.pos
	}
	*s.rest = r[:len(r)-1]
	if len(r) == 1 {
		s.rest = nil
	}
	return false
}

// subscribersOf gives the set of a loop; nil when the loop never had one here.
// Only that loop may call it.
func (r *route) subscribersOf(loop int) *subscribers {
	if int(r.owner.Load()) == loop+1 {
		return &r.set
	}
	if w := r.wide.Load(); w != nil && loop < len(w.sets) {
		return w.sets[loop]
	}
	return nil
}

// claim gives the set of a loop and makes it if needed.
func (b *Broker) claim(r *route, loop int) *subscribers {
	if s := r.subscribersOf(loop); s != nil {
		return s
	}
	if r.owner.CompareAndSwap(0, int32(loop)+1) {
		return &r.set
	}
	s := new(subscribers)
	b.widen(r, func(w *wide) {
		w.sets = slices.Grow(w.sets, len(b.loops))[:len(b.loops)]
		w.sets[loop] = s
	})
	return s
}

// widen replaces a route's wide part by a changed copy.
func (b *Broker) widen(r *route, change func(*wide)) {
	b.wideMu.Lock()
	defer b.wideMu.Unlock()
	b.widenLocked(r, change)
}

func (b *Broker) widenLocked(r *route, change func(*wide)) {
	w := new(wide)
	if old := r.wide.Load(); old != nil {
		w.sets, w.groups = slices.Clone(old.sets), slices.Clone(old.groups)
	}
	change(w)
	r.wide.Store(w)
}

// addPlain makes x, a subscription of this loop's client, a receiver.
func (l *loop) addPlain(x *subscription) {
	r := &x.node.Value
	l.broker.claim(r, l.index).add(x)
	if x.options.Stored {
		r.stored.Add(1)
	}
	r.mask.Or(1 << l.index)
}

func (l *loop) removePlain(x *subscription) {
	r := &x.node.Value
	if r.subscribersOf(l.index).remove(x) {
		r.mask.And(^(uint64(1) << l.index))
	}
	if x.options.Stored {
		r.stored.Add(-1)
	}
}

// delivery is a message on its way to the subscribers of another loop. It
// owns one hold on the message.
type delivery struct {
	msg   *queue.Message
	route *route
	group *group    // instead of route: a member of this loop is to be chosen
	ref   queue.Ref // in the store, until the other loop has taken it over
	hops  uint8
}

// publish routes p within a mountpoint: once through the index, straight to
// the subscribers of this loop, and with one item per filter to each other
// loop that has any.
func (l *loop) publish(mountpoint string, p *queue.Publication) {
	if p.Retain {
		l.retain(mountpoint, p)
	}
	p.Stamp = l.metrics.Stamp()
	for _, n := range l.routes.Match(mountpoint, p.Topic) {
		r := &n.Value
		mask := r.mask.Load()
		if mask&(1<<l.index) != 0 {
			l.deliver(r, p)
		}
		for m := mask &^ (1 << l.index); m != 0; m &= m - 1 {
			t := bits.TrailingZeros64(m)
			d := delivery{msg: p.Message().Hold(), route: r}
			if p.QoS > 0 && r.stored.Load() > 0 {
				d.ref = l.records().HandOver(l.handover(t, n, "", p))
			}
			l.handOver(t, d)
		}
		if w := r.wide.Load(); w != nil {
			for _, g := range w.groups {
				l.publishShared(g, p, 0)
			}
		}
	}
}

// handover is the record of a message on its way to loop t, for the subscribers
// of a filter or for a group. It is needed where they are in the store: the
// publisher's acknowledgement waits for this loop's records only.
func (l *loop) handover(t int, n *trie.Node[route], shared string, p *queue.Publication) store.Handover {
	if shared == "" {
		shared = n.Filter()
	}
	return store.Handover{Loop: uint16(t), Loops: uint16(len(l.broker.loops)), Mountpoint: n.Mountpoint(), Filter: shared, Msg: p.Message()}
}

// deliver gives p to this loop's subscribers of a route.
func (l *loop) deliver(r *route, p *queue.Publication) {
	s := r.subscribersOf(l.index)
	if s == nil || s.first == nil {
		return
	}
	n := 1
	p.Many, p.Shared = s.rest != nil, ""
	s.first.client.deliver(p, &s.first.options)
	if s.rest != nil {
		n += len(*s.rest)
		for _, x := range *s.rest {
			x.client.deliver(p, &x.options)
		}
	}
	l.metrics.Add(metrics.RouterMatchesLocal, n)
}

// subscribe makes or replaces a subscription of c.
func (l *loop) subscribe(c *client, f *codec.Filter, id uint32) (isNew bool, code codec.ReasonCode) {
	if c.session.Stored() && !l.broker.safe() {
		return false, codec.QuotaExceeded
	}
	if isNew, code = l.addSubscription(c, f, id); code < 0x80 && c.session.Stored() {
		l.putSubscription(c, f, id)
	}
	return isNew, code
}

func (l *loop) putSubscription(c *client, f *codec.Filter, id uint32) {
	l.records().PutSubscription(c.name(), &store.Subscription{
		Filter: string(f.Filter), QoS: f.QoS, NoLocal: f.NoLocal, RetainAsPublished: f.RetainAsPublished, ID: id,
	})
}

// storeSubscriptions writes the subscriptions of a client whose session is in the
// store only now.
func (l *loop) storeSubscriptions(c *client) {
	for x := range c.subs.all {
		x.options.Stored = true
		if x.group != nil {
			x.group.stored.Add(1)
		} else {
			x.node.Value.stored.Add(1)
		}
		f := x.filter()
		l.putSubscription(c, &f, x.options.ID)
	}
}

func (l *loop) addSubscription(c *client, f *codec.Filter, id uint32) (isNew bool, code codec.ReasonCode) {
	name, filter, shared := codec.SplitShared(f.Filter)
	o := session.Options{ID: id, QoS: f.QoS, NoLocal: f.NoLocal, RetainAsPublished: f.RetainAsPublished, Stored: c.session.Stored()}
	node := l.broker.index.Acquire(c.session.Mountpoint, string(filter))
	if x := c.subs.find(node, string(name), shared); x != nil {
		l.broker.index.Release(node) // x holds it already
		o.Share, o.Stored = x.options.Share, x.options.Stored
		x.options = o
		return false, codec.ReasonCode(f.QoS)
	}
	if limit := c.session.Limits().MaxSubscriptions; limit > 0 && c.subs.len() >= limit {
		l.broker.index.Release(node)
		l.metrics.Inc(metrics.LimitSubscriptions)
		return false, codec.QuotaExceeded
	}
	x := &subscription{client: c, node: node, options: o}
	if !shared {
		l.addPlain(x)
	} else if !l.joinGroup(x, string(name)) {
		l.broker.index.Release(node)
		l.metrics.Inc(metrics.LimitGroups)
		return false, codec.QuotaExceeded
	}
	c.subs.add(x)
	l.metrics.Add(metrics.Subscriptions, 1)
	return true, codec.ReasonCode(f.QoS)
}

// unsubscribe ends the subscription of c with a filter and tells whether there
// was one.
func (l *loop) unsubscribe(c *client, f []byte) bool {
	name, filter, shared := codec.SplitShared(f)
	node := l.broker.index.Find(c.session.Mountpoint, string(filter))
	if node == nil {
		return false
	}
	x := c.subs.find(node, string(name), shared)
	if x == nil {
		return false
	}
	c.subs.remove(x)
	l.endSubscription(x)
	if x.options.Stored || c.session.Stored() {
		l.records().DeleteSubscription(c.name(), string(f))
	}
	return true
}

func (l *loop) endSubscription(x *subscription) {
	if x.group != nil {
		l.leaveGroup(x)
	} else {
		l.removePlain(x)
	}
	l.broker.index.Release(x.node)
	l.metrics.Add(metrics.Subscriptions, -1)
}
