package httpapi

import (
	"bytes"
	"encoding/json"
	"math"

	"vernemq/codec"
)

// fromJSON reads a message that is a JSON object. Numbers and truth values may
// be given as text, too.
func fromJSON(body []byte) (*Publication, error) {
	var in struct {
		Topic          *string         `json:"topic"`
		Payload        json.RawMessage `json:"payload"`
		QoS            any             `json:"qos"`
		Retain         any             `json:"retain"`
		ClientID       string          `json:"client_id"`
		User           string          `json:"user"`
		Password       string          `json:"password"`
		UserProperties json.RawMessage `json:"user_properties"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, errJSON
	}
	if in.Topic == nil {
		return nil, ErrTopic
	}
	p := &Publication{Topic: *in.Topic, ClientID: in.ClientID, User: in.User, Password: in.Password}
	var text string
	if json.Unmarshal(in.Payload, &text) == nil {
		p.Payload = []byte(text)
	} else {
		p.Payload = in.Payload // any other value is its own text
	}
	switch v := in.QoS.(type) {
	case nil:
	case float64:
		if v < 0 || v > 2 || v != math.Trunc(v) {
			return nil, errQoS
		}
		p.QoS = byte(v)
	case string:
		if len(v) != 1 || v[0] < '0' || v[0] > '2' {
			return nil, errQoS
		}
		p.QoS = v[0] - '0'
	default:
		return nil, errQoS
	}
	switch in.Retain {
	case nil, false, "false":
	case true, "true":
		p.Retain = true
	default:
		return nil, errRetain
	}
	if len(in.UserProperties) > 0 {
		var err error
		if p.UserProperties, err = userProperties(in.UserProperties); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// userProperties reads a list of objects, each with names and values. Their
// order stays.
func userProperties(b []byte) (out [][2]string, err error) {
	var list []json.RawMessage
	if json.Unmarshal(b, &list) != nil {
		return nil, errProperties
	}
	for _, raw := range list {
		d := json.NewDecoder(bytes.NewReader(raw))
		if t, err := d.Token(); err != nil || t != json.Delim('{') {
			return nil, errProperties
		}
		for d.More() {
			name, err1 := d.Token()
			value, err2 := d.Token()
			n, ok1 := name.(string)
			v, ok2 := value.(string)
			if err1 != nil || err2 != nil || !ok1 || !ok2 || !codec.ValidText([]byte(n)) || !codec.ValidText([]byte(v)) {
				return nil, errProperties
			}
			out = append(out, [2]string{n, v})
		}
	}
	return out, nil
}
