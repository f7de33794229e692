package hooks

// Snapshot are all chains of one moment. It never changes.
type Snapshot struct {
	views []View

	unsubscribe [2]*Chain[Unsubscribe, UnsubscribeModifiers]
	deliver     [2]*Chain[Message, DeliverModifiers]
	registered  [2]*Event[Register]
	published   [2]*Event[Message]
	subscribed  [2]*Event[Subscribe]

	OnTopicUnsubscribed *Event[Unsubscribe]
	OnOfflineMessage    *Event[Message]
	OnClientWakeup      *Event[Client]
	OnClientOffline     *Event[Client]
	OnClientGone        *Event[Client]
	OnSessionExpired    *Event[Client]
	OnMessageDrop       *Event[Drop]
	OnConfigChange      *Event[ConfigChange]
}

// View are the chains that let clients in and allow what they do, as a listener
// has them.
type View struct {
	register  [2]*Chain[Register, RegisterModifiers]
	publish   [2]*Chain[Message, PublishModifiers]
	subscribe [2]*Chain[Subscribe, SubscribeModifiers]
	auth      *Chain[Auth, AuthModifiers]
}

// View gives the chains of a listener, by the number that AddView gave; 0 is
// that of listeners without lists of their own.
func (s *Snapshot) View(i int) *View { return &s.views[i] }

// AuthOnRegister is the chain of auth_on_register or auth_on_register_m5.
func (v *View) AuthOnRegister(v5 bool) *Chain[Register, RegisterModifiers] {
	return v.register[form(v5)]
}

// AuthOnPublish is the chain of auth_on_publish or auth_on_publish_m5.
func (v *View) AuthOnPublish(v5 bool) *Chain[Message, PublishModifiers] { return v.publish[form(v5)] }

// AuthOnSubscribe is the chain of auth_on_subscribe or auth_on_subscribe_m5.
func (v *View) AuthOnSubscribe(v5 bool) *Chain[Subscribe, SubscribeModifiers] {
	return v.subscribe[form(v5)]
}

// OnAuth is the chain of on_auth_m5.
func (v *View) OnAuth() *Chain[Auth, AuthModifiers] { return v.auth }

// OnUnsubscribe is the chain of on_unsubscribe or on_unsubscribe_m5.
func (s *Snapshot) OnUnsubscribe(v5 bool) *Chain[Unsubscribe, UnsubscribeModifiers] {
	return s.unsubscribe[form(v5)]
}

// OnDeliver is the chain of on_deliver or on_deliver_m5.
func (s *Snapshot) OnDeliver(v5 bool) *Chain[Message, DeliverModifiers] { return s.deliver[form(v5)] }

// OnRegister is the chain of on_register or on_register_m5.
func (s *Snapshot) OnRegister(v5 bool) *Event[Register] { return s.registered[form(v5)] }

// OnPublish is the chain of on_publish or on_publish_m5.
func (s *Snapshot) OnPublish(v5 bool) *Event[Message] { return s.published[form(v5)] }

// OnSubscribe is the chain of on_subscribe or on_subscribe_m5.
func (s *Snapshot) OnSubscribe(v5 bool) *Event[Subscribe] { return s.subscribed[form(v5)] }

func together[R interface{ who() *Client }](r R) uint64 { return r.who().key() }

// alone is the key of requests of clients that are not known yet: whoever uses
// the name of another must not be in that one's way.
func alone[R any](R) uint64 { return 0 }

var (
	registerShape = [2]shape[Register, RegisterModifiers]{
		{AuthOnRegister, (*Register).clone, (*Register).size, alone[*Register], (*RegisterModifiers).check},
		{AuthOnRegisterM5, (*Register).clone, (*Register).size, alone[*Register], (*RegisterModifiers).check}}
	publishShape = [2]shape[Message, PublishModifiers]{
		{AuthOnPublish, (*Message).clone, (*Message).size, together[*Message], (*PublishModifiers).check},
		{AuthOnPublishM5, (*Message).clone, (*Message).size, together[*Message], (*PublishModifiers).check}}
	subscribeShape = [2]shape[Subscribe, SubscribeModifiers]{
		{AuthOnSubscribe, (*Subscribe).clone, (*Subscribe).size, together[*Subscribe], (*SubscribeModifiers).check},
		{AuthOnSubscribeM5, (*Subscribe).clone, (*Subscribe).size, together[*Subscribe], (*SubscribeModifiers).check}}
	authShape        = shape[Auth, AuthModifiers]{OnAuthM5, (*Auth).clone, (*Auth).size, alone[*Auth], (*AuthModifiers).check}
	unsubscribeShape = [2]shape[Unsubscribe, UnsubscribeModifiers]{
		{OnUnsubscribe, (*Unsubscribe).clone, (*Unsubscribe).size, together[*Unsubscribe], (*UnsubscribeModifiers).check},
		{OnUnsubscribeM5, (*Unsubscribe).clone, (*Unsubscribe).size, together[*Unsubscribe], (*UnsubscribeModifiers).check}}
	deliverShape = [2]shape[Message, DeliverModifiers]{
		{OnDeliver, (*Message).clone, (*Message).size, together[*Message], (*DeliverModifiers).check},
		{OnDeliverM5, (*Message).clone, (*Message).size, together[*Message], (*DeliverModifiers).check}}
)

func told[E any, P interface {
	*E
	clone() *E
	size() int
	who() *Client
}](n Name) *topic[E] {
	return &topic[E]{n, func(e *E) *E { return P(e).clone() }, func(e *E) int { return P(e).size() }, func(e *E) uint64 { return P(e).who().key() }}
}

var (
	registeredTopic   = [2]*topic[Register]{told[Register](OnRegister), told[Register](OnRegisterM5)}
	publishedTopic    = [2]*topic[Message]{told[Message](OnPublish), told[Message](OnPublishM5)}
	subscribedTopic   = [2]*topic[Subscribe]{told[Subscribe](OnSubscribe), told[Subscribe](OnSubscribeM5)}
	unsubscribedTopic = told[Unsubscribe](OnTopicUnsubscribed)
	offlineTopic      = told[Message](OnOfflineMessage)
	clientTopics      = [4]*topic[Client]{told[Client](OnClientWakeup), told[Client](OnClientOffline), told[Client](OnClientGone), told[Client](OnSessionExpired)}
	dropTopic         = told[Drop](OnMessageDrop)
	configTopic       = told[ConfigChange](OnConfigChange)
)

// maker puts a snapshot together from plugins in their order.
type maker struct {
	all    []*entry
	limits limits
}

func (m *maker) snapshot(views []lists) *Snapshot {
	s := &Snapshot{views: make([]View, len(views)+1)}
	s.views[0] = m.view(m.all, m.all)
	for i, l := range views {
		s.views[i+1] = m.view(m.pick(l.auth), m.pick(l.authz))
	}
	s.unsubscribe = pair(m, m.all, &unsubscribeShape, func(h *Hooks) [2]Asked[Unsubscribe, UnsubscribeModifiers] {
		return [2]Asked[Unsubscribe, UnsubscribeModifiers]{h.OnUnsubscribe, h.OnUnsubscribeM5}
	})
	s.deliver = pair(m, m.all, &deliverShape, func(h *Hooks) [2]Asked[Message, DeliverModifiers] {
		return [2]Asked[Message, DeliverModifiers]{h.OnDeliver, h.OnDeliverM5}
	})
	m.events(s)
	return s
}

func (m *maker) events(s *Snapshot) {
	s.registered[0] = event(m, registeredTopic[0], func(h *Hooks) Told[Register] { return h.OnRegister })
	s.registered[1] = event(m, registeredTopic[1], func(h *Hooks) Told[Register] { return h.OnRegisterM5 })
	s.published[0] = event(m, publishedTopic[0], func(h *Hooks) Told[Message] { return h.OnPublish })
	s.published[1] = event(m, publishedTopic[1], func(h *Hooks) Told[Message] { return h.OnPublishM5 })
	s.subscribed[0] = event(m, subscribedTopic[0], func(h *Hooks) Told[Subscribe] { return h.OnSubscribe })
	s.subscribed[1] = event(m, subscribedTopic[1], func(h *Hooks) Told[Subscribe] { return h.OnSubscribeM5 })
	s.OnTopicUnsubscribed = event(m, unsubscribedTopic, func(h *Hooks) Told[Unsubscribe] { return h.OnTopicUnsubscribed })
	s.OnOfflineMessage = event(m, offlineTopic, func(h *Hooks) Told[Message] { return h.OnOfflineMessage })
	s.OnClientWakeup = event(m, clientTopics[0], func(h *Hooks) Told[Client] { return h.OnClientWakeup })
	s.OnClientOffline = event(m, clientTopics[1], func(h *Hooks) Told[Client] { return h.OnClientOffline })
	s.OnClientGone = event(m, clientTopics[2], func(h *Hooks) Told[Client] { return h.OnClientGone })
	s.OnSessionExpired = event(m, clientTopics[3], func(h *Hooks) Told[Client] { return h.OnSessionExpired })
	s.OnMessageDrop = event(m, dropTopic, func(h *Hooks) Told[Drop] { return h.OnMessageDrop })
	s.OnConfigChange = event(m, configTopic, func(h *Hooks) Told[ConfigChange] { return h.OnConfigChange })
}

func (m *maker) view(auth, authz []*entry) (v View) {
	v.register = pair(m, auth, &registerShape, func(h *Hooks) [2]Asked[Register, RegisterModifiers] {
		return [2]Asked[Register, RegisterModifiers]{h.AuthOnRegister, h.AuthOnRegisterM5}
	})
	v.auth = chain(m, auth, &authShape, func(h *Hooks) Asked[Auth, AuthModifiers] { return h.OnAuthM5 })
	v.publish = pair(m, authz, &publishShape, func(h *Hooks) [2]Asked[Message, PublishModifiers] {
		return [2]Asked[Message, PublishModifiers]{h.AuthOnPublish, h.AuthOnPublishM5}
	})
	v.subscribe = pair(m, authz, &subscribeShape, func(h *Hooks) [2]Asked[Subscribe, SubscribeModifiers] {
		return [2]Asked[Subscribe, SubscribeModifiers]{h.AuthOnSubscribe, h.AuthOnSubscribeM5}
	})
	return v
}

// pick gives the enabled plugins of a list, in its order; nil is all of them.
func (m *maker) pick(list []string) (out []*entry) {
	if list == nil {
		return m.all
	}
	for _, name := range list {
		for _, e := range m.all {
			if e.name == name {
				out = append(out, e)
			}
		}
	}
	return out
}

func pair[R, M any](m *maker, from []*entry, s *[2]shape[R, M], of func(*Hooks) [2]Asked[R, M]) (out [2]*Chain[R, M]) {
	for i := range out {
		out[i] = chain(m, from, &s[i], func(h *Hooks) Asked[R, M] { return of(h)[i] })
	}
	return out
}

func chain[R, M any](m *maker, from []*entry, s *shape[R, M], of func(*Hooks) Asked[R, M]) *Chain[R, M] {
	c := &Chain[R, M]{shape: s, limits: m.limits}
	for _, e := range from {
		if a := of(e.hooks); a.Now != nil || a.Wait != nil {
			c.links = append(c.links, link[R, M]{e, a})
		}
	}
	if len(c.links) == 0 {
		return nil
	}
	return c
}

func event[E any](m *maker, t *topic[E], of func(*Hooks) Told[E]) *Event[E] {
	v := &Event[E]{topic: t}
	for _, e := range m.all {
		if f := of(e.hooks); f.Now != nil || f.Wait != nil {
			v.links = append(v.links, eventLink[E]{e, f})
		}
	}
	if len(v.links) == 0 {
		return nil
	}
	return v
}
