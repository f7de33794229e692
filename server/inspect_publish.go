package server

import (
	"context"
	"encoding/binary"
	"errors"

	"vernemq/queue"
	"vernemq/server/admin/httpapi"
)

// Publisher publishes messages that come over HTTP.
func (b *Broker) Publisher() httpapi.Publisher { return publisher{b} }

type publisher struct{ *Broker }

// MaxSize is max_message_size.
func (p publisher) MaxSize() int { return p.config.Load().MaxMessageSize }

// Publish publishes a message on the loop of the client in whose name it comes,
// and returns when that has been done and written down. Where clients need no password, neither
// do messages; there is nobody to ask otherwise yet.
func (p publisher) Publish(ctx context.Context, m *httpapi.Publication) error {
	if !p.config.Load().AllowAnonymous {
		return httpapi.ErrAuthentication
	}
	if t := p.Trouble(); t != "" && m.QoS > 0 {
		return errors.New(t)
	}
	l := p.homeOf(m.Mountpoint, m.ClientID)
	return p.onLoopSafely(ctx, l, func() {
		var x queue.Publication
		x.Topic, x.Payload, x.QoS, x.Retain = []byte(m.Topic), m.Payload, m.QoS, m.Retain
		x.From = queue.KeyOf(m.Mountpoint, m.ClientID)
		for _, u := range m.UserProperties {
			x.Forward = appendUserProperty(x.Forward, u[0], u[1])
		}
		l.publish(m.Mountpoint, &x)
		x.Reset()
	})
}

const userProperty = 0x26 // [MQTT 5, 2.2.2.2]

func appendUserProperty(b []byte, name, value string) []byte {
	b = append(binary.BigEndian.AppendUint16(append(b, userProperty), uint16(len(name))), name...)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(value))), value...)
}
