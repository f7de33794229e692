package trace

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"vernemq/codec"
)

func TestHooks(t *testing.T) {
	for got, want := range map[string]string{
		Register("P", "auth_on_register", netip.MustParseAddrPort("127.0.0.1:34274"), "", "C", "bob", true):                             `P Calling auth_on_register({{127,0,0,1},34274},{[],<<"C">>},bob,pw_no_print,true)`,
		Register("P", "auth_on_register_m5", netip.MustParseAddrPort("[::1]:1"), "mp", "C", "", false):                                  `P Calling auth_on_register_m5({{0,0,0,0,0,0,0,1},1},{"mp",<<"C">>},undefined,pw_no_print,false)`,
		Publish("P", "auth_on_publish", "", "tr-1", "bob", 1, "w", false, []byte("bye bye"), 3, nil):                                    "P Calling auth_on_publish(bob,{[],<<\"tr-1\">>},1,w,false) with payload:\n    bye (truncated)",
		Publish("P", "auth_on_publish_m5", "", "c", "", 2, "t", true, []byte("p"), 3, codec.Properties{1, 1}):                           "P Calling auth_on_publish_m5(undefined,{[],<<\"c\">>},2,t,true) with payload:\n    p\n    with properties: #{p_payload_format_indicator => 1}",
		Auth("P", "on_auth_m5", "", "c", "bob", "SCRAM-SHA-256"):                                                                        "P Calling on_auth_m5(bob,{[],<<\"c\">>}) with method:\n    SCRAM-SHA-256",
		Subscribe("P", "auth_on_subscribe_m5", "", "tr-1", "bob", []codec.Filter{{Filter: []byte("tr/#"), QoS: 2}}):                     "P Calling auth_on_subscribe_m5(bob,{[],<<\"tr-1\">>}) with topics:\n    q:2, no_local:false, rap:false, rh:send_retain\n    t: \"tr/#\"",
		Subscribe("P", "auth_on_subscribe", "", "tr-1", "bob", []codec.Filter{{Filter: []byte("tr/#"), QoS: 2}, {Filter: []byte("a")}}): "P Calling auth_on_subscribe(bob,{[],<<\"tr-1\">>}) with topics:\n    q:2, t: \"tr/#\"\n    q:0, t: \"a\"",
		Returned("P", "ok"): "P Hook returned \"ok\"",
		Returned("P", "ok", "{topic,<<\"x\">>}", "{qos,1}"): "P Hook returned \"ok\" with modifiers:\n    {topic,<<\"x\">>}\n    {qos,1}",
		Returned("P", "{error,not_authorized}"):             "P Hook returned {error,not_authorized}",
	} {
		if got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func TestChanges(t *testing.T) {
	type filter struct {
		Filter []byte
		QoS    byte
	}
	got := Changes(&struct {
		ClientID, Username *string
		UpgradeQoS         *bool
		MaxMessageSize     *int
		Throttle           time.Duration
		Payload            *[]byte
		Properties         *codec.Properties
		Topics             []filter
		Kept               int
	}{
		ClientID: new("c"), UpgradeQoS: new(false), MaxMessageSize: new(7), Throttle: time.Second, Payload: new([]byte("a\x00")),
		Properties: new(codec.Properties{1, 1}), Topics: []filter{{[]byte("a/#"), 1}},
	})
	want := []string{`{client_id,<<"c">>}`, "{upgrade_qos,false}", "{max_message_size,7}", "{throttle,1000}", `{payload,<<"a\x00">>}`,
		"{properties,#{p_payload_format_indicator => 1}}", `{topics,[[{filter,<<"a/#">>},{qos,1}]]}`}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if got := Changes((*struct{ A int })(nil)); got != nil {
		t.Errorf("%q of nothing", got)
	}
}
