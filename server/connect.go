package server

import (
	"math"
	"time"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/reactor"
	"vernemq/server/hooks"
	"vernemq/server/metrics"
	"vernemq/server/session"
)

// connectClient gives a connection to its client, which is made if it is new.
// The client has been admitted; p is its CONNECT.
func (l *loop) connectClient(c *reactor.Conn, a *admission, p *codec.Connect, f codec.Frame) bool {
	if listenerOf(c).deleted.Load() { // while plugins were asked
		c.Close(errListenerClosed)
		return false
	}
	key := queue.KeyOf(a.mountpoint, a.id)
	cl := l.clients.find(key, a.mountpoint, a.id)
	if cl != nil && cl.session.Unread() { // the CONNECT comes again then
		l.load(cl, c)
		return l.postpone(c, a)
	}
	limits := a.prepare(p, listenerOf(c).limits.Load())
	if a.exchange != nil {
		l.exchanges[c] = a.exchange
	}
	if cl != nil && cl.session.Online() {
		if l.multiple(a) {
			l.attach(cl, c, p, a, limits, f)
			l.logConnected(c, a.id)
			return true
		}
		for cl.session.Online() { // several, if they were allowed before
			l.metrics.Inc(metrics.TakeOvers)
			cl.session.TakeOver()
		}
		cl = l.clients.find(key, a.mountpoint, a.id) // a clean session has ended
	}
	if cl == nil {
		cl = l.newClient(a.mountpoint, a.id)
	}
	cl.conn = c
	cl.login = loginOf(a, uint32(l.unix()), cl.created)
	c.SetUser(cl)
	l.tellRegistered(c, a, p)
	l.metrics.Answered(a.arrival)
	cl.session.Connect(l.linkTo(c, a, f), p, &a.Admission, limits)
	l.logConnected(c, a.id)
	return true
}

// multiple tells whether the client may have several connections.
func (l *loop) multiple(a *admission) bool {
	if m := a.register; m != nil && m.AllowMultipleSessions != nil {
		return *m.AllowMultipleSessions
	}
	return l.broker.config.Load().AllowMultipleSessions
}

// prepare puts what plugins want into the CONNECT, and gives the limits of the
// client.
func (a *admission) prepare(p *codec.Connect, limits *session.Limits) *session.Limits {
	if a.will != nil {
		a.changeWill(&p.Will)
	}
	m := a.register
	if m == nil {
		return limits
	}
	if m.CleanSession != nil {
		p.CleanStart = *m.CleanSession
	}
	if m.SessionExpiry != nil {
		a.ExpiryChanged = *m.SessionExpiry != p.SessionExpiry
		p.SessionExpiry = *m.SessionExpiry
	}
	for _, u := range m.UserProperties {
		a.More = codec.AppendProperty(a.More, codec.Property{ID: codec.UserProperty, Bytes: []byte(u.Name), Value: []byte(u.Value)})
	}
	if m.ResponseInfo != nil && p.RequestResponseInfo { // [MQTT-3.1.2-28]
		a.ResponseInfo = *m.ResponseInfo
	}
	own := limitsFor(m, limits)
	if own != limits {
		a.own = m
	}
	return own
}

func (a *admission) changeWill(w *codec.Will) {
	m := a.will
	if m.Topic != nil {
		w.Topic = *m.Topic
	}
	if m.Payload != nil {
		w.Payload = *m.Payload
	}
	if m.QoS != nil {
		w.QoS = *m.QoS
	}
	if m.Retain != nil {
		w.Retain = *m.Retain
	}
	a.WillMountpoint = m.Mountpoint
	if m.Properties == nil {
		return
	}
	expiry, has := w.Props.Expiry, w.Props.HasExpiry
	if err := codec.DecodePublishProps(*m.Properties, &w.Props); err != nil {
		return // cannot be: the chain has checked them
	}
	if !w.Props.HasExpiry {
		w.Props.Expiry, w.Props.HasExpiry = expiry, has
	}
	for x := range m.Properties.All() {
		if x.ID == codec.WillDelayInterval {
			w.Delay = x.Number
		}
	}
}

// limitsFor gives the limits of a client for which plugins want some of its
// own.
func limitsFor(m *hooks.RegisterModifiers, base *session.Limits) *session.Limits {
	l := *base
	if m.MaxMessageSize != nil {
		l.MaxRemaining, l.OwnRemaining = *m.MaxMessageSize, true
	}
	if d := m.MaxConnectionLifetime; d != nil && *d > 0 {
		if s := roundUp(*d); l.Lifetime == 0 || s < l.Lifetime {
			l.Lifetime = s
		}
	}
	set(&l.MaxRate, m.MaxMessageRate)
	set(&l.MaxInflight, m.MaxInflightMessages)
	set(&l.UpgradeQoS, m.UpgradeQoS)
	set(&l.MaxOnline, m.MaxOnlineMessages)
	set(&l.MaxOffline, m.MaxOfflineMessages)
	if m.RetryInterval != nil {
		l.RetryInterval = roundUp(*m.RetryInterval)
	}
	if m.QueueType != nil {
		l.LIFO = *m.QueueType == "lifo"
	}
	if m.QueueDeliverMode != nil {
		l.Balance = *m.QueueDeliverMode == "balance"
	}
	if l == *base {
		return base
	}
	return &l
}

func set[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

// roundUp gives whole seconds, as a timer has.
func roundUp(d time.Duration) uint32 {
	return uint32(min(int64((d+time.Second-1)/time.Second), math.MaxUint32))
}
