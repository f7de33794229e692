package codec

// Properties are the properties of a packet in wire format, without their
// length. Those of a decoded packet are valid.
type Properties []byte

// Identifiers of properties [MQTT 5, 2.2.2.2].
const (
	propPayloadFormat     = 0x01
	propMessageExpiry     = 0x02
	propContentType       = 0x03
	propResponseTopic     = 0x08
	propCorrelationData   = 0x09
	propSubscriptionID    = 0x0B
	propSessionExpiry     = 0x11
	propAssignedClientID  = 0x12
	propServerKeepAlive   = 0x13
	propAuthMethod        = 0x15
	propAuthData          = 0x16
	propRequestProblem    = 0x17
	propWillDelay         = 0x18
	propRequestResponse   = 0x19
	propResponseInfo      = 0x1A
	propServerReference   = 0x1C
	propReasonString      = 0x1F
	propReceiveMax        = 0x21
	propTopicAliasMax     = 0x22
	propTopicAlias        = 0x23
	propMaxQoS            = 0x24
	propRetainAvailable   = 0x25
	propUser              = 0x26
	propMaxPacketSize     = 0x27
	propWildcardAvailable = 0x28
	propSubIDAvailable    = 0x29
	propSharedAvailable   = 0x2A
	propLast              = 0x2A
)

// propType is the wire type of a property.
type propType byte

const (
	noProp propType = iota
	byteProp
	twoByteProp
	fourByteProp
	varintProp
	textProp
	binaryProp
	pairProp
)

var propTypes = [propLast + 1]propType{
	propPayloadFormat: byteProp, propMessageExpiry: fourByteProp, propContentType: textProp,
	propResponseTopic: textProp, propCorrelationData: binaryProp, propSubscriptionID: varintProp,
	propSessionExpiry: fourByteProp, propAssignedClientID: textProp, propServerKeepAlive: twoByteProp,
	propAuthMethod: textProp, propAuthData: binaryProp, propRequestProblem: byteProp,
	propWillDelay: fourByteProp, propRequestResponse: byteProp, propResponseInfo: textProp,
	propServerReference: textProp, propReasonString: textProp, propReceiveMax: twoByteProp,
	propTopicAliasMax: twoByteProp, propTopicAlias: twoByteProp, propMaxQoS: byteProp,
	propRetainAvailable: byteProp, propUser: pairProp, propMaxPacketSize: fourByteProp,
	propWildcardAvailable: byteProp, propSubIDAvailable: byteProp, propSharedAvailable: byteProp,
}

// propSet is a set of property identifiers.
type propSet uint64

func props(ids ...byte) (s propSet) {
	for _, id := range ids {
		s |= 1 << id
	}
	return s
}

func (s propSet) has(id byte) bool { return s&(1<<id) != 0 }

// What may stand where [MQTT 5, table 2-4].
var (
	connectProps = props(propSessionExpiry, propReceiveMax, propMaxPacketSize, propTopicAliasMax,
		propRequestResponse, propRequestProblem, propUser, propAuthMethod, propAuthData)
	willProps = props(propWillDelay, propPayloadFormat, propMessageExpiry, propContentType,
		propResponseTopic, propCorrelationData, propUser)
	connackProps = props(propSessionExpiry, propReceiveMax, propMaxQoS, propRetainAvailable, propMaxPacketSize,
		propAssignedClientID, propTopicAliasMax, propReasonString, propUser, propWildcardAvailable,
		propSubIDAvailable, propSharedAvailable, propServerKeepAlive, propResponseInfo,
		propServerReference, propAuthMethod, propAuthData)
	publishProps = props(propPayloadFormat, propMessageExpiry, propTopicAlias, propResponseTopic,
		propCorrelationData, propUser, propSubscriptionID, propContentType)
	ackProps         = props(propReasonString, propUser)
	subscribeProps   = props(propSubscriptionID, propUser)
	unsubscribeProps = props(propUser)
	disconnectProps  = props(propSessionExpiry, propReasonString, propUser, propServerReference)
	authProps        = props(propAuthMethod, propAuthData, propReasonString, propUser)
)

// property is one property. Which of the values counts depends on its type.
type property struct {
	id     byte
	number uint32
	bytes  []byte // value of a string or binary property, name of a pair
	value  []byte // value of a pair
}

var (
	errPropUnknown = malformed("unknown property, or one that does not belong into the packet")
	errPropTwice   = violation("property given twice")
	errPropValue   = violation("value of a property is not allowed")
	errPropLength  = malformed("Property Length goes beyond the packet")
)

// properties reads the properties of a packet. It calls each for every one
// after it was checked; each may refuse it.
func (r *reader) properties(allowed propSet, each func(p *property) *Error) Properties {
	raw := r.take(r.varint())
	if r.err != nil {
		r.err = errPropLength
		return nil
	}
	in := reader{b: raw}
	var seen propSet
	for len(in.b) > 0 {
		p, err := in.property(allowed, &seen)
		if err == nil && each != nil {
			err = each(&p)
		}
		if err != nil {
			r.fail(err)
			return nil
		}
	}
	return raw
}

// property reads and checks the next property.
func (r *reader) property(allowed propSet, seen *propSet) (p property, err *Error) {
	p.id = r.b[0]
	r.b = r.b[1:]
	if p.id > propLast || !allowed.has(p.id) {
		return p, errPropUnknown
	}
	// A packet from a server may hold several Subscription Identifiers.
	many := p.id == propUser || p.id == propSubscriptionID && allowed.has(propTopicAlias)
	if seen.has(p.id) && !many {
		return p, errPropTwice
	}
	*seen |= 1 << p.id
	r.value(&p)
	if r.err != nil {
		return p, r.err
	}
	if !p.valid() {
		if p.id == propTopicAlias {
			return p, errAliasZero
		}
		return p, errPropValue
	}
	return p, nil
}

func (r *reader) value(p *property) {
	switch propTypes[p.id] {
	case byteProp:
		p.number = uint32(r.byte())
	case twoByteProp:
		p.number = uint32(r.uint16())
	case fourByteProp:
		p.number = r.uint32()
	case varintProp:
		p.number = uint32(r.varint())
	case textProp:
		p.bytes = r.text()
	case binaryProp:
		p.bytes = r.binary()
	case pairProp:
		p.bytes = r.text()
		p.value = r.text()
	}
}

var errAliasZero = &Error{TopicAliasInvalid, "Topic Alias is 0"}

// valid checks the value of a property as far as the property itself tells.
func (p *property) valid() bool {
	switch p.id {
	case propPayloadFormat, propRequestProblem, propRequestResponse, propMaxQoS, propRetainAvailable,
		propWildcardAvailable, propSubIDAvailable, propSharedAvailable:
		return p.number <= 1
	case propSubscriptionID, propReceiveMax, propMaxPacketSize, propTopicAlias:
		return p.number != 0
	case propResponseTopic: // [MQTT-3.3.2-14]
		return topicName(p.bytes) == nil
	}
	return true
}

// Users yields the user properties in their order.
func (ps Properties) Users(yield func(name, value []byte) bool) {
	ps.each(func(p *property, _ []byte) bool {
		return p.id != propUser || yield(p.bytes, p.value)
	})
}

// ReasonString is the Reason String, nil when there is none.
func (ps Properties) ReasonString() (s []byte) {
	ps.each(func(p *property, _ []byte) bool {
		if p.id == propReasonString {
			s = p.bytes
		}
		return true
	})
	return s
}

// each yields properties that are known to be valid, with their bytes.
func (ps Properties) each(yield func(p *property, raw []byte) bool) {
	r := reader{b: ps}
	for len(r.b) > 0 && r.err == nil {
		at := r.b
		p := property{id: r.b[0]}
		r.b = r.b[1:]
		if p.id > propLast {
			return
		}
		r.value(&p)
		if r.err != nil || !yield(&p, at[:len(at)-len(r.b)]) {
			return
		}
	}
}
