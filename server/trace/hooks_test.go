package trace

import (
	"net/netip"
	"testing"
)

func TestHooks(t *testing.T) {
	for got, want := range map[string]string{
		Register("P", "auth_on_register", netip.MustParseAddrPort("127.0.0.1:34274"), "", "C", "bob", true): `P Calling auth_on_register({{127,0,0,1},34274},{[],<<"C">>},bob,pw_no_print,true)`,
		Register("P", "auth_on_register_m5", netip.MustParseAddrPort("[::1]:1"), "mp", "C", "", false):      `P Calling auth_on_register_m5({{0,0,0,0,0,0,0,1},1},{"mp",<<"C">>},undefined,pw_no_print,false)`,
		Publish("P", "auth_on_publish", "", "tr-1", "bob", 1, "w", false, []byte("bye bye"), 3):             "P Calling auth_on_publish(bob,{[],<<\"tr-1\">>},1,w,false) with payload:\n    bye (truncated)",
		Subscribe("P", "auth_on_subscribe", "", "tr-1", "bob", []string{"tr/#", "a"}, []byte{2, 0}):         "P Calling auth_on_subscribe(bob,{[],<<\"tr-1\">>}) with topics:\n    q:2, t: \"tr/#\"\n    q:0, t: \"a\"",
		Returned("P", "ok"): "P Hook returned \"ok\"",
		Returned("P", "ok", "{topic,<<\"x\">>}", "{qos,1}"): "P Hook returned \"ok\" with modifiers:\n    {topic,<<\"x\">>}\n    {qos,1}",
		Returned("P", "{error,not_authorized}"):             "P Hook returned {error,not_authorized}",
	} {
		if got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
