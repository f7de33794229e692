package codec

// Connect is a CONNECT packet.
type Connect struct {
	Version              Version
	Level                byte // as on the wire: 3, 4, 5, or 131, 132 of a bridge
	Bridge               bool // bit 7 of the level
	CleanStart           bool
	KeepAlive            uint16 // seconds
	ClientID             []byte
	Username, Password   []byte
	HasUsername          bool
	HasPassword          bool
	HasWill              bool
	Will                 Will
	SessionExpiry        uint32 // seconds
	ReceiveMax           uint16 // 65,535 when absent
	MaxPacketSize        uint32 // 0 when absent
	TopicAliasMax        uint16
	RequestResponseInfo  bool
	RequestProblemInfo   bool // true when absent
	HasAuthMethod        bool
	AuthMethod, AuthData []byte
	Props                Properties
}

// Will is the Will Message of a CONNECT.
type Will struct {
	QoS     byte
	Retain  bool
	Topic   []byte
	Payload []byte
	Delay   uint32 // seconds
	Props   PublishProps
}

// ErrProtocolName is the cause of a CONNECT whose protocol name nobody knows;
// there is no telling which CONNACK its sender would understand.
var ErrProtocolName error = &Error{UnsupportedProtocolVersion, "CONNECT has an unknown protocol name"}

var (
	errLevel        = &Error{UnsupportedProtocolVersion, "CONNECT has an unsupported protocol level"}
	errConnectFlag  = malformed("reserved flag of CONNECT is set")
	errWillQoS      = malformed("Will QoS is 3")
	errWillFlags    = malformed("Will QoS or Will Retain without Will Flag")
	errPasswordFlag = malformed("password without user name")
	errAuthData     = violation("authentication data without authentication method")
)

// DecodeConnect decodes a CONNECT. After an error c.Version is that of the
// client as far as it is known, for the CONNACK.
func DecodeConnect(f Frame, c *Connect) error {
	*c = Connect{Version: V311, ReceiveMax: 65535, RequestProblemInfo: true}
	r := reader{b: f.Body}
	if err := c.protocol(&r); err != nil {
		return err
	}
	if f.Flags() != 0 {
		return errFlags
	}
	flags := r.byte()
	c.KeepAlive = r.uint16()
	if err := c.takeFlags(flags); err != nil {
		return err
	}
	if c.Version == V5 {
		var ps propReader
		ps, c.Props = r.properties(connectProps)
		for ps.next(&r) {
			c.property(&ps.property)
		}
		if r.err == nil && c.AuthData != nil && !c.HasAuthMethod {
			r.fail(errAuthData)
		}
	}
	c.ClientID = r.text()
	if c.HasWill {
		c.takeWill(&r)
	}
	c.credentials(&r)
	return r.end()
}

// protocol reads the protocol name and level.
func (c *Connect) protocol(r *reader) error {
	name := r.binary()
	c.Level = r.byte()
	if r.err != nil {
		return r.err
	}
	c.Bridge = c.Level&0x80 != 0
	level := Version(c.Level &^ 0x80)
	switch {
	case string(name) == "MQIsdp":
		c.Version = V31 // whatever its level: the listener decides about that
	case string(name) != "MQTT":
		return ErrProtocolName
	case level == V311:
		c.Version = V311
	case level == V31 && c.Bridge: // VerneMQ takes it under either name
		c.Version = V31
	case c.Level == byte(V5):
		c.Version = V5
	default:
		if level > V311 {
			c.Version = V5
		}
		return errLevel
	}
	return nil
}

func (c *Connect) takeFlags(flags byte) error {
	if flags&1 != 0 { // [MQTT-3.1.2-3]
		return errConnectFlag
	}
	c.CleanStart = flags&2 != 0
	c.HasWill = flags&4 != 0
	c.Will.QoS, c.Will.Retain = flags>>3&3, flags&0x20 != 0
	c.HasPassword, c.HasUsername = flags&0x40 != 0, flags&0x80 != 0
	switch {
	case c.Will.QoS == 3: // [MQTT-3.1.2-12]
		return errWillQoS
	case !c.HasWill && (c.Will.QoS != 0 || c.Will.Retain): // [MQTT-3.1.2-11] [MQTT-3.1.2-13]
		return errWillFlags
	case c.Version != V5 && c.HasPassword && !c.HasUsername: // [MQTT-3.1.2-22]
		return errPasswordFlag
	}
	return nil
}

func (c *Connect) property(p *property) {
	switch p.id {
	case propSessionExpiry:
		c.SessionExpiry = p.number
	case propReceiveMax:
		c.ReceiveMax = uint16(p.number)
	case propMaxPacketSize:
		c.MaxPacketSize = p.number
	case propTopicAliasMax:
		c.TopicAliasMax = uint16(p.number)
	case propRequestResponse:
		c.RequestResponseInfo = p.number == 1
	case propRequestProblem:
		c.RequestProblemInfo = p.number == 1
	case propAuthMethod:
		c.AuthMethod, c.HasAuthMethod = p.bytes, true
	case propAuthData:
		c.AuthData = p.bytes
	}
}

func (c *Connect) takeWill(r *reader) {
	if c.Version == V5 {
		ps, raw := r.properties(willProps)
		for c.Will.Props.Raw = raw; ps.next(r); {
			if ps.id == propWillDelay {
				c.Will.Delay = ps.number
			}
			c.Will.Props.take(&ps.property)
		}
	}
	c.Will.Topic = r.binary()
	if r.err == nil {
		if err := ValidTopic(c.Will.Topic); err != nil {
			r.fail(err.(*Error))
		}
	}
	c.Will.Payload = r.binary()
}

// credentials reads user name and password. An MQTT 3.1 client may leave out
// a field whose flag is set.
func (c *Connect) credentials(r *reader) {
	if c.HasUsername && c.Version == V31 && r.err == nil && len(r.b) == 0 {
		c.HasUsername, c.HasPassword = false, false
	}
	if c.HasUsername {
		c.Username = r.text()
	}
	if c.HasPassword && c.Version == V31 && r.err == nil && len(r.b) == 0 {
		c.HasPassword = false
	}
	if c.HasPassword {
		c.Password = r.binary()
	}
}

// Connack is a CONNACK packet. What is absent has the value that the protocol
// gives it.
type Connack struct {
	SessionPresent                                                      bool
	Reason                                                              ReasonCode // MQTT 3: the return code
	SessionExpiry                                                       uint32
	HasSessionExpiry                                                    bool
	ReceiveMax                                                          uint16
	MaxQoS                                                              byte
	RetainAvailable, WildcardAvailable, SubIDAvailable, SharedAvailable bool
	MaxPacketSize                                                       uint32 // 0 = none
	AssignedClientID                                                    []byte
	TopicAliasMax                                                       uint16
	ServerKeepAlive                                                     uint16
	HasServerKeepAlive                                                  bool
	ResponseInfo, ServerReference                                       []byte
	AuthMethod, AuthData                                                []byte
	Props                                                               Properties
}

var (
	errAckFlags   = malformed("reserved acknowledge flag is set")
	errReasonCode = violation("reason code that does not belong into the packet")
)

// DecodeConnack decodes a CONNACK.
func DecodeConnack(v Version, f Frame, c *Connack) error {
	*c = Connack{ReceiveMax: 65535, MaxQoS: 2, RetainAvailable: true, WildcardAvailable: true, SubIDAvailable: true, SharedAvailable: true}
	if f.Flags() != 0 {
		return errFlags
	}
	r := reader{b: f.Body}
	ack := r.byte()
	c.Reason = ReasonCode(r.byte())
	if ack > 1 {
		return errAckFlags
	}
	c.SessionPresent = ack == 1
	if c.SessionPresent && c.Reason != 0 { // [MQTT-3.2.2-6]
		return errAckFlags
	}
	if v != V5 && c.Reason > ReturnNotAuthorized {
		return errReasonCode
	}
	if v == V5 {
		if r.err == nil && legal[c.Reason]&inConnack == 0 {
			return errReasonCode
		}
		var ps propReader
		ps, c.Props = r.properties(connackProps)
		for ps.next(&r) {
			c.property(&ps.property)
		}
	}
	return r.end()
}

func (c *Connack) property(p *property) {
	switch p.id {
	case propSessionExpiry:
		c.SessionExpiry, c.HasSessionExpiry = p.number, true
	case propReceiveMax:
		c.ReceiveMax = uint16(p.number)
	case propMaxQoS:
		c.MaxQoS = byte(p.number)
	case propRetainAvailable:
		c.RetainAvailable = p.number == 1
	case propMaxPacketSize:
		c.MaxPacketSize = p.number
	case propAssignedClientID:
		c.AssignedClientID = p.bytes
	case propTopicAliasMax:
		c.TopicAliasMax = uint16(p.number)
	case propWildcardAvailable:
		c.WildcardAvailable = p.number == 1
	case propSubIDAvailable:
		c.SubIDAvailable = p.number == 1
	case propSharedAvailable:
		c.SharedAvailable = p.number == 1
	case propServerKeepAlive:
		c.ServerKeepAlive, c.HasServerKeepAlive = uint16(p.number), true
	case propResponseInfo:
		c.ResponseInfo = p.bytes
	case propServerReference:
		c.ServerReference = p.bytes
	case propAuthMethod:
		c.AuthMethod = p.bytes
	case propAuthData:
		c.AuthData = p.bytes
	}
}
