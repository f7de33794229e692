package codec

import "fmt"

// ReasonCode is a reason code of MQTT 5 [MQTT 5, 2.4].
type ReasonCode byte

// The reason codes.
const (
	Success                     ReasonCode = 0x00
	GrantedQoS1                 ReasonCode = 0x01
	GrantedQoS2                 ReasonCode = 0x02
	DisconnectWithWill          ReasonCode = 0x04
	NoMatchingSubscribers       ReasonCode = 0x10
	NoSubscriptionExisted       ReasonCode = 0x11
	ContinueAuthentication      ReasonCode = 0x18
	Reauthenticate              ReasonCode = 0x19
	UnspecifiedError            ReasonCode = 0x80
	MalformedPacket             ReasonCode = 0x81
	ProtocolError               ReasonCode = 0x82
	ImplementationSpecificError ReasonCode = 0x83
	UnsupportedProtocolVersion  ReasonCode = 0x84
	ClientIdentifierNotValid    ReasonCode = 0x85
	BadUsernameOrPassword       ReasonCode = 0x86
	NotAuthorized               ReasonCode = 0x87
	ServerUnavailable           ReasonCode = 0x88
	ServerBusy                  ReasonCode = 0x89
	Banned                      ReasonCode = 0x8A
	ServerShuttingDown          ReasonCode = 0x8B
	BadAuthenticationMethod     ReasonCode = 0x8C
	KeepAliveTimeout            ReasonCode = 0x8D
	SessionTakenOver            ReasonCode = 0x8E
	TopicFilterInvalid          ReasonCode = 0x8F
	TopicNameInvalid            ReasonCode = 0x90
	PacketIdentifierInUse       ReasonCode = 0x91
	PacketIdentifierNotFound    ReasonCode = 0x92
	ReceiveMaximumExceeded      ReasonCode = 0x93
	TopicAliasInvalid           ReasonCode = 0x94
	PacketTooLarge              ReasonCode = 0x95
	MessageRateTooHigh          ReasonCode = 0x96
	QuotaExceeded               ReasonCode = 0x97
	AdministrativeAction        ReasonCode = 0x98
	PayloadFormatInvalid        ReasonCode = 0x99
	RetainNotSupported          ReasonCode = 0x9A
	QoSNotSupported             ReasonCode = 0x9B
	UseAnotherServer            ReasonCode = 0x9C
	ServerMoved                 ReasonCode = 0x9D
	SharedNotSupported          ReasonCode = 0x9E
	ConnectionRateExceeded      ReasonCode = 0x9F
	MaximumConnectTime          ReasonCode = 0xA0
	IdentifiersNotSupported     ReasonCode = 0xA1
	WildcardsNotSupported       ReasonCode = 0xA2
)

// where tells in which packets a reason code may stand, one bit per packet.
type where uint16

const (
	inConnack where = 1 << iota
	inPuback
	inPubrec
	inPubrel
	inPubcomp
	inSuback
	inUnsuback
	inDisconnect
	inAuth
	inAcks = inPuback | inPubrec
)

var reasons = map[ReasonCode]struct {
	name string
	in   where
}{
	Success:                     {"success", inConnack | inAcks | inPubrel | inPubcomp | inSuback | inUnsuback | inDisconnect | inAuth},
	GrantedQoS1:                 {"granted QoS 1", inSuback},
	GrantedQoS2:                 {"granted QoS 2", inSuback},
	DisconnectWithWill:          {"disconnect with will message", inDisconnect},
	NoMatchingSubscribers:       {"no matching subscribers", inAcks},
	NoSubscriptionExisted:       {"no subscription existed", inUnsuback},
	ContinueAuthentication:      {"continue authentication", inAuth},
	Reauthenticate:              {"re-authenticate", inAuth},
	UnspecifiedError:            {"unspecified error", inConnack | inAcks | inSuback | inUnsuback | inDisconnect},
	MalformedPacket:             {"malformed packet", inConnack | inDisconnect},
	ProtocolError:               {"protocol error", inConnack | inDisconnect},
	ImplementationSpecificError: {"implementation specific error", inConnack | inAcks | inSuback | inUnsuback | inDisconnect},
	UnsupportedProtocolVersion:  {"unsupported protocol version", inConnack},
	ClientIdentifierNotValid:    {"client identifier not valid", inConnack},
	BadUsernameOrPassword:       {"bad user name or password", inConnack},
	NotAuthorized:               {"not authorized", inConnack | inAcks | inSuback | inUnsuback | inDisconnect},
	ServerUnavailable:           {"server unavailable", inConnack},
	ServerBusy:                  {"server busy", inConnack | inDisconnect},
	Banned:                      {"banned", inConnack},
	ServerShuttingDown:          {"server shutting down", inDisconnect},
	BadAuthenticationMethod:     {"bad authentication method", inConnack | inDisconnect},
	KeepAliveTimeout:            {"keep alive timeout", inDisconnect},
	SessionTakenOver:            {"session taken over", inDisconnect},
	TopicFilterInvalid:          {"topic filter invalid", inSuback | inUnsuback | inDisconnect},
	TopicNameInvalid:            {"topic name invalid", inConnack | inAcks | inDisconnect},
	PacketIdentifierInUse:       {"packet identifier in use", inAcks | inSuback | inUnsuback},
	PacketIdentifierNotFound:    {"packet identifier not found", inPubrel | inPubcomp},
	ReceiveMaximumExceeded:      {"receive maximum exceeded", inDisconnect},
	TopicAliasInvalid:           {"topic alias invalid", inDisconnect},
	PacketTooLarge:              {"packet too large", inConnack | inDisconnect},
	MessageRateTooHigh:          {"message rate too high", inDisconnect},
	QuotaExceeded:               {"quota exceeded", inConnack | inAcks | inSuback | inDisconnect},
	AdministrativeAction:        {"administrative action", inDisconnect},
	PayloadFormatInvalid:        {"payload format invalid", inConnack | inAcks | inDisconnect},
	RetainNotSupported:          {"retain not supported", inConnack | inDisconnect},
	QoSNotSupported:             {"QoS not supported", inConnack | inDisconnect},
	UseAnotherServer:            {"use another server", inConnack | inDisconnect},
	ServerMoved:                 {"server moved", inConnack | inDisconnect},
	SharedNotSupported:          {"shared subscriptions not supported", inSuback | inDisconnect},
	ConnectionRateExceeded:      {"connection rate exceeded", inConnack | inDisconnect},
	MaximumConnectTime:          {"maximum connect time", inDisconnect},
	IdentifiersNotSupported:     {"subscription identifiers not supported", inSuback | inDisconnect},
	WildcardsNotSupported:       {"wildcard subscriptions not supported", inSuback | inDisconnect},
}

// legal is reasons as a table, for decoding.
var legal [256]where

func init() {
	for code, r := range reasons {
		legal[code] = r.in
	}
}

// answers are the packets that tell a client of a failure.
var answers = [16]where{CONNACK: inConnack, PUBACK: inPuback, PUBREC: inPubrec, SUBACK: inSuback, UNSUBACK: inUnsuback, DISCONNECT: inDisconnect}

// Refuses tells whether the code is a failure that a packet of a type may carry:
// CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK or DISCONNECT.
func (c ReasonCode) Refuses(t Type) bool {
	return c >= 0x80 && legal[c]&answers[t&15] != 0
}

func (c ReasonCode) String() string {
	if r, ok := reasons[c]; ok {
		return r.name
	}
	return fmt.Sprintf("reason code 0x%02x", byte(c))
}

// The return codes of CONNACK in MQTT 3.1 and 3.1.1.
const (
	ReturnAccepted           = 0
	ReturnBadProtocolVersion = 1
	ReturnIdentifierRejected = 2
	ReturnServerUnavailable  = 3
	ReturnBadCredentials     = 4
	ReturnNotAuthorized      = 5
)

// ConnackV3 gives the return code of MQTT 3.1 and 3.1.1 for a reason.
func (c ReasonCode) ConnackV3() byte {
	switch c {
	case Success:
		return ReturnAccepted
	case UnsupportedProtocolVersion:
		return ReturnBadProtocolVersion
	case ClientIdentifierNotValid:
		return ReturnIdentifierRejected
	case BadUsernameOrPassword:
		return ReturnBadCredentials
	case NotAuthorized, Banned, BadAuthenticationMethod:
		return ReturnNotAuthorized
	}
	return ReturnServerUnavailable
}
