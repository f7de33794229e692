package mqttmodel

import (
	"fmt"
	"math/bits"

	"pgregory.net/rapid"

	"vernemq/codec"
)

// step is one thing that happens. What its numbers mean depends on its kind.
type step struct {
	Kind     string
	Client   int
	QoS      byte
	A, B     int
	X, Y, Z  bool
	Messages []send
}

// send is one message of a client.
type send struct {
	Client, Topic int
	QoS           byte
	Retain, Empty bool
}

var (
	names   = []string{"a", "b", "c", "d", "e"}
	topics  = []string{"a", "a/b", "a/c", "b", "b/c"}
	filters = []string{"a", "a/b", "a/+", "a/#", "#", "+/b", "b/c", "+"}
	groups  = []string{"$share/g/a/#", "$share/g/+/b", "$share/h/#"}
	kinds   = []string{"publish", "publish", "publish", "publish", "publish", "publish", "publish", "subscribe", "subscribe", "subscribe",
		"subscribe", "unsubscribe", "ack", "ack", "ack", "ack", "ack", "release", "release", "connect", "connect", "connect", "connect",
		"cut", "disconnect", "unheard", "unsent", "stall", "flow", "tick", "tick"}
	windows  = []uint16{1, 2, 3, 65535}
	expiries = []uint32{0, 30, never}
)

// number draws a number below n. The integers of rapid prefer small ones; here
// all are meant to be as likely.
func number(t *rapid.T, n int) int {
	x := 0
	for range bits.Len(uint(n-1)) + 2 {
		x *= 2
		if rapid.Bool().Draw(t, "bit") {
			x++
		}
	}
	return x % n
}

// steps makes a few random steps.
var steps = rapid.SliceOf(rapid.Custom(func(t *rapid.T) step {
	s := step{Kind: kinds[number(t, len(kinds))], Client: number(t, len(names)), QoS: byte(number(t, 3)), A: number(t, 12), B: number(t, 12)}
	s.X, s.Y, s.Z = number(t, 2) == 1, number(t, 2) == 1, number(t, 2) == 1
	switch s.Kind {
	case "publish", "unheard", "unsent":
		s.Messages = rapid.SliceOfN(rapid.Custom(sends), 1, 5).Draw(t, "messages")
	}
	return s
}))

func sends(t *rapid.T) send {
	return send{Client: number(t, len(names)), Topic: number(t, len(topics)), QoS: byte(number(t, 3)), Retain: number(t, 2) == 1, Empty: number(t, 8) == 7}
}

// step carries a step out, or nothing if it cannot be.
func (r *run) step(s step) {
	c := r.clients[s.Client]
	if s.Kind == "connect" {
		r.connect(c, r.connectOf(c, s))
		return
	}
	if s.Kind == "publish" {
		r.publishAll(s)
		return
	}
	if s.Kind == "tick" {
		r.tick(s.A + 1)
		return
	}
	if c.link == nil {
		return
	}
	switch s.Kind {
	case "subscribe":
		r.subscribe(c, r.filtersOf(c, s), uint32(s.A%4))
	case "unsubscribe":
		r.unsubscribe(c, r.filter(s.A, s.X))
	case "ack":
		for i := 0; i <= s.B%3 && len(c.owed) > 0; i++ {
			code := codec.Success
			if s.A == 0 {
				code = codec.UnspecifiedError
			}
			r.acknowledge(c, s.A%len(c.owed), code)
		}
	case "release":
		for i, o := range c.releasable() {
			if i%2 == 0 || s.X {
				r.release(c, o)
			}
		}
	case "cut":
		r.cut(c)
	case "disconnect":
		r.disconnect(c, s)
	case "unheard":
		r.unheard(c, s)
	case "unsent":
		r.unsent(c, s)
	case "stall", "flow":
		r.stall(c, s.Kind == "stall")
	}
}

func (r *run) connectOf(c *client, s step) *codec.Connect {
	p := &codec.Connect{Version: codec.V311, CleanStart: s.A%4 == 0, ClientID: []byte(c.name), ReceiveMax: 65535, RequestProblemInfo: true}
	if s.X {
		p.Version = codec.V5
		p.SessionExpiry = expiries[s.A/4%3]
		p.ReceiveMax = windows[s.B%4]
	}
	p.Level = byte(p.Version)
	if s.Y {
		r.count++
		p.HasWill = true
		p.Will = codec.Will{Topic: []byte(topics[s.B%len(topics)]), Payload: fmt.Appendf(nil, "w%d", r.count), QoS: s.QoS, Retain: s.Z}
		if s.X && s.B > 8 {
			p.Will.Delay, p.Will.Retain = 10, false // two may be due at once
		}
	}
	return p
}

func (r *run) filter(i int, shared bool) string {
	if shared && r.Shared {
		return groups[i%len(groups)]
	}
	return filters[i%len(filters)]
}

func (r *run) filtersOf(c *client, s step) []codec.Filter {
	f := codec.Filter{Filter: []byte(r.filter(s.A, s.X)), QoS: s.QoS}
	if c.v5() {
		f.NoLocal, f.RetainAsPublished, f.RetainHandling = s.Y && !(s.X && r.Shared), s.Z, byte(s.B%3)
	}
	out := []codec.Filter{f}
	if s.B > 5 {
		out = append(out, codec.Filter{Filter: []byte(filters[s.B-6]), QoS: byte(s.B % 3)})
	}
	return out
}

func (r *run) subscribe(c *client, fs []codec.Filter, id uint32) {
	if !c.v5() {
		id = 0
	}
	a := answer{packet: codec.SUBACK, id: c.id()}
	line := ""
	for _, f := range fs {
		a.codes += string(rune(f.QoS))
		line += fmt.Sprintf(" %s,%d%s%s%s", f.Filter, f.QoS, comma(f.NoLocal, "nl"), comma(f.RetainAsPublished, "rap"),
			comma(f.RetainHandling > 0, fmt.Sprintf("rh%d", f.RetainHandling)))
	}
	r.say("%s sub %d%s%s", c.name, a.id, line, option(id > 0, fmt.Sprintf("id=%d", id)))
	c.link.Send(codec.AppendSubscribe(nil, c.version, a.id, id, fs))
	c.due = append(c.due, a)
	r.model.subscribe(r.model.sessions[c.name], fs, id)
}

func (r *run) unsubscribe(c *client, filter string) {
	a := answer{packet: codec.UNSUBACK, id: c.id()}
	r.say("%s unsub %d %s", c.name, a.id, filter)
	c.link.Send(codec.AppendUnsubscribe(nil, c.version, a.id, [][]byte{[]byte(filter)}))
	was := r.model.unsubscribe(r.model.sessions[c.name], filter)
	if c.v5() {
		a.codes = "\x00"
		if !was {
			a.codes = "\x11"
		}
	}
	c.due = append(c.due, a)
}

// publishAll lets several clients publish at once.
func (r *run) publishAll(s step) {
	for _, x := range s.Messages {
		if c := r.clients[x.Client]; c.link != nil {
			x.Retain = x.Retain && len(s.Messages) == 1 // else who is last is not known
			r.publish(c, r.message(c, x))
		}
	}
}

func (r *run) message(c *client, x send) *message {
	r.count++
	msg := &message{from: c.name, topic: topics[x.Topic], payload: fmt.Sprintf("m%d", r.count), qos: x.QoS, retain: x.Retain}
	if x.Retain && x.Empty {
		msg.payload = ""
	}
	return msg
}

// unheard publishes, or releases, and loses the connection before the answer.
func (r *run) unheard(c *client, s step) {
	c.deaf = true
	if s.X {
		r.releaseAll(c)
	} else {
		for _, x := range s.Messages {
			r.publish(c, r.message(c, x))
		}
	}
	r.settle()
	r.cut(c)
}

// unsent publishes what never reaches the broker because the connection is
// lost.
func (r *run) unsent(c *client, s step) {
	for _, x := range s.Messages {
		if x.QoS > 0 {
			c.out = append(c.out, &outgoing{message: *r.message(c, x), id: c.id()})
		}
	}
	r.cut(c)
}

func (r *run) disconnect(c *client, s step) {
	reason := byte(0)
	expiry := uint32(0)
	packet := codec.AppendDisconnect(nil, c.version, 0, "", "")
	session := r.model.sessions[c.name]
	if c.v5() && s.X {
		if s.Y {
			reason = byte(codec.DisconnectWithWill)
		}
		if session.expiry > 0 && s.Z {
			expiry = 30
		}
		packet = []byte{0xe0, 7, reason, 5, 0x11, 0, 0, byte(expiry >> 8), byte(expiry)}
		session.expiry = expiry
		r.say("%s disconnect reason=%d expiry=%d", c.name, reason, expiry)
	} else {
		r.say("%s disconnect", c.name)
	}
	c.link.Send(packet)
	c.link.End()
	r.gone(c, reason != 0)
}

// stall makes a connection take no messages, or go on.
func (r *run) stall(c *client, on bool) {
	s := r.model.sessions[c.name]
	if l, ok := c.link.(staller); ok && s.stalled != on {
		r.say("%s %s", c.name, map[bool]string{true: "full", false: "writable"}[on])
		r.model.stall(s, on)
		l.Stall(on)
	}
}

// tick lets time pass if the broker's clock is ours.
func (r *run) tick(seconds int) {
	if b, ok := r.broker.(ticker); ok {
		r.say("tick %d", seconds)
		b.Tick(seconds)
		for range seconds {
			r.model.tick()
		}
	}
}
