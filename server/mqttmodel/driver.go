package mqttmodel

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"vernemq/codec"
)

// Options are what the driver must know of the broker, and what it leaves out.
type Options struct {
	MaxInflight int  // Receive Maximum that the broker takes for MQTT 3
	Steps       int  // about five times as many as this
	Shared      bool // use shared groups
	Lossy       bool // queues are short
}

// run is one random life of a broker.
type run struct {
	Options
	t       *rapid.T
	broker  Broker
	model   *Model
	clients []*client
	count   int // messages so far
	log     strings.Builder
}

// Run lets random clients do random things to the broker.
func Run(t *rapid.T, b Broker, o Options) {
	r := &run{Options: o, t: t, broker: b, model: New()}
	r.model.Lossy = o.Lossy
	for _, name := range names {
		r.clients = append(r.clients, &client{name: name})
	}
	for range o.Steps {
		for _, s := range steps.Draw(t, "steps") {
			r.step(s)
			r.settle()
		}
	}
	r.finish()
}

// say notes what happens, in the words of the transcripts of server/session.
func (r *run) say(format string, a ...any) { fmt.Fprintf(&r.log, "> "+format+"\n", a...) }

func (r *run) check() {
	if r.model.wrong != "" {
		r.t.Fatalf("%s\n%s", r.model.wrong, r.log.String())
	}
}

func (r *run) must(err error) {
	if err != nil {
		r.model.fail("%v", err)
	}
}

// settle lets the broker do what it has to and holds it to the model.
func (r *run) settle() {
	r.broker.Settle()
	for _, c := range r.clients {
		if c.link != nil {
			for _, f := range c.link.Received() {
				r.received(c, f)
			}
		}
	}
	r.model.settled()
	for _, c := range r.clients {
		if c.link != nil && len(c.due) > 0 {
			r.model.fail("%s: no answer came: %v", c.name, c.due)
		}
	}
	r.check()
}

// received takes one packet from the broker.
func (r *run) received(c *client, f codec.Frame) {
	s := r.model.sessions[c.name]
	switch f.Type() {
	case codec.PUBLISH:
		var p codec.Publish
		r.must(codec.DecodePublish(c.version, f, &p))
		r.model.sent(s, &p)
		switch p.QoS {
		case 1:
			c.owe(codec.PUBACK, p.PacketID)
		case 2:
			c.owe(codec.PUBREC, p.PacketID)
		}
	case codec.PUBREL:
		var a codec.Ack
		r.must(codec.DecodeAck(c.version, f, &a))
		r.model.pubrel(s, a.PacketID)
		c.owe(codec.PUBCOMP, a.PacketID)
	case codec.SUBACK, codec.UNSUBACK:
		r.must(c.suback(f))
	case codec.PUBACK, codec.PUBREC, codec.PUBCOMP:
		r.must(c.receive(f))
	default:
		r.model.fail("%s: %v is not expected", c.name, f.Type())
	}
	r.check()
}

// connect connects a client, perhaps in place of its own connection.
func (r *run) connect(c *client, p *codec.Connect) {
	r.say("%s connect %s", c.name, words(p))
	old := c.link
	link := r.broker.Connect(c.name, codec.AppendConnect(nil, p))
	if old != nil {
		old.End()
		r.farewell(c, old.Received())
	}
	window := int(p.ReceiveMax)
	if p.Version != codec.V5 {
		window = r.MaxInflight
	}
	present := r.model.connect(p, window)
	c.link, c.version, c.connect = link, p.Version, *p
	c.owed, c.due, c.deaf = nil, nil, false
	r.broker.Settle()
	frames := link.Received()
	if len(frames) == 0 {
		r.model.fail("%s: no CONNACK", c.name)
		r.check()
	}
	var a codec.Connack
	r.must(codec.DecodeConnack(c.version, frames[0], &a))
	if a.Reason != 0 || a.SessionPresent != present {
		r.model.fail("%s: CONNACK %v, session present %v", c.name, a.Reason, a.SessionPresent)
	}
	for _, f := range frames[1:] {
		r.received(c, f)
	}
	if !present {
		c.out = nil
	}
	r.repeat(c)
}

// farewell is what a connection hears last.
func (r *run) farewell(c *client, frames []codec.Frame) {
	for _, f := range frames {
		if f.Type() != codec.DISCONNECT || !c.v5() {
			r.model.fail("%s: %v at the end of the old connection", c.name, f.Type())
		}
	}
}

// repeat sends again what the broker did not confirm [MQTT-4.4.0-1].
func (r *run) repeat(c *client) {
	for _, o := range c.out {
		if o.released {
			r.release(c, o)
		} else {
			r.sendPublish(c, &o.message, o.id, true)
		}
	}
}

// cut ends the connection without DISCONNECT.
func (r *run) cut(c *client) {
	r.say("%s lost", c.name)
	c.link.End()
	r.gone(c, true)
}

func (r *run) gone(c *client, willDue bool) {
	r.farewell(c, c.link.Received())
	c.link, c.owed, c.due, c.deaf = nil, nil, nil, false
	r.model.detach(r.model.sessions[c.name], willDue)
}

func (r *run) publish(c *client, msg *message) {
	id := uint16(0)
	if msg.qos > 0 {
		id = c.id()
		c.out = append(c.out, &outgoing{message: *msg, id: id})
	}
	r.sendPublish(c, msg, id, false)
}

func (r *run) sendPublish(c *client, msg *message, id uint16, dup bool) {
	r.say("%s pub %s %s q=%d id=%d%s%s", c.name, msg.topic, dash(msg.payload), msg.qos, id, option(dup, "dup"), option(msg.retain, "retain"))
	c.sendPublish(msg, id, dup)
	s := r.model.sessions[c.name]
	switch msg.qos {
	case 0:
		r.model.publish(msg)
	case 1:
		r.model.publish(msg)
		c.due = append(c.due, answer{packet: codec.PUBACK, id: id})
	case 2:
		if !s.received[id] {
			s.received[id] = true
			r.model.publish(msg)
		}
		c.due = append(c.due, answer{packet: codec.PUBREC, id: id})
	}
}

// release sends PUBREL for a message of the client.
func (r *run) release(c *client, o *outgoing) {
	r.say("%s pubrel %d", c.name, o.id)
	c.sendAck(codec.PUBREL, o.id, 0)
	delete(r.model.sessions[c.name].received, o.id)
	c.due = append(c.due, answer{packet: codec.PUBCOMP, id: o.id})
}

func (r *run) releaseAll(c *client) {
	for _, o := range c.releasable() {
		r.release(c, o)
	}
}

// acknowledge gives the i-th acknowledgement that the client owes.
func (r *run) acknowledge(c *client, i int, code codec.ReasonCode) {
	a := c.owed[i]
	if a.packet == codec.PUBCOMP || !c.v5() {
		code = 0
	}
	r.say("%s %s %d%s", c.name, strings.ToLower(a.packet.String()), a.id, option(code != 0, fmt.Sprintf("reason=%d", code)))
	c.owed = append(c.owed[:i:i], c.owed[i+1:]...)
	c.sendAck(a.packet, a.id, code)
	r.model.acknowledge(r.model.sessions[c.name], a.packet, a.id, code)
}

// finish brings everybody back, acknowledges everything and looks whether
// anything is missing.
func (r *run) finish() {
	for _, c := range r.clients {
		if c.link == nil && r.model.sessions[c.name] != nil {
			c.connect.CleanStart, c.connect.HasWill = false, false
			r.connect(c, &c.connect)
			r.settle()
		}
		r.stall(c, false)
	}
	r.settle()
	for again := true; again; {
		again = false
		for _, c := range r.clients {
			for c.link != nil && len(c.owed) > 0 {
				r.acknowledge(c, 0, 0)
				again = true
			}
			r.releaseAll(c)
		}
		r.settle()
	}
	r.model.finished()
	r.check()
	r.retained()
}

// retained compares the retained messages with those of the model.
func (r *run) retained() {
	c := &client{name: "z"}
	r.clients = append(r.clients, c)
	r.connect(c, &codec.Connect{Version: codec.V5, CleanStart: true, ClientID: []byte("z"), ReceiveMax: 65535, RequestProblemInfo: true})
	r.subscribe(c, []codec.Filter{{Filter: []byte("#"), QoS: 2}}, 0)
	r.settle()
	for _, c := range r.clients {
		if c.link != nil {
			c.link.End()
		}
	}
}
