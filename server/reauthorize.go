package server

import (
	"context"
	"errors"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/hooks"
	"vernemq/server/session"
)

var errEnding = errors.New("the broker ends")

// Reauthorize asks auth_on_subscribe again about the subscriptions that a
// client has, under a user name: those that are refused end, others get the QoS
// that they are allowed now. It tells whether anything has changed; for an
// unknown client nothing has.
func (b *Broker) Reauthorize(ctx context.Context, mountpoint, clientID, username string) (changed bool, err error) {
	key := queue.KeyOf(mountpoint, clientID)
	l := b.loops[b.home(key)]
	done := make(chan bool, 1)
	l.reactor.Post(func() {
		c := l.clients.find(key, mountpoint, clientID)
		if c == nil {
			done <- false
			return
		}
		l.reauthorize(ctx, c, username, func(changed bool) { done <- changed })
	})
	select {
	case changed := <-done:
		return changed, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-b.stopping:
		return false, errEnding
	}
}

func (l *loop) reauthorize(ctx context.Context, c *client, username string, done func(changed bool)) {
	r := &hooks.Subscribe{Client: whoIs(&c.session)}
	r.Username, r.HasUsername = username, true
	for x := range c.subs.all {
		r.Topics = append(r.Topics, hooks.Topic{Filter: x.filter()})
	}
	limits := c.session.Limits()
	if limits == nil { // the client has not been here yet
		limits = &session.Limits{}
	}
	chain := l.broker.hooks.Snapshot().View(limits.Chains).AuthOnSubscribe(r.V5)
	if len(r.Topics) == 0 || chain == nil && limits.Anonymous {
		done(false)
		return
	}
	l.askAgain(ctx, chain, c, r, func(c *client, a hooks.SubscribeAnswer) {
		switch {
		case c == nil:
			done(false)
		case a.Result != hooks.OK && len(r.Topics) > 1:
			l.askEach(ctx, chain, c, r, false, done)
		default:
			done(l.applyAgain(c, r, a))
		}
	})
}

// askEach asks about each subscription by itself, after plugins have refused all
// of them together: those that are allowed stay.
func (l *loop) askEach(ctx context.Context, chain *subscribeChain, c *client, r *hooks.Subscribe, changed bool, done func(changed bool)) {
	one, rest := *r, *r
	one.Topics, rest.Topics = r.Topics[:1:1], r.Topics[1:]
	l.askAgain(ctx, chain, c, &one, func(c *client, a hooks.SubscribeAnswer) {
		if c == nil {
			done(changed)
			return
		}
		changed = l.applyAgain(c, &one, a) || changed
		if len(rest.Topics) == 0 {
			done(changed)
			return
		}
		l.askEach(ctx, chain, c, &rest, changed, done)
	})
}

type subscribeChain = hooks.Chain[hooks.Subscribe, hooks.SubscribeModifiers]

// askAgain gives the answer of the plugins, and the client; nil when it is gone
// or nobody waits for the answer any more.
func (l *loop) askAgain(ctx context.Context, chain *subscribeChain, c *client, r *hooks.Subscribe, then func(*client, hooks.SubscribeAnswer)) {
	a, from := chain.Ask(r)
	if a.Result != hooks.Later {
		then(c, a)
		return
	}
	id, mountpoint, key := c.session.ID, c.session.Mountpoint, c.session.Key
	chain.Wait(ctx, r, from, func(a hooks.SubscribeAnswer) {
		l.reactor.Post(func() {
			c := l.clients.find(key, mountpoint, id)
			if ctx.Err() != nil {
				c = nil // whoever asked has given up: nobody has refused anything
			}
			then(c, a)
		})
	})
}

// filter gives the topic filter of a subscription with its options.
func (x *subscription) filter() codec.Filter {
	f := codec.Filter{Filter: []byte(x.node.Filter()), QoS: x.options.QoS, NoLocal: x.options.NoLocal, RetainAsPublished: x.options.RetainAsPublished}
	if x.group != nil {
		f.Filter = append([]byte("$share/"+x.group.name+"/"), f.Filter...)
	}
	return f
}

// applyAgain changes the subscriptions of a client as plugins want them now.
func (l *loop) applyAgain(c *client, r *hooks.Subscribe, a hooks.SubscribeAnswer) (changed bool) {
	for i := range r.Topics {
		asked := &r.Topics[i]
		t := *asked
		switch {
		case a.Result != hooks.OK:
			t.Code = codec.NotAuthorized
		case a.Modifiers == nil:
			continue
		case i < len(a.Modifiers.Topics):
			t = a.Modifiers.Topics[i]
		default:
			t.Code = codec.NotAuthorized
		}
		if l.resubscribe(c, asked, &t) {
			changed = true
		}
	}
	return changed
}

// resubscribe puts a subscription in the place of another, or ends it.
func (l *loop) resubscribe(c *client, old, now *hooks.Topic) (changed bool) {
	renamed := string(old.Filter.Filter) != string(now.Filter.Filter)
	if now.Code >= 0x80 {
		return l.unsubscribe(c, old.Filter.Filter)
	}
	if !renamed && old.QoS == now.QoS || c.session.Stored() && !l.broker.safe() {
		return false // the second: no other one could be kept
	}
	x := l.subscriptionOf(c, old.Filter.Filter)
	if x == nil {
		return false // the client has ended it in the meantime
	}
	id := x.options.ID
	if renamed {
		l.unsubscribe(c, old.Filter.Filter)
	}
	l.subscribe(c, &now.Filter, id)
	return true
}

// subscriptionOf finds the subscription of a client with a filter.
func (l *loop) subscriptionOf(c *client, f []byte) *subscription {
	name, filter, shared := codec.SplitShared(f)
	node := l.broker.index.Find(c.session.Mountpoint, string(filter))
	if node == nil {
		return nil
	}
	return c.subs.find(node, string(name), shared)
}
