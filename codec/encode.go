package codec

import "encoding/binary"

// appendLength appends a Variable Byte Integer.
func appendLength(dst []byte, n int) []byte {
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}

// LengthSize is the number of bytes of a Variable Byte Integer.
func LengthSize(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	}
	return 4
}

func appendBytes[T string | []byte](dst []byte, v T) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(v)))
	return append(dst, v...)
}

// PublishFirst is the first byte of a PUBLISH.
func PublishFirst(qos byte, dup, retain bool) byte {
	first := byte(PUBLISH)<<4 | qos<<1
	if dup {
		first |= 8
	}
	if retain {
		first |= 1
	}
	return first
}

// Outgoing are the properties of a PUBLISH that a broker sends. The zero value
// has none.
type Outgoing struct {
	Forward        []byte // as AppendForward made it
	Expiry         uint32
	HasExpiry      bool
	Alias          uint16 // 0 = none
	SubscriptionID uint32 // 0 = none
	MoreIDs        []uint32
}

func (o *Outgoing) size() int {
	n := len(o.Forward)
	if o.HasExpiry {
		n += 5
	}
	if o.Alias != 0 {
		n += 3
	}
	if o.SubscriptionID != 0 {
		n += 1 + LengthSize(int(o.SubscriptionID))
	}
	for _, id := range o.MoreIDs {
		n += 1 + LengthSize(int(id))
	}
	return n
}

func (o *Outgoing) append(dst []byte) []byte {
	if o.HasExpiry {
		dst = binary.BigEndian.AppendUint32(append(dst, propMessageExpiry), o.Expiry)
	}
	if o.Alias != 0 {
		dst = binary.BigEndian.AppendUint16(append(dst, propTopicAlias), o.Alias)
	}
	if o.SubscriptionID != 0 {
		dst = appendLength(append(dst, propSubscriptionID), int(o.SubscriptionID))
	}
	for _, id := range o.MoreIDs {
		dst = appendLength(append(dst, propSubscriptionID), int(id))
	}
	return append(dst, o.Forward...)
}

// publishRemaining is the Remaining Length of a PUBLISH and the length of its
// properties.
func publishRemaining(v Version, first byte, topicLen int, out *Outgoing, payloadLen int) (remaining, props int) {
	remaining = 2 + topicLen + payloadLen
	if first&6 != 0 {
		remaining += 2
	}
	if v == V5 {
		if out != nil {
			props = out.size()
		}
		remaining += LengthSize(props) + props
	}
	return remaining, props
}

// PublishSize is the size of the whole packet that AppendPublishHead begins.
func PublishSize(v Version, first byte, topicLen int, out *Outgoing, payloadLen int) int {
	n, _ := publishRemaining(v, first, topicLen, out, payloadLen)
	return 1 + LengthSize(n) + n
}

// AppendPublishHead appends all of a PUBLISH up to its payload. first is as
// PublishFirst makes it, id counts for QoS above 0 only. The topic may be empty
// with an alias. out is for MQTT 5; nil means no properties.
func AppendPublishHead(dst []byte, v Version, first byte, topic []byte, id uint16, out *Outgoing, payloadLen int) []byte {
	remaining, props := publishRemaining(v, first, len(topic), out, payloadLen)
	dst = appendLength(append(dst, first), remaining)
	dst = append(dst, byte(len(topic)>>8), byte(len(topic)))
	dst = append(dst, topic...)
	if first&6 != 0 {
		dst = append(dst, byte(id>>8), byte(id))
	}
	if v == V5 {
		dst = appendLength(dst, props)
		if props > 0 {
			dst = out.append(dst)
		}
	}
	return dst
}

// AppendPublish appends a PUBLISH with all the properties that it was decoded
// with.
func AppendPublish(dst []byte, v Version, p *Publish) []byte {
	out := Outgoing{Forward: p.Props.Raw}
	dst = AppendPublishHead(dst, v, PublishFirst(p.QoS, p.Dup, p.Retain), p.Topic, p.PacketID, &out, len(p.Payload))
	return append(dst, p.Payload...)
}

// AppendAck appends a PUBACK, PUBREC, PUBREL or PUBCOMP in its shortest form.
// Reason and reason string are for MQTT 5 only.
func AppendAck(dst []byte, v Version, t Type, id uint16, r ReasonCode, reason string) []byte {
	first := byte(t) << 4
	if t == PUBREL {
		first |= 2
	}
	switch {
	case v != V5 || r == Success && reason == "":
		return append(dst, first, 2, byte(id>>8), byte(id))
	case reason == "":
		return append(dst, first, 3, byte(id>>8), byte(id), byte(r))
	}
	props := 3 + len(reason)
	dst = appendLength(append(dst, first), 3+LengthSize(props)+props)
	dst = append(dst, byte(id>>8), byte(id), byte(r))
	return appendReasonString(appendLength(dst, props), reason)
}

func appendReasonString(dst []byte, reason string) []byte {
	return appendBytes(append(dst, propReasonString), reason)
}

// ConnackProps are the properties of a CONNACK; those with the zero value are
// left out.
type ConnackProps struct {
	SessionExpiry      uint32
	HasSessionExpiry   bool
	ReceiveMax         uint16
	MaxQoS             byte // counts with HasMaxQoS
	HasMaxQoS          bool
	NoRetain           bool
	NoWildcards        bool
	NoSubscriptionIDs  bool
	NoShared           bool
	MaxPacketSize      uint32
	AssignedClientID   string
	TopicAliasMax      uint16
	ServerKeepAlive    uint16
	HasServerKeepAlive bool
	ReasonString       string
	ResponseInfo       string
	ServerReference    string
	AuthMethod         string
	AuthData           []byte
	More               Properties // appended as they are, as user properties
}

func (p *ConnackProps) append(dst []byte) []byte {
	number32 := func(has bool, id byte, n uint32) {
		if has {
			dst = binary.BigEndian.AppendUint32(append(dst, id), n)
		}
	}
	number16 := func(has bool, id byte, n uint16) {
		if has {
			dst = binary.BigEndian.AppendUint16(append(dst, id), n)
		}
	}
	number8 := func(has bool, id, n byte) {
		if has {
			dst = append(dst, id, n)
		}
	}
	text := func(id byte, s string) {
		if s != "" {
			dst = appendBytes(append(dst, id), s)
		}
	}
	number32(p.HasSessionExpiry, propSessionExpiry, p.SessionExpiry)
	number16(p.ReceiveMax != 0, propReceiveMax, p.ReceiveMax)
	number8(p.HasMaxQoS, propMaxQoS, p.MaxQoS)
	number8(p.NoRetain, propRetainAvailable, 0)
	number32(p.MaxPacketSize != 0, propMaxPacketSize, p.MaxPacketSize)
	text(propAssignedClientID, p.AssignedClientID)
	number16(p.TopicAliasMax != 0, propTopicAliasMax, p.TopicAliasMax)
	text(propReasonString, p.ReasonString)
	number8(p.NoWildcards, propWildcardAvailable, 0)
	number8(p.NoSubscriptionIDs, propSubIDAvailable, 0)
	number8(p.NoShared, propSharedAvailable, 0)
	number16(p.HasServerKeepAlive, propServerKeepAlive, p.ServerKeepAlive)
	text(propResponseInfo, p.ResponseInfo)
	text(propServerReference, p.ServerReference)
	text(propAuthMethod, p.AuthMethod)
	if p.AuthData != nil {
		dst = appendBytes(append(dst, propAuthData), p.AuthData)
	}
	return append(dst, p.More...)
}

// AppendConnack appends a CONNACK. For MQTT 3 the reason becomes a return
// code. p may be nil. A refusal never says that a session is present.
func AppendConnack(dst []byte, v Version, sessionPresent bool, r ReasonCode, p *ConnackProps) []byte {
	present := byte(0)
	if sessionPresent && r == Success { // [MQTT-3.2.2-6]
		present = 1
	}
	if v != V5 {
		return append(dst, byte(CONNACK)<<4, 2, present, r.ConnackV3())
	}
	var scratch [128]byte
	props := scratch[:0]
	if p != nil {
		props = p.append(props)
	}
	dst = appendLength(append(dst, byte(CONNACK)<<4), 2+LengthSize(len(props))+len(props))
	dst = appendLength(append(dst, present, byte(r)), len(props))
	return append(dst, props...)
}

// AppendSuback appends a SUBACK. For MQTT 3 every failure is 0x80.
func AppendSuback(dst []byte, v Version, id uint16, codes []byte, reason string) []byte {
	at := len(dst) + 2
	dst = appendCodes(dst, SUBACK, v, id, codes, reason)
	if v != V5 {
		tail := dst[max(at, len(dst)-len(codes)):]
		for i, c := range tail {
			if c > 0x80 {
				tail[i] = 0x80
			}
		}
	}
	return dst
}

// AppendUnsuback appends an UNSUBACK; MQTT 3 has no codes in it.
func AppendUnsuback(dst []byte, v Version, id uint16, codes []byte, reason string) []byte {
	if v != V5 {
		codes = nil
	}
	return appendCodes(dst, UNSUBACK, v, id, codes, reason)
}

func appendCodes(dst []byte, t Type, v Version, id uint16, codes []byte, reason string) []byte {
	props := 0
	if reason != "" {
		props = 3 + len(reason)
	}
	remaining := 2 + len(codes)
	if v == V5 {
		remaining += LengthSize(props) + props
	}
	dst = appendLength(append(dst, byte(t)<<4), remaining)
	dst = binary.BigEndian.AppendUint16(dst, id)
	if v == V5 {
		if dst = appendLength(dst, props); props > 0 {
			dst = appendReasonString(dst, reason)
		}
	}
	return append(dst, codes...)
}

// AppendPingreq appends a PINGREQ.
func AppendPingreq(dst []byte) []byte { return append(dst, byte(PINGREQ)<<4, 0) }

// AppendPingresp appends a PINGRESP.
func AppendPingresp(dst []byte) []byte { return append(dst, byte(PINGRESP)<<4, 0) }

// AppendDisconnect appends a DISCONNECT; for MQTT 3 it has no body.
func AppendDisconnect(dst []byte, v Version, r ReasonCode, reason, serverReference string) []byte {
	first := byte(DISCONNECT) << 4
	if v != V5 || r == Success && reason == "" && serverReference == "" {
		return append(dst, first, 0)
	}
	if reason == "" && serverReference == "" {
		return append(dst, first, 1, byte(r))
	}
	props := 0
	for _, s := range []string{reason, serverReference} {
		if s != "" {
			props += 3 + len(s)
		}
	}
	dst = appendLength(append(dst, first), 1+LengthSize(props)+props)
	dst = appendLength(append(dst, byte(r)), props)
	if reason != "" {
		dst = appendReasonString(dst, reason)
	}
	if serverReference != "" {
		dst = appendBytes(append(dst, propServerReference), serverReference)
	}
	return dst
}

// AppendAuth appends an AUTH.
func AppendAuth(dst []byte, r ReasonCode, method string, data []byte, reason string) []byte {
	props := appendBytes([]byte{propAuthMethod}, method)
	if data != nil {
		props = appendBytes(append(props, propAuthData), data)
	}
	if reason != "" {
		props = appendReasonString(props, reason)
	}
	dst = appendLength(append(dst, byte(AUTH)<<4), 1+LengthSize(len(props))+len(props))
	dst = appendLength(append(dst, byte(r)), len(props))
	return append(dst, props...)
}
