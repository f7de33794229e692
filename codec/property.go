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

// propReader walks through the properties of a packet. After each successful
// next, the property is there, checked.
type propReader struct {
	property
	in            reader
	allowed, seen propSet
}

// properties opens the properties of a packet.
func (r *reader) properties(allowed propSet) (ps propReader, raw Properties) {
	n := r.varint()
	if n > len(r.b) {
		r.fail(errPropLength)
	}
	raw = r.take(n)
	return propReader{in: reader{b: raw}, allowed: allowed}, raw
}

// next reads and checks the next property. It returns false at the end, or
// when a property is refused; the packet's reader knows then.
func (ps *propReader) next(r *reader) bool {
	if len(ps.in.b) == 0 {
		return false
	}
	err := ps.read()
	if err != nil {
		r.fail(err)
	}
	return err == nil
}

// skipProperties checks properties that nobody looks at.
func (r *reader) skipProperties(allowed propSet) Properties {
	ps, raw := r.properties(allowed)
	for ps.next(r) {
	}
	return raw
}

func (ps *propReader) read() *Error {
	ps.property = property{id: ps.in.byte()}
	if ps.id > propLast || !ps.allowed.has(ps.id) {
		return errPropUnknown
	}
	// A packet from a server may hold several Subscription Identifiers.
	many := ps.id == propUser || ps.id == propSubscriptionID && ps.allowed.has(propTopicAlias)
	if ps.seen.has(ps.id) && !many {
		return errPropTwice
	}
	ps.seen |= 1 << ps.id
	ps.in.value(&ps.property)
	switch {
	case ps.in.err != nil:
		return ps.in.err
	case ps.valid():
		return nil
	case ps.id == propTopicAlias:
		return errAliasZero
	}
	return errPropValue
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
	var p property
	for r := (reader{b: ps}); r.step(&p) != nil; {
		if p.id == propUser && !yield(p.bytes, p.value) {
			return
		}
	}
}

// ReasonString is the Reason String, nil when there is none.
func (ps Properties) ReasonString() []byte {
	var p property
	for r := (reader{b: ps}); r.step(&p) != nil; {
		if p.id == propReasonString {
			return p.bytes
		}
	}
	return nil
}

// step takes the next of properties that are known to be valid, with its
// bytes; nil at the end.
func (r *reader) step(p *property) (raw []byte) {
	at := r.b
	if len(at) == 0 || at[0] > propLast {
		return nil
	}
	*p = property{id: r.byte()}
	if r.value(p); r.err != nil {
		return nil
	}
	return at[:len(at)-len(r.b)]
}
