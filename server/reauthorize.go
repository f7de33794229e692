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
	a, from := chain.Ask(r)
	if a.Result != hooks.Later {
		done(l.applyAgain(c, r, a))
		return
	}
	id, mountpoint, key := c.session.ID, c.session.Mountpoint, c.session.Key
	chain.Wait(ctx, r, from, func(a hooks.SubscribeAnswer) {
		l.reactor.Post(func() {
			c := l.clients.find(key, mountpoint, id)
			// Whoever asked may have given up: then nobody has refused anything.
			done(c != nil && ctx.Err() == nil && l.applyAgain(c, r, a))
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
