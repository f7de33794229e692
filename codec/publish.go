package codec

// Publish is a PUBLISH packet.
type Publish struct {
	Dup, Retain bool
	QoS         byte
	PacketID    uint16 // QoS > 0
	Topic       []byte
	Payload     []byte
	Props       PublishProps // MQTT 5
}

// PublishProps are the properties of a PUBLISH or of a will.
type PublishProps struct {
	Raw              Properties // all of them
	Expiry           uint32     // Message Expiry Interval in seconds
	HasExpiry        bool
	HasAlias         bool
	Alias            uint16 // Topic Alias
	HasPayloadFormat bool
	PayloadFormat    byte
	ContentType      []byte
	ResponseTopic    []byte
	CorrelationData  []byte
	// Forward tells that there are properties which a broker passes on
	// unchanged; mixed that there are others as well.
	Forward bool
	mixed   bool
	subID   bool
}

func (p *PublishProps) take(x *property) {
	switch x.id {
	case propMessageExpiry:
		p.Expiry, p.HasExpiry, p.mixed = x.number, true, true
		return
	case propTopicAlias:
		p.Alias, p.HasAlias, p.mixed = uint16(x.number), true, true
		return
	case propSubscriptionID:
		p.subID, p.mixed = true, true
		return
	case propWillDelay:
		p.mixed = true
		return
	case propPayloadFormat:
		p.PayloadFormat, p.HasPayloadFormat = byte(x.number), true
	case propContentType:
		p.ContentType = x.bytes
	case propResponseTopic:
		p.ResponseTopic = x.bytes
	case propCorrelationData:
		p.CorrelationData = x.bytes
	}
	p.Forward = true
}

// HasSubscriptionID tells that there is a Subscription Identifier, which a
// client may not send [MQTT-3.3.4-6].
func (p *PublishProps) HasSubscriptionID() bool { return p.subID }

// SubscriptionIDs yields the Subscription Identifiers in their order.
func (p *PublishProps) SubscriptionIDs(yield func(id uint32) bool) {
	var x property
	for r := (reader{b: p.Raw}); r.step(&x) != nil; {
		if x.id == propSubscriptionID && !yield(x.number) {
			return
		}
	}
}

// AppendForward appends the properties that a broker passes on unchanged, in
// their order: all but Topic Alias, Message Expiry Interval, Subscription
// Identifiers and Will Delay Interval.
func (p *PublishProps) AppendForward(dst []byte) []byte {
	if !p.Forward {
		return dst
	}
	if !p.mixed {
		return append(dst, p.Raw...)
	}
	var x property
	r := reader{b: p.Raw}
	for raw := r.step(&x); raw != nil; raw = r.step(&x) {
		switch x.id {
		case propMessageExpiry, propTopicAlias, propSubscriptionID, propWillDelay:
		default:
			dst = append(dst, raw...)
		}
	}
	return dst
}

var (
	errQoS     = malformed("QoS is 3")
	errNoTopic = violation("PUBLISH without topic and without Topic Alias")
)

// DecodePublish decodes a PUBLISH. A QoS 0 packet with DUP is accepted, as
// many brokers do.
func DecodePublish(v Version, f Frame, p *Publish) error {
	p.Dup, p.QoS, p.Retain = f.First&8 != 0, f.First>>1&3, f.First&1 != 0
	p.PacketID = 0
	if p.QoS == 3 { // [MQTT-3.3.1-4]
		return errQoS
	}
	b := f.Body
	if len(b) < 2 {
		return errShort
	}
	at := 2 + int(b[0])<<8 + int(b[1])
	if len(b) < at {
		return errShort
	}
	p.Topic = b[2:at:at]
	if p.QoS > 0 {
		if len(b) < at+2 {
			return errShort
		}
		if p.PacketID = uint16(b[at])<<8 | uint16(b[at+1]); p.PacketID == 0 {
			return errPacketID
		}
		at += 2
	}
	if err := topicName(p.Topic); err != nil {
		return err
	}
	if v == V5 {
		return p.version5(b[at:])
	}
	if len(p.Topic) == 0 {
		return errTopicEmpty
	}
	p.Props, p.Payload = PublishProps{}, b[at:]
	return nil
}

// version5 reads properties and payload.
func (p *Publish) version5(b []byte) error {
	p.Props = PublishProps{}
	if len(b) > 0 && b[0] == 0 {
		p.Payload = b[1:]
	} else {
		r := reader{b: b}
		ps, raw := r.properties(publishProps)
		for p.Props.Raw = raw; ps.next(&r); {
			p.Props.take(&ps.property)
		}
		if r.err != nil {
			return r.err
		}
		p.Payload = r.b
	}
	if len(p.Topic) == 0 && !p.Props.HasAlias {
		return errNoTopic
	}
	return nil
}
