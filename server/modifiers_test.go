package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/admin"
	"vernemq/server/hooks"
)

// atOnce makes both functions of a hook that answer the same.
func atOnce[R, M any](slow bool, f func(*R) hooks.Answer[M]) hooks.Asked[R, M] {
	if slow {
		return hooks.Asked[R, M]{Wait: func(_ context.Context, r *R) hooks.Answer[M] { return f(r) }}
	}
	return hooks.Asked[R, M]{Now: f}
}

func forSpeeds(t *testing.T, f func(t *testing.T, slow bool)) {
	for _, slow := range []bool{false, true} {
		t.Run(fmt.Sprint("slow ", slow), func(t *testing.T) { t.Parallel(); f(t, slow) })
	}
}

func TestPublishModifiers(t *testing.T) {
	t.Parallel()
	forSpeeds(t, func(t *testing.T, slow bool) {
		b := startBroker(t, closedConfig(2))
		var props codec.Properties
		props = codec.AppendProperty(props, codec.Property{ID: codec.UserProperty, Bytes: []byte("k"), Value: []byte("v")})
		h := welcome()
		h.AuthOnPublishM5 = atOnce(slow, func(m *hooks.Message) hooks.PublishAnswer {
			a := hooks.PublishAnswer{Result: hooks.OK}
			switch string(m.Topic) {
			case "all":
				a.Modifiers = &hooks.PublishModifiers{Topic: new([]byte("new/topic")), Payload: new([]byte("new")), QoS: new(byte(0)), Retain: new(true), Properties: &props}
			case "system":
				a.Modifiers = &hooks.PublishModifiers{Topic: new([]byte("$SYS/x"))}
			case "elsewhere":
				a.Modifiers = &hooks.PublishModifiers{Mountpoint: new("mp")}
			case "wrong":
				a.Modifiers = &hooks.PublishModifiers{Topic: new([]byte("a/#"))}
			case "code":
				a = hooks.PublishAnswer{Result: hooks.Failed, Refusal: &hooks.Refusal{Code: codec.QuotaExceeded}}
			case "other packet's code":
				a = hooks.PublishAnswer{Result: hooks.Failed, Refusal: &hooks.Refusal{Code: codec.ServerMoved}}
			case "will":
				a.Modifiers = &hooks.PublishModifiers{Topic: new([]byte("new/will")), Payload: new([]byte("bye")), QoS: new(byte(1)), Properties: &props}
			}
			return a
		})
		plug(t, b, "p", h)
		reader := enter(t, b, asClient(codec.V5, "reader", "", ""))
		reader.sub("#")
		p := enter(t, b, asClient(codec.V5, "c", "", ""))
		out := codec.Outgoing{Expiry: 100, HasExpiry: true, Forward: codec.AppendProperty(nil, codec.Property{ID: codec.ContentType, Bytes: []byte("gone")})}
		frame := codec.AppendPublishHead(nil, codec.V5, codec.PublishFirst(1, false, false), []byte("all"), 1, &out, 3)
		p.send(append(frame, "old"...))
		if code := p.ack(codec.PUBACK, 1); code != 0 { // the packet's QoS
			t.Error(code)
		}
		m := reader.got()
		user := ""
		for k, v := range m.Props.Raw.Users {
			user = string(k) + string(v)
		}
		if string(m.Topic) != "new/topic" || string(m.Payload) != "new" || m.QoS != 0 || user != "kv" || m.Props.ContentType != nil || !m.Props.HasExpiry || m.Props.Expiry > 100 || m.Props.Expiry < 90 {
			t.Errorf("%+v", m)
		}
		late := enter(t, b, asClient(codec.V5, "late", "", ""))
		late.sub("new/#")
		if m := late.got(); string(m.Payload) != "new" || !m.Retain {
			t.Errorf("%+v", m)
		}
		for i, tt := range []struct {
			topic string
			want  codec.ReasonCode
		}{{"system", codec.NotAuthorized}, {"elsewhere", 0}, {"wrong", codec.NotAuthorized}, {"code", codec.QuotaExceeded}, {"other packet's code", codec.NotAuthorized}, {"plain", 0}} {
			p.put(tt.topic, 1, uint16(i+2), tt.topic)
			if code := p.ack(codec.PUBACK, uint16(i+2)); code != tt.want {
				t.Errorf("%s: %v", tt.topic, code)
			}
		}
		if m := reader.got(); string(m.Payload) != "plain" { // the others went nowhere that it sees
			t.Errorf("%s", m.Payload)
		}
		c := asClient(codec.V5, "w", "", "")
		c.HasWill, c.Will.Topic, c.Will.Payload = true, []byte("will"), []byte("old")
		w := enter(t, b, c)
		w.conn.Close()
		if m := reader.got(); string(m.Topic) != "new/will" || string(m.Payload) != "bye" || m.QoS != 1 {
			t.Errorf("%s %s %d", m.Topic, m.Payload, m.QoS)
		}
	})
}

// TestThrottle does not read a client for a while after a message.
func TestThrottle(t *testing.T) {
	t.Parallel()
	b := startBroker(t, closedConfig(1))
	h := welcome()
	const pause = 150 * time.Millisecond
	h.AuthOnPublishM5.Now = func(*hooks.Message) hooks.PublishAnswer {
		return hooks.PublishAnswer{Result: hooks.OK, Modifiers: &hooks.PublishModifiers{Throttle: pause}}
	}
	plug(t, b, "p", h)
	p := enter(t, b, asClient(codec.V5, "c", "", ""))
	start := time.Now()
	for i := range 3 {
		p.put("t", 1, uint16(i+1), "")
	}
	for i := range 3 {
		p.ack(codec.PUBACK, uint16(i+1))
		if got := time.Since(start); got < time.Duration(i)*pause {
			t.Errorf("message %d after %v", i, got)
		}
	}
}

func TestRegisterModifiers(t *testing.T) {
	t.Parallel()
	forSpeeds(t, func(t *testing.T, slow bool) {
		b := startBroker(t, closedConfig(4))
		mods := map[string]*hooks.RegisterModifiers{}
		h := welcome()
		register := func(r *hooks.Register) hooks.RegisterAnswer {
			if strings.HasPrefix(r.Username, "no") {
				return hooks.RegisterAnswer{Result: hooks.Failed, Refusal: &hooks.Refusal{Code: codec.UseAnotherServer, Reason: "full", ServerReference: "b:1883"}}
			}
			return hooks.RegisterAnswer{Result: hooks.OK, Modifiers: mods[r.Username]}
		}
		h.AuthOnRegister, h.AuthOnRegisterM5 = atOnce(slow, register), atOnce(slow, register)
		who := make(chan hooks.Client, 10)
		h.AuthOnPublishM5.Now = func(m *hooks.Message) hooks.PublishAnswer {
			who <- m.Client
			return hooks.PublishAnswer{Result: hooks.OK}
		}
		h.AuthOnPublish = h.AuthOnPublishM5
		for i := range 8 { // some of them live on other loops
			mods[fmt.Sprint("name", i)] = &hooks.RegisterModifiers{ClientID: new(fmt.Sprint("other", i)), Mountpoint: new("mp"), Username: new("new name")}
		}
		mods["keep"] = &hooks.RegisterModifiers{CleanSession: new(false)}
		mods["expiry"] = &hooks.RegisterModifiers{SessionExpiry: new(uint32(77)), UserProperties: []hooks.UserProperty{{Name: "k", Value: "v"}}, ResponseInfo: new("info")}
		mods["small"] = &hooks.RegisterModifiers{MaxMessageSize: new(50)}
		mods["large"] = &hooks.RegisterModifiers{MaxMessageSize: new(0)}
		mods["short"] = &hooks.RegisterModifiers{MaxConnectionLifetime: new(time.Second)}
		mods["bad"] = &hooks.RegisterModifiers{ClientID: new("x")}
		plug(t, b, "p", h)
		for i := range 8 {
			p := enter(t, b, asClient(codec.V5, fmt.Sprint("c", i), fmt.Sprint("name", i), ""))
			p.put("t", 1, 1, "")
			p.ack(codec.PUBACK, 1)
			if c := <-who; c.ID != fmt.Sprint("other", i) || c.Mountpoint != "mp" || c.Username != "new name" {
				t.Errorf("%+v", c)
			}
			if !b.has("mp", fmt.Sprint("other", i)) || b.has("", fmt.Sprint("c", i)) {
				t.Error("the client has its old name")
			}
			shown := seen(t, b, &admin.Scan{Details: admin.Connections}, func(s *admin.Session) string { return s.ID + " " + s.User })
			if want := fmt.Sprint("other", i, " new name"); !slices.Contains(shown, want) {
				t.Errorf("%q, want %q", shown, want)
			}
		}
		c := asClient(codec.V311, "k", "keep", "")
		p := enter(t, b, c)
		p.sub("a")
		p.conn.Close()
		if _, a := try(t, b, c); !a.SessionPresent {
			t.Error("the session was not kept")
		}
		c = asClient(codec.V5, "e", "expiry", "")
		c.RequestResponseInfo = true
		_, a := try(t, b, c)
		user := ""
		for k, v := range a.Props.Users {
			user = string(k) + string(v)
		}
		if !a.HasSessionExpiry || a.SessionExpiry != 77 || user != "kv" || string(a.ResponseInfo) != "info" {
			t.Errorf("%+v", a)
		}
		p = enter(t, b, asClient(codec.V5, "s", "small", ""))
		p.put("t", 0, 0, strings.Repeat("x", 60))
		if f := p.next(); f.Type() != codec.DISCONNECT || f.Body[0] != 0x95 {
			t.Errorf("%v % x", f.Type(), f.Body)
		}
		if _, a := try(t, b, asClient(codec.V5, "b", "bad", "")); a.Reason != 0x86 {
			t.Errorf("%v", a.Reason)
		}
		if _, a := try(t, b, asClient(codec.V5, "n", "no", "")); a.Reason != codec.UseAnotherServer || string(a.Props.ReasonString()) != "full" || string(a.ServerReference) != "b:1883" {
			t.Errorf("%+v", a)
		}
		if _, a := try(t, b, asClient(codec.V31, "n", "no", "")); a.Reason != 5 {
			t.Errorf("%v", a.Reason)
		}
		p = enter(t, b, asClient(codec.V5, "l", "short", ""))
		if f := p.next(); f.Type() != codec.DISCONNECT || f.Body[0] != 0x98 {
			t.Errorf("%v % x", f.Type(), f.Body)
		}
	})
}

// TestConnackSize leaves out of a CONNACK what the client may find too large
// [MQTT-3.2.2-19] [MQTT-3.2.2-20], or does not want [MQTT-3.1.2-29].
func TestConnackSize(t *testing.T) {
	t.Parallel()
	b := startBroker(t, closedConfig(1))
	h := welcome()
	h.AuthOnRegisterM5.Now = func(r *hooks.Register) hooks.RegisterAnswer {
		if r.Username == "no" {
			return hooks.RegisterAnswer{Result: hooks.Failed, Refusal: &hooks.Refusal{Reason: "because", Code: codec.ServerMoved, ServerReference: "b"}}
		}
		return hooks.RegisterAnswer{Result: hooks.OK, Modifiers: &hooks.RegisterModifiers{UserProperties: []hooks.UserProperty{{Name: "name", Value: "value"}}}}
	}
	plug(t, b, "p", h)
	for _, tt := range []struct {
		user string
		size uint32
		want string
	}{{"yes", 0, "name=value"}, {"yes", 40, "name=value"}, {"yes", 15, ""}, {"no", 0, "because b"}, {"no", 1000, " "}} {
		c := asClient(codec.V5, "c", tt.user, "")
		c.MaxPacketSize = tt.size
		_, a := try(t, b, c)
		got := ""
		for k, v := range a.Props.Users {
			got += string(k) + "=" + string(v)
		}
		if tt.user == "no" {
			got += string(a.Props.ReasonString()) + " " + string(a.ServerReference)
		}
		if got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
	c := asClient(codec.V5, "c", "no", "")
	p := versioned{&peer{t: t}, c.Version}
	p.open(b)
	p.send(codec.AppendConnect(nil, c)) // RequestProblemInfo is false
	if a := p.connack(); a.Props.ReasonString() != nil || string(a.ServerReference) != "b" {
		t.Errorf("%+v", a)
	}
}

// has tells whether a client is known.
func (b *Broker) has(mountpoint, id string) bool {
	key := queue.KeyOf(mountpoint, id)
	found := make(chan bool, 1)
	l := b.loops[b.home(key)]
	l.reactor.Post(func() { found <- l.clients.find(key, mountpoint, id) != nil })
	return <-found
}

func TestSubscribeModifiers(t *testing.T) {
	t.Parallel()
	topic := func(f string, qos byte, code codec.ReasonCode) hooks.Topic {
		return hooks.Topic{Filter: codec.Filter{Filter: []byte(f), QoS: qos}, Code: code}
	}
	forSpeeds(t, func(t *testing.T, slow bool) {
		forVersions(t, func(t *testing.T, v codec.Version) {
			b := startBroker(t, closedConfig(2))
			h := welcome()
			told := make(chan []hooks.Topic, 10)
			subscribe := func(s *hooks.Subscribe) hooks.SubscribeAnswer {
				m := &hooks.SubscribeModifiers{}
				switch string(s.Topics[0].Filter.Filter) {
				case "change":
					m.Topics = []hooks.Topic{topic("new", 0, 0), topic("", 0, codec.QuotaExceeded), topic("c", 2, 0)}
				case "shorter":
					m.Topics = []hooks.Topic{topic("s", 0, 0)}
				case "longer":
					m.Topics = []hooks.Topic{topic("l", 0, 0), topic("more", 0, 0)}
				case "forbidden":
					return hooks.Refuse[hooks.SubscribeModifiers]("no")
				case "alien":
					m.Topics = []hooks.Topic{topic("x", 0, codec.ServerMoved)}
				default:
					return hooks.SubscribeAnswer{Result: hooks.OK}
				}
				return hooks.SubscribeAnswer{Result: hooks.OK, Modifiers: m}
			}
			h.AuthOnSubscribe, h.AuthOnSubscribeM5 = atOnce(slow, subscribe), atOnce(slow, subscribe)
			h.OnSubscribe.Wait = func(_ context.Context, s *hooks.Subscribe) { told <- s.Topics }
			h.OnSubscribeM5 = h.OnSubscribe
			unsubscribe := func(u *hooks.Unsubscribe) hooks.UnsubscribeAnswer {
				if string(u.Filters[0]) == "refused" {
					return hooks.UnsubscribeAnswer{Result: hooks.Failed}
				}
				return hooks.UnsubscribeAnswer{Result: hooks.OK, Modifiers: &hooks.UnsubscribeModifiers{Filters: [][]byte{[]byte("new")}}}
			}
			h.OnUnsubscribe, h.OnUnsubscribeM5 = atOnce(slow, unsubscribe), atOnce(slow, unsubscribe)
			plug(t, b, "p", h)
			p := enter(t, b, asClient(v, "c", "", ""))
			code := func(c byte) byte {
				if v != codec.V5 {
					return 0x80
				}
				return c
			}
			if got := p.sub("change", "b", "c"); string(got) != string([]byte{0, code(0x97), 2}) {
				t.Errorf("% x", got)
			}
			if got := <-told; len(got) != 3 || string(got[0].Filter.Filter) != "new" || string(got[1].Filter.Filter) != "b" || got[1].Code != 0x97 || got[2].QoS != 2 {
				t.Errorf("%+v", got)
			}
			if got := p.sub("forbidden"); string(got) != string([]byte{code(0x87)}) {
				t.Errorf("% x", got)
			}
			if got := p.sub("shorter", "y", "z"); string(got) != string([]byte{0, code(0x87), code(0x87)}) {
				t.Errorf("% x", got)
			}
			if got := <-told; string(got[0].Filter.Filter) != "s" { // and not of what was refused
				t.Errorf("%+v", got)
			}
			if got := p.sub("longer"); string(got) != "\x00" {
				t.Errorf("% x", got)
			}
			if got := p.sub("alien"); got[0] != 0x80 {
				t.Errorf("% x", got)
			}
			w := enter(t, b, asClient(codec.V5, "w", "", ""))
			for _, topic := range []string{"change", "b", "y", "shorter", "longer", "new", "more", "s", "l", "c"} {
				w.put(topic, 0, 0, topic)
			}
			for _, want := range []string{"new", "more", "s", "l", "c"} {
				if m := p.got(); string(m.Payload) != want {
					t.Errorf("%s, want %s", m.Payload, want)
				}
			}
			p.send(codec.AppendUnsubscribe(nil, v, 3, [][]byte{[]byte("whatever"), []byte("else")}))
			f := p.next()
			var a codec.Suback
			if err := codec.DecodeUnsuback(v, f, &a); err != nil || v == codec.V5 && string(a.Codes) != "\x00\x11" {
				t.Errorf("%v % x", err, f.Body)
			}
			p.send(codec.AppendUnsubscribe(nil, v, 3, [][]byte{[]byte("refused")})) // as it is then
			p.next()
			for _, topic := range []string{"new", "s"} {
				w.put(topic, 0, 0, topic)
			}
			if m := p.got(); string(m.Payload) != "s" {
				t.Errorf("%s", m.Payload)
			}
		})
	})
}

// TestReauthorize asks again about what a client has subscribed.
func TestReauthorize(t *testing.T) {
	t.Parallel()
	forSpeeds(t, func(t *testing.T, slow bool) {
		b := startBroker(t, closedConfig(2))
		h := welcome()
		strict := false
		subscribe := func(s *hooks.Subscribe) hooks.SubscribeAnswer {
			if !strict {
				return hooks.SubscribeAnswer{Result: hooks.OK}
			}
			if s.Username != "alice" {
				return hooks.SubscribeAnswer{Result: hooks.Failed}
			}
			m := &hooks.SubscribeModifiers{}
			for _, x := range s.Topics {
				switch string(x.Filter.Filter) {
				case "gone":
					x.Code = codec.NotAuthorized
				case "less":
					x.QoS = 0
				case "old":
					x.Filter.Filter = []byte("new")
				}
				m.Topics = append(m.Topics, x)
			}
			return hooks.SubscribeAnswer{Result: hooks.OK, Modifiers: m}
		}
		h.AuthOnSubscribe, h.AuthOnSubscribeM5 = atOnce(slow, subscribe), atOnce(slow, subscribe)
		plug(t, b, "p", h)
		p := enter(t, b, asClient(codec.V5, "c", "", ""))
		p.sub("gone", "less", "same", "$share/g/shared")
		p.send(codec.AppendSubscribe(nil, codec.V5, 10, 7, []codec.Filter{{Filter: []byte("old"), QoS: 1}}))
		p.expect(codec.SUBACK)
		again := func(id, user string, want bool) {
			t.Helper()
			if changed, err := b.Reauthorize(t.Context(), "", id, user); changed != want || err != nil {
				t.Errorf("%s %s: %v %v", id, user, changed, err)
			}
		}
		again("c", "alice", false)
		strict = true
		again("unknown", "alice", false)
		again("c", "alice", true)
		again("c", "alice", false)
		w := enter(t, b, asClient(codec.V5, "w", "", ""))
		for i, topic := range []string{"gone", "less", "same", "shared", "old", "new"} {
			w.put(topic, 1, uint16(i+1), topic)
			w.ack(codec.PUBACK, uint16(i+1))
		}
		for _, want := range []string{"less 0 false", "same 1 false", "shared 1 false", "new 1 true"} {
			m := p.got()
			if got := fmt.Sprint(string(m.Payload), " ", m.QoS, " ", m.Props.HasSubscriptionID()); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		again("c", "bob", true) // refused altogether
		again("c", "bob", false)
	})
}

// TestPropertiesOfDeliveries gives each subscriber the properties that plugins
// have given to the message, whatever they make of it for another subscriber.
func TestPropertiesOfDeliveries(t *testing.T) {
	t.Parallel()
	b := startBroker(t, closedConfig(1))
	user := func(name string) *codec.Properties {
		ps := codec.Properties(codec.AppendProperty(nil, codec.Property{ID: codec.UserProperty, Bytes: []byte(name), Value: []byte("v")}))
		return &ps
	}
	h := welcome()
	h.AuthOnPublishM5.Now = func(*hooks.Message) hooks.PublishAnswer {
		return hooks.PublishAnswer{Result: hooks.OK, Modifiers: &hooks.PublishModifiers{Properties: user("published")}}
	}
	h.OnDeliverM5.Now = func(m *hooks.Message) hooks.DeliverAnswer {
		a := hooks.DeliverAnswer{Result: hooks.OK}
		if m.Client.ID == "a" {
			a.Modifiers = &hooks.DeliverModifiers{Properties: user("delivered")}
		}
		return a
	}
	plug(t, b, "p", h)
	readers := map[string]versioned{}
	for _, name := range []string{"a", "b"} {
		readers[name] = enter(t, b, asClient(codec.V5, name, "", ""))
		readers[name].sub("t")
	}
	enter(t, b, asClient(codec.V5, "c", "", "")).put("t", 0, 0, "x")
	for name, want := range map[string]string{"a": "delivered", "b": "published"} {
		for got := range readers[name].got().Props.Raw.Users {
			if string(got) != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
	}
}
