package codec

// Ack is a PUBACK, PUBREC, PUBREL or PUBCOMP packet.
type Ack struct {
	PacketID uint16
	Reason   ReasonCode
	Props    Properties
}

// DecodeAck decodes a PUBACK, PUBREC, PUBREL or PUBCOMP.
func DecodeAck(v Version, f Frame, a *Ack) error {
	if err := flags(v, f); err != nil {
		return err
	}
	r := reader{b: f.Body}
	a.PacketID, a.Reason, a.Props = r.packetID(), Success, nil
	if v != V5 || r.err != nil || len(r.b) == 0 {
		return r.end()
	}
	a.Reason = ReasonCode(r.byte())
	in := inPuback
	switch f.Type() {
	case PUBREC:
		in = inPubrec
	case PUBREL:
		in = inPubrel
	case PUBCOMP:
		in = inPubcomp
	}
	if legal[a.Reason]&in == 0 {
		return errReasonCode
	}
	if len(r.b) > 0 {
		a.Props = r.skipProperties(ackProps)
	}
	return r.end()
}

// Filter is one topic filter of a SUBSCRIBE with its options. In an
// UNSUBSCRIBE the options are zero.
type Filter struct {
	Filter            []byte
	QoS               byte
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    byte
}

// Filters are the topic filters of a packet, still in wire format. All of them
// are valid.
type Filters struct {
	b       []byte
	n       int
	options bool // each filter is followed by an option byte
}

// Len is the number of filters that are left.
func (fs Filters) Len() int { return fs.n }

// Next takes the first filter.
func (fs *Filters) Next() (f Filter, ok bool) {
	if fs.n == 0 {
		return f, false
	}
	r := reader{b: fs.b}
	f.Filter = r.binary()
	if fs.options {
		f.setOptions(r.byte())
	}
	fs.b = r.b
	fs.n--
	return f, true
}

func (f *Filter) setOptions(o byte) {
	f.QoS = o & 3
	f.NoLocal, f.RetainAsPublished = o&4 != 0, o&8 != 0
	f.RetainHandling = o >> 4 & 3
}

// Subscribe is a SUBSCRIBE packet.
type Subscribe struct {
	PacketID       uint16
	SubscriptionID uint32 // 0 = none
	Filters        Filters
	Props          Properties
}

var (
	errNoFilter       = violation("packet without a topic filter")
	errFilterQoS      = violation("requested QoS is 3")
	errOptionBits     = malformed("reserved subscription option is set")
	errRetainHandling = violation("Retain Handling is 3")
	errNoLocalShared  = violation("No Local on a shared subscription")
)

// DecodeSubscribe decodes a SUBSCRIBE.
func DecodeSubscribe(v Version, f Frame, s *Subscribe) error {
	if err := flags(v, f); err != nil {
		return err
	}
	r := reader{b: f.Body}
	s.PacketID, s.SubscriptionID, s.Props = r.packetID(), 0, nil
	if v == V5 {
		ps, raw := r.properties(subscribeProps)
		for s.Props = raw; ps.next(&r); {
			if ps.id == propSubscriptionID {
				s.SubscriptionID = ps.number
			}
		}
	}
	return s.Filters.take(&r, v, true)
}

// take checks the filters that make up the rest of a packet.
func (fs *Filters) take(r *reader, v Version, options bool) error {
	*fs = Filters{b: r.b, options: options}
	if r.err == nil && len(r.b) == 0 { // [MQTT-3.8.3-2] [MQTT-3.10.3-2]
		return errNoFilter
	}
	for r.err == nil && len(r.b) > 0 {
		filter := r.binary()
		var o byte
		if options {
			o = r.byte()
		}
		if r.err != nil {
			break
		}
		if err := ValidFilter(filter); err != nil {
			return err
		}
		if err := checkOptions(v, filter, o); err != nil {
			return err
		}
		fs.n++
	}
	return r.end()
}

func checkOptions(v Version, filter []byte, o byte) error {
	switch {
	case v != V5 && o > 2: // [MQTT-3-8.3-4]
		if o == 3 {
			return errFilterQoS
		}
		return errOptionBits
	case o&0xC0 != 0: // [MQTT-3.8.3-5]
		return errOptionBits
	case o&3 == 3:
		return errFilterQoS
	case o&0x30 == 0x30:
		return errRetainHandling
	case o&4 != 0: // [MQTT-3.8.3-4]
		if _, _, shared := SplitShared(filter); shared {
			return errNoLocalShared
		}
	}
	return nil
}

// Unsubscribe is an UNSUBSCRIBE packet.
type Unsubscribe struct {
	PacketID uint16
	Filters  Filters
	Props    Properties
}

// DecodeUnsubscribe decodes an UNSUBSCRIBE.
func DecodeUnsubscribe(v Version, f Frame, u *Unsubscribe) error {
	if err := flags(v, f); err != nil {
		return err
	}
	r := reader{b: f.Body}
	u.PacketID, u.Props = r.packetID(), nil
	if v == V5 {
		u.Props = r.skipProperties(unsubscribeProps)
	}
	return u.Filters.take(&r, v, false)
}

// Suback is a SUBACK or UNSUBACK packet.
type Suback struct {
	PacketID uint16
	Codes    []byte // one for each filter; none in an UNSUBACK of MQTT 3
	Props    Properties
}

var errNoCode = malformed("packet without a reason code")

// DecodeSuback decodes a SUBACK.
func DecodeSuback(v Version, f Frame, s *Suback) error { return s.decode(v, f, inSuback) }

// DecodeUnsuback decodes an UNSUBACK.
func DecodeUnsuback(v Version, f Frame, s *Suback) error { return s.decode(v, f, inUnsuback) }

func (s *Suback) decode(v Version, f Frame, in where) error {
	if f.Flags() != 0 {
		return errFlags
	}
	r := reader{b: f.Body}
	s.PacketID, s.Codes, s.Props = r.packetID(), nil, nil
	if v == V5 {
		s.Props = r.skipProperties(ackProps)
	}
	if v != V5 && in == inUnsuback {
		return r.end()
	}
	if r.err != nil {
		return r.err
	}
	if s.Codes = r.b; len(s.Codes) == 0 {
		return errNoCode
	}
	for _, c := range s.Codes {
		ok := legal[c]&in != 0
		if v != V5 {
			ok = c <= 2 || c == 0x80 // [MQTT-3.9.3-2]
		}
		if !ok {
			return errReasonCode
		}
	}
	return nil
}

// Disconnect is a DISCONNECT packet.
type Disconnect struct {
	Reason             ReasonCode
	SessionExpiry      uint32 // seconds
	HasSessionExpiry   bool
	HasServerReference bool
	Props              Properties
}

// OnlyServer tells that a client may not send the DISCONNECT, because of its
// reason code or because it names another server [MQTT-3.14.2-1].
func (d *Disconnect) OnlyServer() bool {
	switch d.Reason {
	case NotAuthorized, ServerBusy, ServerShuttingDown, BadAuthenticationMethod, KeepAliveTimeout, SessionTakenOver,
		TopicFilterInvalid, RetainNotSupported, QoSNotSupported, UseAnotherServer, ServerMoved, SharedNotSupported,
		ConnectionRateExceeded, MaximumConnectTime, IdentifiersNotSupported, WildcardsNotSupported:
		return true
	}
	return d.HasServerReference
}

// DecodeDisconnect decodes a DISCONNECT.
func DecodeDisconnect(v Version, f Frame, d *Disconnect) error {
	*d = Disconnect{}
	if f.Flags() != 0 { // [MQTT-3.14.1-1]
		return errFlags
	}
	if v != V5 {
		return DecodeEmpty(f)
	}
	if len(f.Body) == 0 {
		return nil
	}
	r := reader{b: f.Body}
	if d.Reason = ReasonCode(r.byte()); legal[d.Reason]&inDisconnect == 0 {
		return errReasonCode
	}
	if len(r.b) > 0 {
		ps, raw := r.properties(disconnectProps)
		for d.Props = raw; ps.next(&r); {
			switch ps.id {
			case propSessionExpiry:
				d.SessionExpiry, d.HasSessionExpiry = ps.number, true
			case propServerReference:
				d.HasServerReference = true
			}
		}
	}
	return r.end()
}

// Auth is an AUTH packet of MQTT 5.
type Auth struct {
	Reason       ReasonCode
	Method, Data []byte
	Props        Properties
}

var errNoMethod = violation("AUTH without an authentication method")

// DecodeAuth decodes an AUTH.
func DecodeAuth(f Frame, a *Auth) error {
	*a = Auth{}
	if f.Flags() != 0 { // [MQTT-3.15.1-1]
		return errFlags
	}
	if len(f.Body) == 0 {
		return errNoMethod
	}
	r := reader{b: f.Body}
	if a.Reason = ReasonCode(r.byte()); legal[a.Reason]&inAuth == 0 {
		return errReasonCode
	}
	method := false
	if len(r.b) > 0 {
		ps, raw := r.properties(authProps)
		for a.Props = raw; ps.next(&r); {
			switch ps.id {
			case propAuthMethod:
				a.Method, method = ps.bytes, true
			case propAuthData:
				a.Data = ps.bytes
			}
		}
	}
	if r.err == nil && !method {
		return errNoMethod
	}
	return r.end()
}
