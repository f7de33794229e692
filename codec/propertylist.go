package codec

import (
	"encoding/binary"
	"iter"
)

// PropertyID names a property [MQTT 5, 2.2.2.2].
type PropertyID byte

// The properties that something outside this package looks at or makes.
const (
	PayloadFormatIndicator PropertyID = propPayloadFormat
	MessageExpiryInterval  PropertyID = propMessageExpiry
	ContentType            PropertyID = propContentType
	ResponseTopic          PropertyID = propResponseTopic
	CorrelationData        PropertyID = propCorrelationData
	SubscriptionIdentifier PropertyID = propSubscriptionID
	SessionExpiryInterval  PropertyID = propSessionExpiry
	AuthenticationMethod   PropertyID = propAuthMethod
	AuthenticationData     PropertyID = propAuthData
	RequestProblemInfo     PropertyID = propRequestProblem
	WillDelayInterval      PropertyID = propWillDelay
	RequestResponseInfo    PropertyID = propRequestResponse
	ReceiveMaximum         PropertyID = propReceiveMax
	TopicAliasMaximum      PropertyID = propTopicAliasMax
	TopicAlias             PropertyID = propTopicAlias
	UserProperty           PropertyID = propUser
	MaximumPacketSize      PropertyID = propMaxPacketSize
)

// Property is one property. Numbers have only Number, strings and binary data
// only Bytes, a User Property its name in Bytes and its value in Value.
type Property struct {
	ID           PropertyID
	Number       uint32
	Bytes, Value []byte
}

// All yields the properties in their order.
func (ps Properties) All() iter.Seq[Property] {
	return func(yield func(Property) bool) {
		var p property
		for r := (reader{b: ps}); r.step(&p) != nil; {
			if !yield(Property{PropertyID(p.id), p.number, p.bytes, p.value}) {
				return
			}
		}
	}
}

// AppendProperty appends a property in wire format.
func AppendProperty(dst []byte, p Property) []byte {
	dst = append(dst, byte(p.ID))
	switch propTypes[p.ID] {
	case byteProp:
		return append(dst, byte(p.Number))
	case twoByteProp:
		return binary.BigEndian.AppendUint16(dst, uint16(p.Number))
	case fourByteProp:
		return binary.BigEndian.AppendUint32(dst, p.Number)
	case varintProp:
		return appendLength(dst, int(p.Number))
	case pairProp:
		return appendBytes(appendBytes(dst, p.Bytes), p.Value)
	}
	return appendBytes(dst, p.Bytes)
}

// ValidProperty checks a property as a PUBLISH or a will may have it, from a
// source other than a packet.
func ValidProperty(p Property) error {
	x := property{id: byte(p.ID), number: p.Number, bytes: p.Bytes, value: p.Value}
	if p.ID > propLast || !(publishProps | willProps).has(x.id) {
		return errPropUnknown
	}
	if len(p.Bytes) > 65535 || len(p.Value) > 65535 {
		return errPropValue
	}
	switch propTypes[x.id] {
	case textProp, pairProp:
		if !validText(p.Bytes) || !validText(p.Value) {
			return errUTF8
		}
	}
	if !x.valid() {
		return errPropValue
	}
	return nil
}

// DecodePublishProps reads properties of a PUBLISH or a will that come from
// somewhere else than a packet.
func DecodePublishProps(raw Properties, p *PublishProps) error {
	*p = PublishProps{Raw: raw}
	r := reader{b: raw}
	ps := propReader{in: r, allowed: publishProps | willProps}
	for ps.next(&r) {
		p.take(&ps.property)
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

// ValidText tells whether b may be a string in a packet: UTF-8 without U+0000,
// of at most 65,535 bytes [MQTT-1.5.4-1].
func ValidText(b []byte) bool { return len(b) <= 65535 && validText(b) }

// NewFilters makes the wire form of some filters, as a SUBSCRIBE has them.
func NewFilters(list []Filter) Filters {
	fs := Filters{n: len(list), options: true}
	for i := range list {
		fs.b = append(appendBytes(fs.b, list[i].Filter), list[i].optionByte(V5))
	}
	return fs
}
