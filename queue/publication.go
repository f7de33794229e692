package queue

import (
	"github.com/cespare/xxhash/v2"

	"vernemq/codec"
)

// Publication is a message on its way through one loop. It starts as a view
// of the read buffer (or of a Message that came from another loop) and turns
// into a Message only when somebody has to keep it. It lives in the loop's
// scratch space and is valid during one call.
type Publication struct {
	Topic, Payload []byte
	Forward        []byte // properties to pass on, wire format
	QoS            byte
	Retain         bool
	From           uint64 // KeyOf the publisher
	Expires        int64  // Unix second, 0 = never
	Stamp          int64  // when it arrived, if that is to be measured, else 0

	Many   bool   // it goes to several subscribers of this loop
	Shared string // filter of the shared subscription that it goes to, "" = none

	msg    *Message
	cached uint16 // which frames are valid
	frames [16]frame
}

type frame struct {
	bytes []byte
	idAt  int
}

// SharedMin is the payload size from which a payload is handed to the kernel
// where it lies instead of being copied into each receiver's output.
const SharedMin = 4096

// View makes p a view of m. The caller keeps its hold on m while p is used.
func (p *Publication) View(m *Message) {
	p.Reset() // a contained panic may have left something
	p.Topic, p.Payload, p.Forward = m.Topic(), m.Payload(), m.Forward()
	p.QoS, p.Retain, p.From, p.Expires, p.Stamp = m.QoS, m.Retain, m.From, m.Expires, m.Stamp
	p.msg, p.cached = m.Hold(), 0
}

// Reset makes p ready for the next message.
func (p *Publication) Reset() {
	if p.msg != nil {
		p.msg.Release()
		p.msg = nil
	}
	p.Many, p.Shared = false, ""
	p.cached, p.Stamp = 0, 0
}

// Message gives the message behind p, making it on first use. The result is
// borrowed: who keeps it calls Hold.
func (p *Publication) Message() *Message {
	if p.msg == nil {
		m := NewMessage(p.Topic, p.Forward, p.Payload)
		m.QoS, m.Retain, m.From, m.Expires, m.Stamp = p.QoS, p.Retain, p.From, p.Expires, p.Stamp
		p.msg = m
	}
	return p.msg
}

// Kept is the message behind p, nil while nobody has to keep it.
func (p *Publication) Kept() *Message { return p.msg }

// Unpooled gives a message of its own that the garbage collector takes back,
// for readers that do not count themselves.
func (p *Publication) Unpooled() *Message {
	m := &Message{class: -1, buf: make([]byte, 0, len(p.Topic)+len(p.Forward)+len(p.Payload))}
	m.refs.Store(1)
	m.fill(p.Topic, p.Forward, p.Payload)
	m.QoS, m.Retain, m.From, m.Expires = p.QoS, p.Retain, p.From, p.Expires
	return m
}

// Delivery is what one receiver makes of a publication.
type Delivery struct {
	Version        codec.Version
	QoS            byte
	Retain, Dup    bool
	KnownAlias     bool   // the receiver knows Alias, so the topic is left out
	Alias          uint16 // MQTT 5 Topic Alias, 0 = none
	ID             uint16 // packet identifier, QoS > 0
	SubscriptionID uint32 // MQTT 5, 0 = none
	Now            int64  // Unix second, for the remaining expiry interval
}

// AppendHead appends the PUBLISH packet up to its payload.
func (p *Publication) AppendHead(dst []byte, d *Delivery) []byte {
	first := codec.PublishFirst(d.QoS, d.Dup, d.Retain)
	if d.Version != codec.V5 {
		return codec.AppendPublishHead(dst, d.Version, first, p.Topic, d.ID, nil, len(p.Payload))
	}
	var out codec.Outgoing
	p.outgoing(&out, d)
	return codec.AppendPublishHead(dst, d.Version, first, p.topic(d), d.ID, &out, len(p.Payload))
}

// topic is the topic as an MQTT 5 receiver is sent it.
func (p *Publication) topic(d *Delivery) []byte {
	if d.KnownAlias {
		return nil
	}
	return p.Topic
}

func (p *Publication) outgoing(out *codec.Outgoing, d *Delivery) {
	out.Forward, out.SubscriptionID, out.Alias = p.Forward, d.SubscriptionID, d.Alias
	if p.Expires != 0 {
		out.Expiry, out.HasExpiry = ExpiryLeft(p.Expires, d.Now), true
	}
}

// Size is the size of the whole packet of a delivery.
func (p *Publication) Size(d *Delivery) int {
	first := codec.PublishFirst(d.QoS, d.Dup, d.Retain)
	if d.Version != codec.V5 {
		return codec.PublishSize(d.Version, first, len(p.Topic), nil, len(p.Payload))
	}
	var out codec.Outgoing
	p.outgoing(&out, d)
	return codec.PublishSize(d.Version, first, len(p.topic(d)), &out, len(p.Payload))
}

// AppendPacket appends the whole PUBLISH packet. The first receiver's bytes
// serve as the pattern for the others of the same kind: they are copied, and
// only the packet identifier is written anew.
//
// The pattern is the tail of a receiver's output buffer. It stays intact
// while p is used: outputs only grow until the turn ends.
func (p *Publication) AppendPacket(dst []byte, d *Delivery) []byte {
	i := int(d.QoS)<<1 | int(bit(d.Retain))
	if d.Version == codec.V5 {
		i |= 8
	}
	cacheable := d.SubscriptionID == 0 && d.Alias == 0 && !d.Dup
	if cacheable && p.cached&(1<<i) != 0 {
		f := &p.frames[i]
		at := len(dst)
		dst = append(dst, f.bytes...)
		if d.QoS > 0 {
			PatchID(dst, at+f.idAt, d.ID)
		}
		return dst
	}
	at := len(dst)
	dst = append(p.AppendHead(dst, d), p.Payload...)
	if cacheable {
		f := dst[at:len(dst):len(dst)]
		p.frames[i] = frame{f, idOffset(f, len(p.Topic))}
		p.cached |= 1 << i
	}
	return dst
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// idOffset is where the packet identifier stands in a PUBLISH frame.
func idOffset(f []byte, topicLen int) int {
	i := 1
	for f[i]&0x80 != 0 {
		i++
	}
	return i + 1 + 2 + topicLen
}

// KeyOf gives the 64-bit key of a client. It never changes for a name, so that
// it may decide where a client is kept on disk.
func KeyOf(mountpoint, clientID string) uint64 {
	if mountpoint == "" {
		return xxhash.Sum64String(clientID)
	}
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(mountpoint)
	_, _ = d.WriteString("\x00")
	_, _ = d.WriteString(clientID)
	return d.Sum64()
}
