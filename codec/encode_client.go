package codec

import "encoding/binary"

// AppendConnect appends a CONNECT. Properties are written from Props when it is
// set, else from the fields; those of the will likewise.
func AppendConnect(dst []byte, c *Connect) []byte {
	name, level := "MQTT", byte(c.Version)
	if c.Version == V31 {
		name = "MQIsdp"
	}
	if c.Bridge {
		level |= 0x80
	}
	body := appendBytes(nil, name)
	body = append(body, level, c.flags())
	body = binary.BigEndian.AppendUint16(body, c.KeepAlive)
	if c.Version == V5 {
		props := c.appendProps(nil)
		body = append(appendLength(body, len(props)), props...)
	}
	body = appendBytes(body, c.ClientID)
	if c.HasWill {
		if c.Version == V5 {
			props := c.Will.appendProps(nil)
			body = append(appendLength(body, len(props)), props...)
		}
		body = appendBytes(body, c.Will.Topic)
		body = appendBytes(body, c.Will.Payload)
	}
	if c.HasUsername {
		body = appendBytes(body, c.Username)
	}
	if c.HasPassword {
		body = appendBytes(body, c.Password)
	}
	dst = appendLength(append(dst, byte(CONNECT)<<4), len(body))
	return append(dst, body...)
}

func (c *Connect) flags() (f byte) {
	for _, x := range []struct {
		on  bool
		bit byte
	}{{c.CleanStart, 2}, {c.HasWill, 4}, {c.HasWill && c.Will.Retain, 0x20}, {c.HasPassword, 0x40}, {c.HasUsername, 0x80}} {
		if x.on {
			f |= x.bit
		}
	}
	if c.HasWill {
		f |= c.Will.QoS << 3
	}
	return f
}

func (c *Connect) appendProps(dst []byte) []byte {
	if c.Props != nil {
		return append(dst, c.Props...)
	}
	if c.SessionExpiry != 0 {
		dst = binary.BigEndian.AppendUint32(append(dst, propSessionExpiry), c.SessionExpiry)
	}
	if c.ReceiveMax != 0 && c.ReceiveMax != 65535 {
		dst = binary.BigEndian.AppendUint16(append(dst, propReceiveMax), c.ReceiveMax)
	}
	if c.MaxPacketSize != 0 {
		dst = binary.BigEndian.AppendUint32(append(dst, propMaxPacketSize), c.MaxPacketSize)
	}
	if c.TopicAliasMax != 0 {
		dst = binary.BigEndian.AppendUint16(append(dst, propTopicAliasMax), c.TopicAliasMax)
	}
	if c.RequestResponseInfo {
		dst = append(dst, propRequestResponse, 1)
	}
	if !c.RequestProblemInfo {
		dst = append(dst, propRequestProblem, 0)
	}
	if c.HasAuthMethod {
		dst = appendBytes(append(dst, propAuthMethod), c.AuthMethod)
		if c.AuthData != nil {
			dst = appendBytes(append(dst, propAuthData), c.AuthData)
		}
	}
	return dst
}

func (w *Will) appendProps(dst []byte) []byte {
	if w.Props.Raw != nil {
		return append(dst, w.Props.Raw...)
	}
	if w.Delay != 0 {
		dst = binary.BigEndian.AppendUint32(append(dst, propWillDelay), w.Delay)
	}
	if w.Props.HasExpiry {
		dst = binary.BigEndian.AppendUint32(append(dst, propMessageExpiry), w.Props.Expiry)
	}
	return dst
}

// AppendSubscribe appends a SUBSCRIBE. subID is for MQTT 5, 0 = none.
func AppendSubscribe(dst []byte, v Version, id uint16, subID uint32, filters []Filter) []byte {
	body := binary.BigEndian.AppendUint16(nil, id)
	if v == V5 {
		var props []byte
		if subID != 0 {
			props = appendLength([]byte{propSubscriptionID}, int(subID))
		}
		body = append(appendLength(body, len(props)), props...)
	}
	for i := range filters {
		body = append(appendBytes(body, filters[i].Filter), filters[i].optionByte(v))
	}
	dst = appendLength(append(dst, byte(SUBSCRIBE)<<4|2), len(body))
	return append(dst, body...)
}

func (f *Filter) optionByte(v Version) byte {
	o := f.QoS
	if v != V5 {
		return o
	}
	if f.NoLocal {
		o |= 4
	}
	if f.RetainAsPublished {
		o |= 8
	}
	return o | f.RetainHandling<<4
}

// AppendUnsubscribe appends an UNSUBSCRIBE.
func AppendUnsubscribe(dst []byte, v Version, id uint16, filters [][]byte) []byte {
	body := binary.BigEndian.AppendUint16(nil, id)
	if v == V5 {
		body = append(body, 0)
	}
	for _, f := range filters {
		body = appendBytes(body, f)
	}
	dst = appendLength(append(dst, byte(UNSUBSCRIBE)<<4|2), len(body))
	return append(dst, body...)
}
