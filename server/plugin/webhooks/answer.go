package webhooks

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"vernemq/codec"
	"vernemq/server/hooks"
)

// reply is the JSON object that an endpoint answers with.
type reply struct {
	Result    json.RawMessage `json:"result"`
	Modifiers json.RawMessage `json:"modifiers"`
	Topics    json.RawMessage `json:"topics"` // of auth_on_subscribe and on_unsubscribe
}

// parseReply reads an answer: what it says, and the text of an error.
func parseReply(text []byte) (r reply, says hooks.Result, cause string, err error) {
	if err := json.Unmarshal(text, &r); err != nil {
		return r, hooks.Failed, "", fmt.Errorf("answer is no JSON object")
	}
	switch s, _ := str(r.Result); s {
	case "ok":
		return r, hooks.OK, "", nil
	case "next":
		return r, hooks.Next, "", nil
	}
	var e struct {
		Error json.RawMessage `json:"error"`
	}
	if len(r.Result) == 0 || json.Unmarshal(r.Result, &e) != nil || e.Error == nil {
		return r, hooks.Failed, "", fmt.Errorf("result is neither ok nor next nor an error")
	}
	if cause, err = str(e.Error); err != nil {
		cause = string(e.Error)
	}
	return r, hooks.Failed, cause, nil
}

// setters change one modifier each, by its key.
type setters map[string]func(json.RawMessage) error

// apply sets the modifiers of an object. One that is not known is an error, as
// is one that cannot be set. It tells whether there were any.
func (s setters) apply(text json.RawMessage) (bool, error) {
	fields, err := object(text)
	if err != nil {
		return false, fmt.Errorf("modifiers: %w", err)
	}
	for name, value := range fields {
		set := s[name]
		if set == nil {
			return false, fmt.Errorf("unknown modifier %s", name)
		}
		if err := set(value); err != nil {
			return false, fmt.Errorf("modifier %s: %w", name, err)
		}
	}
	return len(fields) > 0, nil
}

func setBool(to **bool) func(json.RawMessage) error {
	return func(v json.RawMessage) error {
		b, err := boolean(v)
		*to = &b
		return err
	}
}

func setString(to **string) func(json.RawMessage) error {
	return func(v json.RawMessage) error {
		s, err := str(v)
		*to = &s
		return err
	}
}

func setInt(to **int) func(json.RawMessage) error {
	return func(v json.RawMessage) error {
		n, err := number(v, math.MaxInt32)
		*to = &n
		return err
	}
}

func setDuration(to **time.Duration, unit time.Duration) func(json.RawMessage) error {
	return func(v json.RawMessage) error {
		n, err := number(v, math.MaxInt32)
		*to = new(time.Duration(n) * unit)
		return err
	}
}

func setText(to **[]byte) func(json.RawMessage) error {
	return func(v json.RawMessage) error {
		s, err := str(v)
		*to = new([]byte(s))
		return err
	}
}

// setPayload sets a payload, which is base64 unless the endpoint is asked in
// plain text.
func setPayload(to **[]byte, e *endpoint) func(json.RawMessage) error {
	if e.Plain {
		return setText(to)
	}
	return func(v json.RawMessage) error {
		b, err := fromBase64(v)
		*to = &b
		return err
	}
}

func setProperties(to **codec.Properties, allowed ...codec.PropertyID) func(json.RawMessage) error {
	return func(v json.RawMessage) error {
		ps, err := parseProperties(v, allowed...)
		*to = &ps
		return err
	}
}

func registerModifiers(r reply, e *endpoint, _ *hooks.Register) (*hooks.RegisterModifiers, error) {
	m := &hooks.RegisterModifiers{}
	s := setters{
		"allow_register": setBool(&m.AllowRegister), "allow_publish": setBool(&m.AllowPublish),
		"allow_subscribe": setBool(&m.AllowSubscribe), "allow_unsubscribe": setBool(&m.AllowUnsubscribe),
		"max_message_size":        setInt(&m.MaxMessageSize),
		"max_connection_lifetime": setDuration(&m.MaxConnectionLifetime, time.Second),
		"client_id":               setString(&m.ClientID), "mountpoint": setString(&m.Mountpoint), "username": setString(&m.Username),
		"clean_session": setBool(&m.CleanSession), "max_message_rate": setInt(&m.MaxMessageRate),
		"max_inflight_messages":      setInt(&m.MaxInflightMessages),
		"shared_subscription_policy": setString(&m.SharedSubscriptionPolicy),
		"retry_interval":             setDuration(&m.RetryInterval, time.Millisecond),
		"upgrade_qos":                setBool(&m.UpgradeQoS), "max_online_messages": setInt(&m.MaxOnlineMessages),
		"max_offline_messages": setInt(&m.MaxOfflineMessages), "queue_type": setString(&m.QueueType),
		"max_drain_time": setInt(&m.MaxDrainTime), "max_msgs_per_drain_step": setInt(&m.MaxMsgsPerDrainStep),
		"allow_multiple_sessions": setBool(&m.AllowMultipleSessions), "queue_deliver_mode": setString(&m.QueueDeliverMode),
	}
	if e.Hook == hooks.AuthOnRegisterM5 {
		s["properties"] = func(v json.RawMessage) error {
			ps, err := parseProperties(v, codec.UserProperty, codec.SessionExpiryInterval)
			m.UserProperties = users(ps)
			for p := range ps.All() {
				if p.ID == codec.SessionExpiryInterval {
					m.SessionExpiry = &p.Number
				}
			}
			return err
		}
	}
	return some(m, s, r.Modifiers)
}

// some gives modifiers if the text has any.
func some[M any](m *M, s setters, text json.RawMessage) (*M, error) {
	if any, err := s.apply(text); err != nil || !any {
		return nil, err
	}
	return m, nil
}

func publishModifiers(r reply, e *endpoint, _ *hooks.Message) (*hooks.PublishModifiers, error) {
	m := &hooks.PublishModifiers{}
	s := setters{
		"topic": setText(&m.Topic), "payload": setPayload(&m.Payload, e), "retain": setBool(&m.Retain), "mountpoint": setString(&m.Mountpoint),
		"qos": func(v json.RawMessage) error {
			n, err := number(v, 2)
			m.QoS = new(byte(n))
			return err
		},
		"throttle": func(v json.RawMessage) error {
			n, err := number(v, math.MaxInt32)
			m.Throttle = time.Duration(n) * time.Millisecond
			return err
		},
	}
	if e.Hook == hooks.AuthOnPublishM5 {
		s["properties"] = setProperties(&m.Properties, codec.UserProperty, codec.MessageExpiryInterval, codec.ContentType,
			codec.PayloadFormatIndicator, codec.ResponseTopic, codec.CorrelationData, codec.WillDelayInterval)
	}
	return some(m, s, r.Modifiers)
}

func deliverModifiers(r reply, e *endpoint, _ *hooks.Message) (*hooks.DeliverModifiers, error) {
	m := &hooks.DeliverModifiers{}
	s := setters{"topic": setText(&m.Topic), "payload": setPayload(&m.Payload, e)}
	if e.Hook == hooks.OnDeliverM5 {
		s["properties"] = setProperties(&m.Properties, codec.UserProperty, codec.ContentType,
			codec.PayloadFormatIndicator, codec.ResponseTopic, codec.CorrelationData)
	}
	return some(m, s, r.Modifiers)
}

// topicsOf is where an answer has its topics: MQTT 5 among the modifiers.
func topicsOf(r reply, v5 bool) (json.RawMessage, error) {
	if !v5 {
		return r.Topics, nil
	}
	fields, err := object(r.Modifiers)
	if err != nil {
		return nil, err
	}
	topics := fields["topics"]
	delete(fields, "topics")
	for name := range fields {
		return nil, fmt.Errorf("unknown modifier %s", name)
	}
	return topics, nil
}

// subscribeModifiers reads a list in the order of the request, which is the
// reverse of the packet's, and puts each topic in the place of the one that was
// asked for.
func subscribeModifiers(r reply, e *endpoint, asked *hooks.Subscribe) (*hooks.SubscribeModifiers, error) {
	text, err := topicsOf(r, e.Hook == hooks.AuthOnSubscribeM5)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("topics are no list")
	}
	if len(list) == 0 {
		return nil, nil
	}
	n := len(asked.Topics)
	m := &hooks.SubscribeModifiers{Topics: make([]hooks.Topic, max(n, len(list)))}
	for i := range m.Topics {
		m.Topics[i].Code = codec.NotAuthorized
	}
	for i, x := range list {
		at := n - 1 - i
		if at < 0 {
			at = i
		}
		if m.Topics[at], err = parseTopic(x, e.Hook == hooks.AuthOnSubscribeM5); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// parseTopic reads a topic with its options. A qos that is none refuses it.
func parseTopic(text json.RawMessage, v5 bool) (t hooks.Topic, err error) {
	var qos int
	s := setters{
		"topic": func(v json.RawMessage) error {
			s, err := str(v)
			t.Filter.Filter = []byte(s)
			return err
		},
		"qos": func(v json.RawMessage) (err error) {
			qos, err = number(v, 255)
			return err
		},
	}
	if v5 {
		flag := func(to *bool) func(json.RawMessage) error {
			return func(v json.RawMessage) (err error) {
				*to, err = boolean(v)
				return err
			}
		}
		s["no_local"], s["rap"] = flag(&t.NoLocal), flag(&t.RetainAsPublished)
		s["retain_handling"] = func(v json.RawMessage) error {
			s, err := str(v)
			for i, name := range retainHandlings {
				if s == name {
					t.RetainHandling = byte(i)
					return err
				}
			}
			return fmt.Errorf("%q is none of %s", s, strings.Join(retainHandlings, ", "))
		}
	}
	if _, err := s.apply(text); err != nil {
		return t, err
	}
	if len(t.Filter.Filter) == 0 {
		return t, fmt.Errorf("a topic without a name")
	}
	switch t.QoS = byte(qos); {
	case qos <= 2:
	case v5 && qos >= 0x80:
		t.QoS, t.Code = 0, codec.ReasonCode(qos)
	default:
		t.QoS, t.Code = 0, codec.UnspecifiedError
	}
	return t, nil
}

func unsubscribeModifiers(r reply, e *endpoint, _ *hooks.Unsubscribe) (*hooks.UnsubscribeModifiers, error) {
	text, err := topicsOf(r, e.Hook == hooks.OnUnsubscribeM5)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	var list []string
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("topics are no list of strings")
	}
	if len(list) == 0 {
		return nil, nil
	}
	m := &hooks.UnsubscribeModifiers{Filters: make([][]byte, len(list))}
	for i, f := range list {
		m.Filters[len(list)-1-i] = []byte(f)
	}
	return m, nil
}

// authModifiers reads the answer to on_auth_m5. Reason codes may be numbers or
// VerneMQ's names.
func authModifiers(r reply, _ *endpoint, _ *hooks.Auth) (*hooks.AuthModifiers, error) {
	m := &hooks.AuthModifiers{}
	return some(m, setters{
		"reason_code": func(v json.RawMessage) error {
			switch strings.Trim(string(v), `" `) {
			case "0", "success":
			case "24", "continue_authentication":
				m.Continue = true
			default:
				return fmt.Errorf("neither 0 nor 24")
			}
			return nil
		},
		"properties": func(v json.RawMessage) error {
			ps, err := parseProperties(v, codec.AuthenticationMethod, codec.AuthenticationData)
			for p := range ps.All() {
				if p.ID == codec.AuthenticationData {
					m.Data = p.Bytes
				}
			}
			return err
		},
	}, r.Modifiers)
}
