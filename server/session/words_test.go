package session

import (
	"fmt"

	"vernemq/codec"
	"vernemq/queue"
)

// flush says every packet that a session has sent.
func (l *fakeLink) flush() {
	b := l.out.B
	for len(b) > 0 {
		f, n, _, err := codec.Cut(b, 0)
		if err != nil || n == 0 {
			l.world.say("%s < broken bytes % x: %v", l.name, b, err)
			break
		}
		words := describe(l.version, f)
		if l.world.props {
			words += propertiesOf(l.version, f)
		}
		l.world.say("%s < %s", l.name, words)
		b = b[n:]
	}
	l.out.B = l.out.B[:0]
}

// describe puts a packet into words.
func describe(v codec.Version, f codec.Frame) string {
	switch f.Type() {
	case codec.PUBLISH:
		return describePublish(v, f)
	case codec.PUBACK, codec.PUBREC, codec.PUBREL, codec.PUBCOMP:
		var a codec.Ack
		if err := codec.DecodeAck(v, f, &a); err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%s m%d%s", f.Type(), a.PacketID, code(a.Reason))
	case codec.CONNACK:
		var c codec.Connack
		if err := codec.DecodeConnack(v, f, &c); err != nil {
			return err.Error()
		}
		return fmt.Sprintf("CONNACK sp=%d%s%s", bit(c.SessionPresent), code(c.Reason), announced(&c))
	case codec.SUBACK:
		var s codec.Suback
		if err := codec.DecodeSuback(v, f, &s); err != nil {
			return err.Error()
		}
		return fmt.Sprintf("SUBACK m%d % x", s.PacketID, s.Codes)
	case codec.UNSUBACK:
		if v != codec.V5 {
			return fmt.Sprintf("UNSUBACK m%d", int(f.Body[0])<<8|int(f.Body[1]))
		}
		return fmt.Sprintf("UNSUBACK m%d % x", int(f.Body[0])<<8|int(f.Body[1]), f.Body[3:])
	case codec.DISCONNECT:
		var d codec.Disconnect
		if err := codec.DecodeDisconnect(v, f, &d); err != nil {
			return err.Error()
		}
		return fmt.Sprintf("DISCONNECT 0x%02x", byte(d.Reason))
	}
	return f.Type().String()
}

func describePublish(v codec.Version, f codec.Frame) string {
	var p codec.Publish
	if err := codec.DecodePublish(v, f, &p); err != nil {
		return err.Error()
	}
	payload := string(p.Payload)
	if len(payload) > 40 {
		payload = fmt.Sprintf("%s… %d bytes", payload[:8], len(payload))
	}
	s := fmt.Sprintf("PUBLISH q%d d%d r%d m%d %s %q", p.QoS, bit(p.Dup), bit(p.Retain), p.PacketID, p.Topic, payload)
	if p.Props.HasAlias {
		s += fmt.Sprintf(" alias=%d", p.Props.Alias)
	}
	if p.Props.HasExpiry {
		s += fmt.Sprintf(" expiry=%d", p.Props.Expiry)
	}
	if len(p.Props.Raw) > 0 {
		s += fmt.Sprintf(" props=% x", []byte(p.Props.Raw))
	}
	return s
}

func code(r codec.ReasonCode) string {
	if r == 0 {
		return ""
	}
	return fmt.Sprintf(" 0x%02x", byte(r))
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// show says what a session holds.
func (w *world) show(c *fakeClient) {
	s := &c.session
	state := "away"
	if s.Online() {
		state = "online"
	}
	waiting, inflight, received := 0, "", 0
	if e := s.extra; e != nil {
		waiting, received = e.waiting.Len(), e.received.Len()+e.earlier.Len()
		for x := range e.inflight.All {
			names := map[queue.State]string{queue.AwaitPuback: "puback", queue.AwaitPubrec: "pubrec", queue.AwaitPubcomp: "pubcomp"}
			inflight += fmt.Sprintf(" m%d:%s", x.ID, names[x.State])
		}
	}
	w.say("%s is %s: %d waiting, %d stored, %d received unreleased, in flight:%s", c.name, state, waiting, w.store.len(s.client()), received, inflight)
}

// announced says what CONNACK tells of limits.
func announced(c *codec.Connack) string {
	s := ""
	if c.ReceiveMax != 0 && c.ReceiveMax != 65535 {
		s += fmt.Sprintf(" rmax=%d", c.ReceiveMax)
	}
	if c.MaxPacketSize != 0 {
		s += fmt.Sprintf(" maxpacket=%d", c.MaxPacketSize)
	}
	if c.TopicAliasMax != 0 {
		s += fmt.Sprintf(" aliases=%d", c.TopicAliasMax)
	}
	return s
}

// propertiesOf says the properties of a packet in braces, those of a PUBLISH
// excepted, which describePublish says.
func propertiesOf(v codec.Version, f codec.Frame) string {
	var raw codec.Properties
	var err error
	switch f.Type() {
	case codec.CONNACK:
		var c codec.Connack
		err = codec.DecodeConnack(v, f, &c)
		raw = c.Props
	case codec.PUBACK, codec.PUBREC, codec.PUBREL, codec.PUBCOMP:
		var a codec.Ack
		err = codec.DecodeAck(v, f, &a)
		raw = a.Props
	case codec.SUBACK, codec.UNSUBACK:
		var s codec.Suback
		decode := codec.DecodeSuback
		if f.Type() == codec.UNSUBACK {
			decode = codec.DecodeUnsuback
		}
		err = decode(v, f, &s)
		raw = s.Props
	case codec.DISCONNECT:
		var d codec.Disconnect
		err = codec.DecodeDisconnect(v, f, &d)
		raw = d.Props
	default:
		return ""
	}
	if err != nil {
		return err.Error()
	}
	if r := raw.ReasonString(); len(r) > 0 && len(raw) == 3+len(r) {
		return fmt.Sprintf(" {reason %q}", r)
	}
	return fmt.Sprintf(" {% x}", []byte(raw))
}
