package webhooks

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vernemq/codec"
	"vernemq/server/hooks"
)

// propertyKind is the form of a property in JSON.
type propertyKind uint8

const (
	numberKind propertyKind = iota
	boolKind
	textKind   // as it is
	base64Kind // binary
	utf8Kind   // "utf8" or "undefined"
	listKind   // numbers
	usersKind  // objects with key and val, both base64
)

// propertyKeys are sorted by name, as the requests have them.
var propertyKeys = []struct {
	name string
	id   codec.PropertyID
	kind propertyKind
}{
	{"p_authentication_data", codec.AuthenticationData, base64Kind},
	{"p_authentication_method", codec.AuthenticationMethod, textKind},
	{"p_content_type", codec.ContentType, textKind},
	{"p_correlation_data", codec.CorrelationData, textKind},
	{"p_max_packet_size", codec.MaximumPacketSize, numberKind},
	{"p_message_expiry_interval", codec.MessageExpiryInterval, numberKind},
	{"p_payload_format_indicator", codec.PayloadFormatIndicator, utf8Kind},
	{"p_receive_max", codec.ReceiveMaximum, numberKind},
	{"p_request_problem_info", codec.RequestProblemInfo, boolKind},
	{"p_request_response_info", codec.RequestResponseInfo, boolKind},
	{"p_response_topic", codec.ResponseTopic, textKind},
	{"p_session_expiry_interval", codec.SessionExpiryInterval, numberKind},
	{"p_subscription_id", codec.SubscriptionIdentifier, listKind},
	{"p_topic_alias", codec.TopicAlias, numberKind},
	{"p_topic_alias_max", codec.TopicAliasMaximum, numberKind},
	{"p_user_property", codec.UserProperty, usersKind},
	{"p_will_delay_interval", codec.WillDelayInterval, numberKind},
}

// appendProperties appends properties as a JSON object.
func appendProperties(dst []byte, ps codec.Properties) []byte {
	dst = append(dst, '{')
	if len(ps) > 0 {
		for i := range propertyKeys {
			dst = appendProperty(dst, i, ps)
		}
	}
	return append(dst, '}')
}

// appendProperty appends the property of one key with all its values.
func appendProperty(dst []byte, key int, ps codec.Properties) []byte {
	k := &propertyKeys[key]
	many := k.kind == listKind || k.kind == usersKind
	first := true
	for p := range ps.All() {
		if p.ID != k.id {
			continue
		}
		if first {
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			dst = append(append(append(dst, '"'), k.name...), '"', ':')
			if many {
				dst = append(dst, '[')
			}
		} else if !many {
			break // cannot be: the packet was checked
		} else {
			dst = append(dst, ',')
		}
		first = false
		dst = appendValue(dst, k.kind, p)
	}
	if many && !first {
		dst = append(dst, ']')
	}
	return dst
}

func appendValue(dst []byte, kind propertyKind, p codec.Property) []byte {
	switch kind {
	case numberKind, listKind:
		return strconv.AppendUint(dst, uint64(p.Number), 10)
	case boolKind:
		return strconv.AppendBool(dst, p.Number == 1)
	case utf8Kind:
		if p.Number == 1 {
			return append(dst, `"utf8"`...)
		}
		return append(dst, `"undefined"`...)
	case base64Kind:
		return appendBase64(dst, p.Bytes)
	case usersKind:
		dst = appendBase64(append(dst, `{"key":`...), p.Bytes)
		dst = appendBase64(append(dst, `,"val":`...), p.Value)
		return append(dst, '}')
	}
	text, _ := encode(string(p.Bytes)) // of a string, cannot fail
	return append(dst, text...)
}

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}

// parseProperties makes the wire form of a JSON object of properties, of which
// only some are allowed.
func parseProperties(text json.RawMessage, allowed ...codec.PropertyID) (codec.Properties, error) {
	fields, err := object(text)
	if err != nil {
		return nil, fmt.Errorf("properties: %w", err)
	}
	out := codec.Properties{}
	for i := range propertyKeys {
		k := &propertyKeys[i]
		value, ok := fields[k.name]
		if !ok || !slices.Contains(allowed, k.id) {
			continue
		}
		delete(fields, k.name)
		list, err := parseProperty(k.id, k.kind, value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.name, err)
		}
		for _, p := range list {
			if p.ID == codec.UserProperty && (!codec.ValidText(p.Bytes) || !codec.ValidText(p.Value)) {
				return nil, fmt.Errorf("%s: not valid", k.name)
			}
			if len(p.Bytes) > 65535 {
				return nil, fmt.Errorf("%s: more than 65,535 bytes", k.name)
			}
			out = codec.AppendProperty(out, p)
		}
	}
	for name := range fields {
		return nil, fmt.Errorf("unknown property %s", name)
	}
	return out, nil
}

func parseProperty(id codec.PropertyID, kind propertyKind, text json.RawMessage) ([]codec.Property, error) {
	p := codec.Property{ID: id}
	var err error
	switch kind {
	case numberKind:
		var n int
		n, err = number(text, 1<<32-1)
		p.Number = uint32(n)
	case utf8Kind:
		var s string
		if s, err = str(text); s == "utf8" {
			p.Number = 1
		} else if err == nil && s != "undefined" {
			err = fmt.Errorf("%q is neither utf8 nor undefined", s)
		}
	case base64Kind:
		p.Bytes, err = fromBase64(text)
	case usersKind:
		return parseUsers(text)
	default:
		var s string
		s, err = str(text)
		p.Bytes = []byte(s)
	}
	return []codec.Property{p}, err
}

// parseUsers reads user properties by the names of their members.
func parseUsers(text json.RawMessage) (out []codec.Property, err error) {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("not a list of objects")
	}
	for _, x := range list {
		fields, err := object(x)
		if err != nil || len(fields) != 2 || fields["key"] == nil || fields["val"] == nil {
			return nil, fmt.Errorf("not an object with key and val")
		}
		p := codec.Property{ID: codec.UserProperty}
		if p.Bytes, err = fromBase64(fields["key"]); err != nil {
			return nil, err
		}
		if p.Value, err = fromBase64(fields["val"]); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// users gives the user properties among properties in wire form.
func users(ps codec.Properties) (out []hooks.UserProperty) {
	for name, value := range ps.Users {
		out = append(out, hooks.UserProperty{Name: string(name), Value: string(value)})
	}
	return out
}

// object reads an object; nothing, null and an empty list are empty ones.
func object(text json.RawMessage) (map[string]json.RawMessage, error) {
	switch strings.TrimSpace(string(text)) {
	case "", "null", "[]":
		return nil, nil
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("not an object")
	}
	return m, nil
}

func str(text json.RawMessage) (string, error) {
	var s *string
	if err := json.Unmarshal(text, &s); err != nil || s == nil {
		return "", fmt.Errorf("not a string")
	}
	return *s, nil
}

func boolean(text json.RawMessage) (bool, error) {
	var b *bool
	if err := json.Unmarshal(text, &b); err != nil || b == nil {
		return false, fmt.Errorf("neither true nor false")
	}
	return *b, nil
}

// fromBase64 reads base64.
func fromBase64(text json.RawMessage) ([]byte, error) {
	s, err := str(text)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("not base64")
	}
	return b, nil
}

// number reads a number from 0 to a limit; one that is not whole is rounded.
func number(text json.RawMessage, most int) (int, error) {
	var f *float64
	if err := json.Unmarshal(text, &f); err != nil || f == nil {
		return 0, fmt.Errorf("not a number")
	}
	n := *f + 0.5
	if n < 0 || n >= float64(most)+1 {
		return 0, fmt.Errorf("%g is not from 0 to %d", *f, most)
	}
	return int(n), nil
}
