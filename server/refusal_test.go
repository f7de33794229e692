package server

import (
	"strings"
	"testing"

	"vernemq/codec"
	"vernemq/server/hooks"
)

// TestRefusalReasons tells clients the reason that plugins give for a refusal,
// and no other. One that is no text is not told.
func TestRefusalReasons(t *testing.T) {
	t.Parallel()
	b := startBroker(t, closedConfig(2))
	reasons := map[string]string{"given": "because", "none": "", "NUL": "a\x00b", "long": strings.Repeat("x", 65536)}
	h := welcome()
	h.AuthOnPublishM5.Now = func(m *hooks.Message) hooks.PublishAnswer {
		return hooks.PublishAnswer{Result: hooks.Failed, Refusal: &hooks.Refusal{Cause: "test", Reason: reasons[string(m.Topic)]}}
	}
	h.AuthOnSubscribeM5.Now = func(s *hooks.Subscribe) hooks.SubscribeAnswer {
		return hooks.SubscribeAnswer{Result: hooks.Failed, Refusal: &hooks.Refusal{Cause: "test", Reason: reasons[string(s.Topics[0].Filter.Filter)]}}
	}
	plug(t, b, "p", h)
	c := asClient(codec.V5, "c", "", "")
	c.RequestProblemInfo = true
	p := enter(t, b, c)
	for topic, want := range map[string]string{"given": "because", "none": "", "NUL": "", "long": "", "$SYS/x": "topics that begin with $ are the broker's own"} {
		for qos := byte(1); qos <= 2; qos++ {
			p.put(topic, qos, 1, "x")
			var a codec.Ack
			f := p.next()
			if err := codec.DecodeAck(codec.V5, f, &a); err != nil || a.Reason != codec.NotAuthorized || string(a.Props.ReasonString()) != want {
				t.Errorf("%s, QoS %d: %v %v %q", topic, qos, err, a.Reason, a.Props.ReasonString())
			}
		}
		if topic[0] == '$' {
			continue
		}
		p.send(codec.AppendSubscribe(nil, codec.V5, 2, 0, []codec.Filter{{Filter: []byte(topic)}}))
		var a codec.Suback
		if err := codec.DecodeSuback(codec.V5, p.next(), &a); err != nil || a.Codes[0] != byte(codec.NotAuthorized) || string(a.Props.ReasonString()) != want {
			t.Errorf("%s: %v % x %q", topic, err, a.Codes, a.Props.ReasonString())
		}
	}
}
