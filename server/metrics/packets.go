package metrics

// Packet names a packet whose counters tell reason codes apart.
type Packet uint8

// Packets with reason codes.
const (
	ConnackSent Packet = iota
	DisconnectReceived
	DisconnectSent
	PubackReceived
	PubackSent
	PubrecReceived
	PubrecSent
	PubrelReceived
	PubrelSent
	PubcompReceived
	PubcompSent
	AuthReceived
	AuthSent
	packets
)

// reason is a reason code and its label.
type reason struct {
	code byte
	name string
}

// coded says which counters a packet has: the names are those of VerneMQ, and
// so are the codes that have a counter. Those of MQTT 3 for CONNACK are its
// return codes. A code without a counter counts as a protocol error or an
// unspecified one, so that no packet is lost.
var coded = [packets]struct {
	name   string
	v4, v5 []reason // nil: no counter; without a name: one counter for all codes
}{
	ConnackSent:        {"mqtt_connack_sent", connackV4, connackV5},
	DisconnectReceived: {"mqtt_disconnect_received", single, disconnectReceived},
	DisconnectSent:     {"mqtt_disconnect_sent", nil, disconnectSent},
	PubackReceived:     {"mqtt_puback_received", single, acknowledged},
	PubackSent:         {"mqtt_puback_sent", single, acknowledged},
	PubrecReceived:     {"mqtt_pubrec_received", single, acknowledged},
	PubrecSent:         {"mqtt_pubrec_sent", single, acknowledged},
	PubrelReceived:     {"mqtt_pubrel_received", single, released},
	PubrelSent:         {"mqtt_pubrel_sent", single, released},
	PubcompReceived:    {"mqtt_pubcomp_received", single, released},
	PubcompSent:        {"mqtt_pubcomp_sent", single, released},
	AuthReceived:       {"mqtt_auth_received", nil, authenticated},
	AuthSent:           {"mqtt_auth_sent", nil, authenticated},
}

var (
	single    = []reason{{}}
	connackV4 = []reason{{0, "success"}, {1, "unsupported_protocol_version"}, {2, "client_identifier_not_valid"},
		{3, "server_unavailable"}, {4, "bad_username_or_password"}, {5, "not_authorized"}}
	connackV5 = []reason{{0x00, "success"}, {0x80, "unspecified_error"}, {0x81, "malformed_packet"}, {0x82, "protocol_error"},
		{0x83, "impl_specific_error"}, {0x84, "unsupported_protocol_version"}, {0x85, "client_identifier_not_valid"},
		{0x86, "bad_username_or_password"}, {0x87, "not_authorized"}, {0x88, "server_unavailable"}, {0x89, "server_busy"},
		{0x8A, "banned"}, {0x8C, "bad_authentication_method"}, {0x90, "topic_name_invalid"}, {0x95, "packet_too_large"},
		{0x97, "quota_exceeded"}, {0x99, "payload_format_invalid"}, {0x9A, "retain_not_supported"}, {0x9B, "qos_not_supported"},
		{0x9C, "use_another_server"}, {0x9D, "server_moved"}, {0x9F, "connection_rate_exceeded"}}
	disconnectReceived = []reason{{0x00, "normal_disconnect"}, {0x04, "disconnect_with_will_msg"}, {0x80, "unspecified_error"},
		{0x81, "malformed_packet"}, {0x82, "protocol_error"}, {0x83, "impl_specific_error"}, {0x90, "topic_name_invalid"},
		{0x93, "receive_max_exceeded"}, {0x94, "topic_alias_invalid"}, {0x95, "packet_too_large"}, {0x96, "message_rate_too_high"},
		{0x97, "quota_exceeded"}, {0x98, "administrative_action"}, {0x99, "payload_format_invalid"}}
	disconnectSent = []reason{{0x00, "normal_disconnect"}, {0x80, "unspecified_error"}, {0x81, "malformed_packet"},
		{0x82, "protocol_error"}, {0x83, "impl_specific_error"}, {0x87, "not_authorized"}, {0x89, "server_busy"},
		{0x8B, "server_shutting_down"}, {0x8D, "keep_alive_timeout"}, {0x8E, "session_taken_over"}, {0x8F, "topic_filter_invalid"},
		{0x90, "topic_name_invalid"}, {0x93, "receive_max_exceeded"}, {0x94, "topic_alias_invalid"}, {0x95, "packet_too_large"},
		{0x96, "message_rate_too_high"}, {0x97, "quota_exceeded"}, {0x98, "administrative_action"}, {0x99, "payload_format_invalid"},
		{0x9A, "retain_not_supported"}, {0x9B, "qos_not_supported"}, {0x9C, "use_another_server"}, {0x9D, "server_moved"},
		{0x9E, "shared_subs_not_supported"}, {0x9F, "connection_rate_exceeded"}, {0xA0, "max_connect_time"},
		{0xA1, "subscription_ids_not_supported"}, {0xA2, "wildcard_subs_not_supported"}}
	acknowledged = []reason{{0x00, "success"}, {0x10, "no_matching_subscribers"}, {0x80, "unspecified_error"},
		{0x83, "impl_specific_error"}, {0x87, "not_authorized"}, {0x90, "topic_name_invalid"}, {0x91, "packet_id_in_use"},
		{0x97, "quota_exceeded"}, {0x99, "payload_format_invalid"}}
	released      = []reason{{0x00, "success"}, {0x92, "packet_id_not_found"}}
	authenticated = []reason{{0x00, "success"}, {0x18, "continue_authentication"}, {0x19, "reauthenticate"}}
)

// codedRows is a power of two, so that the compiler sees that no index is out
// of range.
const codedRows = 32

// codedAt is the place in a Set for a packet and a code: each packet has a row
// for MQTT 3 and one for MQTT 5. Packets without a counter share a place that
// nobody reads.
var codedAt = func() (at [codedRows][256]uint8) {
	next := int(codedFrom)
	for p := range coded {
		for v, reasons := range [2][]reason{coded[p].v4, coded[p].v5} {
			other := slots - 1
			if len(reasons) > 0 {
				other = next + fallback(reasons)
			}
			for c := range 256 {
				at[2*p+v][c] = uint8(other)
			}
			for i, r := range reasons {
				at[2*p+v][r.code] = uint8(next + i)
			}
			next += len(reasons)
		}
	}
	if next >= slots {
		panic("metrics: a Set is too small")
	}
	return at
}()

// fallback is the reason under which codes without a counter are counted.
func fallback(reasons []reason) int {
	for _, code := range []byte{0x82, 0x80} {
		for i, r := range reasons {
			if r.code == code {
				return i
			}
		}
	}
	return 0
}
