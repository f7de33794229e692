package server

import (
	"context"
	"time"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/reactor"
	"vernemq/server/hooks"
	"vernemq/server/session"
)

// pendingDelivery is a message about which plugins are asked before a client
// gets it. It is the first that waits in the client's queue.
type pendingDelivery struct {
	msg    *queue.Message // held
	cancel context.CancelFunc
	answer *hooks.DeliverAnswer // nil until there is one
}

func (d *pendingDelivery) end() {
	d.cancel()
	d.msg.Release()
}

// Delivering asks on_deliver.
func (c *client) Delivering(s *session.Session, p *queue.Publication, e queue.Entry) *queue.Publication {
	ch := c.loop.broker.hooks.Snapshot().OnDeliver(s.Version() == codec.V5)
	if ch == nil {
		return p
	}
	return c.loop.askDelivery(s, ch, p, e)
}

func (l *loop) askDelivery(s *session.Session, ch *hooks.Chain[hooks.Message, hooks.DeliverModifiers], p *queue.Publication, e queue.Entry) *queue.Publication {
	conn := connOf(s)
	if d := l.deliveries[conn]; d != nil {
		if d.answer == nil {
			return nil
		}
		delete(l.deliveries, conn)
		defer d.end()
		if d.msg == p.Kept() {
			return l.changeDelivery(p, d.answer)
		}
		// The message that was asked about has expired.
	}
	r := &l.questions.message
	*r = hooks.Message{Client: whoIs(s), Topic: p.Topic, Payload: p.Payload, QoS: e.QoS, Retain: e.Retain, Properties: l.propertiesOf(p)}
	a, from := ch.Ask(r)
	if a.Result != hooks.Later {
		return l.changeDelivery(p, &a)
	}
	l.deliverLater(conn, ch, r, from, p.Message().Hold())
	return nil
}

// deliverLater has plugins asked beside the loops, and the client's queue
// looked at when they have answered.
func (l *loop) deliverLater(conn *reactor.Conn, ch *hooks.Chain[hooks.Message, hooks.DeliverModifiers], r *hooks.Message, from int, msg *queue.Message) {
	ctx, cancel := context.WithCancel(context.Background())
	d := &pendingDelivery{msg: msg, cancel: cancel}
	l.deliveries[conn] = d
	start := time.Now()
	ch.Wait(ctx, r, from, func(a hooks.DeliverAnswer) {
		l.broker.hookTook(ch.Name(), time.Since(start))
		l.reactor.Post(func() {
			if l.deliveries[conn] != d || d.answer != nil {
				return
			}
			d.answer = &a
			if s := sessionOf(conn); s != nil {
				s.Writable()
			}
		})
	})
}

// changeDelivery gives the message as plugins want it. They cannot keep it
// back.
func (l *loop) changeDelivery(p *queue.Publication, a *hooks.DeliverAnswer) *queue.Publication {
	m := a.Modifiers
	if a.Result != hooks.OK || m == nil {
		return p
	}
	d := &l.questions.delivery
	d.Reset()
	d.Topic, d.Payload, d.Forward = p.Topic, p.Payload, p.Forward
	d.QoS, d.Retain, d.From, d.Expires = p.QoS, p.Retain, p.From, p.Expires
	if m.Topic != nil {
		d.Topic = *m.Topic
	}
	if m.Payload != nil {
		d.Payload = *m.Payload
	}
	if m.Properties != nil {
		l.questions.delivered = changeProperties(l.questions.delivered[:0], *m.Properties, func(uint32) {})
		d.Forward = l.questions.delivered
	}
	if m.Payload == nil && p.Kept() != nil { // the payload may be sent after p has been let go
		d.Message()
	}
	return d
}
