package server

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"

	"vernemq/queue"
	"vernemq/server/admin/httpapi"
	"vernemq/server/hooks"
)

// Publisher publishes messages that come over HTTP.
func (b *Broker) Publisher() httpapi.Publisher { return publisher{b} }

type publisher struct{ *Broker }

// MaxSize is max_message_size.
func (p publisher) MaxSize() int { return p.config.Load().MaxMessageSize }

// Publish publishes a message on the loop of the client in whose name it comes,
// and returns when that has been done and written down. The plugins are asked
// as about that client; where clients need no password, neither do messages.
func (p publisher) Publish(ctx context.Context, m *httpapi.Publication) error {
	if t := p.Trouble(); t != "" && m.QoS > 0 {
		return errors.New(t)
	}
	x := queue.Publication{Topic: []byte(m.Topic), Payload: m.Payload, QoS: m.QoS, Retain: m.Retain}
	if depth := p.config.Load().TopicMaxDepth; depth > 0 && strings.Count(m.Topic, "/") >= depth {
		return httpapi.ErrTopic
	}
	mountpoint := m.Mountpoint
	if err := p.authorize(ctx, m, &x, &mountpoint); err != nil {
		return err
	}
	x.From = queue.KeyOf(mountpoint, m.ClientID)
	for _, u := range m.UserProperties {
		x.Forward = appendUserProperty(x.Forward, u[0], u[1])
	}
	l := p.homeOf(mountpoint, m.ClientID)
	return p.onLoopSafely(ctx, l, func() {
		l.publish(mountpoint, &x)
		x.Reset()
	})
}

// authorize asks auth_on_register and auth_on_publish about a message, which
// they may change.
func (p publisher) authorize(ctx context.Context, m *httpapi.Publication, x *queue.Publication, mountpoint *string) error {
	if p.config.Load().AllowAnonymous {
		return nil
	}
	chains := p.hooks.Snapshot().View(0)
	who := hooks.Client{Mountpoint: m.Mountpoint, ID: m.ClientID, Username: m.User, HasUsername: m.User != ""}
	if err := authenticate(ctx, chains, &who, m); err != nil {
		return err
	}
	*mountpoint = who.Mountpoint
	a := answerOf(ctx, chains.AuthOnPublish(false), &hooks.Message{Client: who, Topic: x.Topic, Payload: x.Payload, QoS: x.QoS, Retain: x.Retain})
	if a.Result != hooks.OK {
		return httpapi.ErrAuthorization
	}
	if c := a.Modifiers; c != nil {
		// What was published is what the requester has said, and no topic of the broker's own.
		if c.Payload != nil || c.Topic != nil && (*c.Topic)[0] == '$' {
			return httpapi.ErrAuthorization
		}
		set(&x.Topic, c.Topic)
		set(&x.QoS, c.QoS)
		set(&x.Retain, c.Retain)
		set(mountpoint, c.Mountpoint)
	}
	return nil
}

// authenticate asks auth_on_register whether a request may come in a client's
// name. The client may be put elsewhere, but stays the same.
func authenticate(ctx context.Context, chains *hooks.View, who *hooks.Client, m *httpapi.Publication) error {
	r := &hooks.Register{Client: *who, Password: []byte(m.Password), HasPassword: m.Password != "", CleanStart: true}
	a := answerOf(ctx, chains.AuthOnRegister(false), r)
	if a.Result != hooks.OK {
		return httpapi.ErrAuthentication
	}
	c := a.Modifiers
	if c == nil {
		return nil
	}
	if c.ClientID != nil {
		if *c.ClientID != who.ID {
			return httpapi.ErrAuthentication
		}
		who.Mountpoint = *c.Mountpoint
	}
	if c.Username != nil {
		who.Username, who.HasUsername = *c.Username, true
	}
	if n := c.MaxMessageSize; n != nil && *n > 1 && len(m.Payload) > int(*n) { // 1 is no limit, as ever here
		return httpapi.ErrTooLarge
	}
	return nil
}

// answerOf asks a chain and waits for the answer. Not on a loop.
func answerOf[R, M any](ctx context.Context, ch *hooks.Chain[R, M], r *R) hooks.Answer[M] {
	a, from := ch.Ask(r)
	if a.Result != hooks.Later {
		return a
	}
	done := make(chan hooks.Answer[M], 1)
	ch.Wait(ctx, r, from, func(a hooks.Answer[M]) { done <- a })
	return <-done
}

const userProperty = 0x26 // [MQTT 5, 2.2.2.2]

func appendUserProperty(b []byte, name, value string) []byte {
	b = append(binary.BigEndian.AppendUint16(append(b, userProperty), uint16(len(name))), name...)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(value))), value...)
}
