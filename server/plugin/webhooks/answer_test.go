package webhooks

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/hooks"
)

func parse(t *testing.T, text string) reply {
	t.Helper()
	r, says, _, err := parseReply([]byte(text))
	if err != nil || says != hooks.OK {
		t.Fatalf("%s: %v %v", text, says, err)
	}
	return r
}

func TestRegisterModifiers(t *testing.T) {
	e := &endpoint{Endpoint: Endpoint{Hook: hooks.AuthOnRegisterM5}}
	m, err := registerModifiers(parse(t, `{"result":"ok","modifiers":{"max_message_size":1000.4,"retry_interval":1500,"max_connection_lifetime":7,
		"client_id":"a","mountpoint":"m","username":"u","clean_session":false,"upgrade_qos":true,"queue_type":"lifo","allow_multiple_sessions":true,
		"queue_deliver_mode":"balance","max_online_messages":0,"shared_subscription_policy":"random","allow_publish":true,
		"properties":{"p_session_expiry_interval":9,"p_user_property":[{"val":"dg==","key":"aw=="}]}}}`), e, nil)
	if err != nil {
		t.Fatal(err)
	}
	if *m.MaxMessageSize != 1000 || *m.RetryInterval != 1500*time.Millisecond || *m.MaxConnectionLifetime != 7*time.Second || *m.ClientID != "a" ||
		*m.Mountpoint != "m" || *m.Username != "u" || *m.CleanSession || !*m.UpgradeQoS || *m.QueueType != "lifo" || !*m.AllowMultipleSessions ||
		*m.QueueDeliverMode != "balance" || *m.MaxOnlineMessages != 0 || *m.SharedSubscriptionPolicy != "random" || !*m.AllowPublish || *m.SessionExpiry != 9 ||
		len(m.UserProperties) != 1 || m.UserProperties[0] != (hooks.UserProperty{Name: "k", Value: "v"}) || m.MaxMessageRate != nil {
		t.Errorf("%+v", m)
	}
	for _, bad := range []string{`{"subscriber_id":{"client_id":"a","mountpoint":""}}`, `{"max_message_size":-1}`, `{"max_message_size":"1"}`, `{"max_message_size":1e99}`,
		`{"clean_session":1}`, `{"username":null}`, `{"properties":{"p_receive_max":1}}`, `{"properties":{"p_user_property":[["aw==","dg=="]]}}`,
		`{"properties":{"p_user_property":[{"key":"k","val":"v"}]}}`, `{"properties":{"p_user_property":[{"key":"/w==","val":""}]}}`, `[1]`, `"x"`} {
		if _, err := registerModifiers(reply{Modifiers: json.RawMessage(bad)}, e, nil); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	for _, none := range []string{``, `{}`, `[]`, `null`} {
		if m, err := registerModifiers(reply{Modifiers: json.RawMessage(none)}, e, nil); m != nil || err != nil {
			t.Errorf("%s: %v %v", none, m, err)
		}
	}
	e.Hook = hooks.AuthOnRegister
	if _, err := registerModifiers(reply{Modifiers: json.RawMessage(`{"properties":{}}`)}, e, nil); err == nil {
		t.Error("properties for MQTT 3 were taken")
	}
}

func TestPublishModifiers(t *testing.T) {
	e := &endpoint{Endpoint: Endpoint{Hook: hooks.AuthOnPublishM5}}
	m, err := publishModifiers(parse(t, `{"result":"ok","modifiers":{"topic":"b","payload":"eA==","qos":2,"retain":true,"mountpoint":"m","throttle":700,
		"properties":{"p_content_type":"t","p_payload_format_indicator":"utf8","p_message_expiry_interval":5,"p_correlation_data":"c","p_response_topic":"r","p_will_delay_interval":3}}}`), e, nil)
	if err != nil {
		t.Fatal(err)
	}
	var p codec.PublishProps
	if err := codec.DecodePublishProps(*m.Properties, &p); err != nil {
		t.Fatal(err)
	}
	if string(*m.Topic) != "b" || string(*m.Payload) != "x" || *m.QoS != 2 || !*m.Retain || *m.Mountpoint != "m" || m.Throttle != 700*time.Millisecond ||
		string(p.ContentType) != "t" || p.PayloadFormat != 1 || p.Expiry != 5 || string(p.CorrelationData) != "c" || string(p.ResponseTopic) != "r" {
		t.Errorf("%+v %+v", m, p)
	}
}

func TestSubscribeModifiers(t *testing.T) {
	asked := &hooks.Subscribe{Topics: []hooks.Topic{{Filter: codec.Filter{Filter: []byte("1")}}, {Filter: codec.Filter{Filter: []byte("2")}}, {Filter: codec.Filter{Filter: []byte("3")}}}}
	show := func(m *hooks.SubscribeModifiers) (s string) {
		if m == nil {
			return "none"
		}
		for _, t := range m.Topics {
			s += fmt.Sprintf("%s:%d:%x ", t.Filter.Filter, t.QoS, byte(t.Code))
		}
		return s
	}
	for _, tt := range []struct {
		v5         bool
		text, want string
	}{
		{false, `{"result":"ok"}`, "none"},
		{false, `{"result":"ok","topics":[]}`, "none"},
		{false, `{"result":"ok","modifiers":{"topics":[{"topic":"x","qos":0}]}}`, "none"}, // the wrong place
		{true, `{"result":"ok","topics":[{"topic":"x","qos":0}]}`, "none"},
		{true, `{"result":"ok","modifiers":{"topics":[]}}`, "none"},
		{false, `{"result":"ok","topics":[{"topic":"c","qos":2},{"topic":"b","qos":128},{"topic":"a","qos":5}]}`, "a:0:80 b:0:80 c:2:0 "},
		{true, `{"result":"ok","modifiers":{"topics":[{"topic":"c","qos":2,"rap":true},{"topic":"b","qos":135},{"topic":"a","qos":1,"retain_handling":"dont_send"}]}}`, "a:1:0 b:0:87 c:2:0 "},
		{false, `{"result":"ok","topics":[{"topic":"c","qos":2}]}`, ":0:87 :0:87 c:2:0 "},                                                                         // shorter
		{false, `{"result":"ok","topics":[{"topic":"c","qos":0},{"topic":"b","qos":0},{"topic":"a","qos":0},{"topic":"x","qos":0}]}`, "a:0:0 b:0:0 c:0:0 x:0:0 "}, // longer
	} {
		e := &endpoint{Endpoint: Endpoint{Hook: hooks.AuthOnSubscribe}}
		if tt.v5 {
			e.Hook = hooks.AuthOnSubscribeM5
		}
		m, err := subscribeModifiers(parse(t, tt.text), e, asked)
		if got := show(m); err != nil || got != tt.want {
			t.Errorf("%s: %s %v", tt.text, got, err)
		}
	}
	for _, bad := range []string{`{"topics":"x"}`, `{"topics":[{"qos":1}]}`, `{"topics":[{"topic":"a","qos":300}]}`, `{"topics":[{"topic":"a","qos":0,"no_local":false}]}`, `{"topics":["a"]}`} {
		var r reply
		if err := json.Unmarshal([]byte(bad), &r); err != nil {
			t.Fatal(err)
		}
		if _, err := subscribeModifiers(r, &endpoint{Endpoint: Endpoint{Hook: hooks.AuthOnSubscribe}}, asked); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestUnsubscribeAndAuthModifiers(t *testing.T) {
	u, err := unsubscribeModifiers(parse(t, `{"result":"ok","topics":["b","a"]}`), &endpoint{Endpoint: Endpoint{Hook: hooks.OnUnsubscribe}}, nil)
	if err != nil || len(u.Filters) != 2 || string(u.Filters[0]) != "a" {
		t.Error(u, err)
	}
	for text, more := range map[string]bool{`24`: true, `0`: false, `"success"`: false, `"continue_authentication"`: true} {
		m, err := authModifiers(parse(t, `{"result":"ok","modifiers":{"reason_code":`+text+`,"properties":{"p_authentication_method":"m","p_authentication_data":"AQI="}}}`), nil, nil)
		if err != nil || m.Continue != more || string(m.Data) != "\x01\x02" {
			t.Error(text, m, err)
		}
	}
	if _, err := authModifiers(parse(t, `{"result":"ok","modifiers":{"reason_code":135}}`), nil, nil); err == nil {
		t.Error("reason code 135 with ok was taken")
	}
}

// FuzzAnswer reads anything as an answer to each hook. What is taken must be
// what the protocol can carry.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{`{"result":"ok"}`, `{"result":"next"}`, `{"result":{"error":"x"}}`, `{"result":"ok","topics":[{"topic":"a","qos":1}]}`,
		`{"result":"ok","modifiers":{"topics":[{"topic":"a","qos":1,"rap":true}],"properties":{"p_user_property":[{"key":"aw==","val":"dg=="}]}}}`,
		`{"result":"ok","modifiers":{"topic":"a","payload":"eA==","qos":1,"properties":{"p_content_type":"t"}}}`, `{"result":"ok","modifiers":[]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, says, _, err := parseReply(text)
		if err != nil && says == hooks.OK {
			t.Fatal("an error with ok")
		}
		asked := &hooks.Subscribe{Topics: make([]hooks.Topic, 2)}
		for n := range hooks.NumNames {
			e := &endpoint{Endpoint: Endpoint{Hook: n}}
			if m, err := publishModifiers(r, e, nil); err == nil && m != nil && m.Properties != nil {
				var p codec.PublishProps
				for x := range m.Properties.All() {
					if x.ID == codec.UserProperty && (!codec.ValidText(x.Bytes) || !codec.ValidText(x.Value)) {
						t.Fatalf("%q", x.Bytes)
					}
				}
				_ = codec.DecodePublishProps(*m.Properties, &p)
			}
			if m, err := subscribeModifiers(r, e, asked); err == nil && m != nil && len(m.Topics) < 2 {
				t.Fatal("less topics than were asked for")
			}
			_, _ = registerModifiers(r, e, nil)
			_, _ = deliverModifiers(r, e, nil)
			_, _ = unsubscribeModifiers(r, e, nil)
			_, _ = authModifiers(r, e, nil)
		}
	})
}
