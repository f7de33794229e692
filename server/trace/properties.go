package trace

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"vernemq/codec"
)

// form is how the value of a property lies in a packet.
type form uint8

const (
	oneByte form = iota
	twoBytes
	fourBytes
	variable
	words // a length and so many bytes
	pair
	hidden // words that are not shown
)

// known are the properties by their identifier [MQTT 5, 2.2.2.2].
var known = map[byte]struct {
	name string
	form form
}{
	0x01: {"p_payload_format_indicator", oneByte}, 0x02: {"p_message_expiry_interval", fourBytes}, 0x03: {"p_content_type", words},
	0x08: {"p_response_topic", words}, 0x09: {"p_correlation_data", words}, 0x0B: {"p_subscription_id", variable},
	0x11: {"p_session_expiry_interval", fourBytes}, 0x12: {"p_assigned_client_id", words}, 0x13: {"p_server_ka", twoBytes},
	0x15: {"p_authentication_method", words}, 0x16: {"p_authentication_data", hidden}, 0x17: {"p_request_problem_info", oneByte},
	0x18: {"p_will_delay_interval", fourBytes}, 0x19: {"p_request_response_info", oneByte}, 0x1A: {"p_response_info", words},
	0x1C: {"p_server_ref", words}, 0x1F: {"p_reason_string", words}, 0x21: {"p_receive_max", twoBytes},
	0x22: {"p_topic_alias_max", twoBytes}, 0x23: {"p_topic_alias", twoBytes}, 0x24: {"p_max_qos", oneByte},
	0x25: {"p_retain_available", oneByte}, 0x26: {"p_user_property", pair}, 0x27: {"p_max_packet_size", fourBytes},
	0x28: {"p_wildcard_subs_available", oneByte}, 0x29: {"p_sub_ids_available", oneByte}, 0x2A: {"p_shared_subs_available", oneByte},
}

// properties shows the properties of a packet, sorted by name, if it has any.
// They are valid: their packet was decoded.
func (w *writer) properties(ps codec.Properties) {
	values := map[string][]string{}
	for b := []byte(ps); len(b) > 0; {
		k, ok := known[b[0]]
		if !ok {
			break
		}
		var v string
		if v, b, ok = k.form.take(b[1:]); !ok {
			break
		}
		values[k.name] = append(values[k.name], v)
	}
	if len(values) == 0 {
		return
	}
	var parts []string
	for name, v := range values {
		one := strings.Join(v, ",")
		if name == "p_user_property" || len(v) > 1 {
			one = "[" + one + "]"
		}
		parts = append(parts, name+" => "+one)
	}
	slices.Sort(parts)
	w.printf("    with properties: #{%s}\n", strings.Join(parts, ","))
}

// take takes a value off b and shows it.
func (f form) take(b []byte) (shown string, rest []byte, ok bool) {
	switch f {
	case oneByte:
		if len(b) < 1 {
			return "", nil, false
		}
		return fmt.Sprint(b[0]), b[1:], true
	case twoBytes:
		if len(b) < 2 {
			return "", nil, false
		}
		return fmt.Sprint(binary.BigEndian.Uint16(b)), b[2:], true
	case fourBytes:
		if len(b) < 4 {
			return "", nil, false
		}
		return fmt.Sprint(binary.BigEndian.Uint32(b)), b[4:], true
	case variable:
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return "", nil, false
		}
		return fmt.Sprint(n), b[size:], true
	}
	first, b, ok := take(b)
	if !ok || f == hidden {
		return "pw_no_print", b, ok
	}
	if f == words {
		return binaryTerm(first), b, true
	}
	second, b, ok := take(b)
	return "{" + binaryTerm(first) + "," + binaryTerm(second) + "}", b, ok
}

func take(b []byte) (v, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	if len(b) < n {
		return nil, nil, false
	}
	return b[2:n], b[n:], true
}

// binaryTerm shows bytes as Erlang does.
func binaryTerm(b []byte) string { return "<<\"" + text(b) + "\">>" }
