package mqttmodel

import (
	"fmt"
	"slices"

	"vernemq/codec"
)

// Broker is what is held to the model.
type Broker interface {
	// Connect opens a connection and sends a CONNECT for the named client.
	Connect(name string, packet []byte) Link
	// Settle returns when all that was sent to the broker has had its effect
	// and has come back to the connections.
	Settle()
}

// Link is a connection to the broker. A Link that also has a method
// Stall(bool) can refuse messages for a while.
type Link interface {
	Send(packet []byte)
	// Received gives the packets that have come since the last call.
	Received() []codec.Frame
	// End cuts the connection unless the broker has ended it.
	End()
}

type staller interface{ Stall(on bool) }

// A Broker may have a clock that only Tick moves. It must not matter in which
// order things happen within a second.
type ticker interface{ Tick(seconds int) }

// client is a client that keeps to the protocol, but takes its time.
type client struct {
	name    string
	link    Link // nil while it is not connected
	version codec.Version
	connect codec.Connect
	owed    []answer    // acknowledgements that it may give
	due     []answer    // what the broker must answer, in this order
	out     []*outgoing // what it published and the broker did not confirm
	deaf    bool        // answers do not reach it any more
}

// answer is an acknowledgement of either side, or a SUBACK or UNSUBACK.
type answer struct {
	packet codec.Type
	id     uint16
	codes  string
}

// outgoing is a message on its way to the broker.
type outgoing struct {
	message
	id       uint16
	released bool // PUBREC came
}

func (c *client) v5() bool { return c.version == codec.V5 }

// id gives the first packet identifier that is not in use: each is soon used
// again.
func (c *client) id() (id uint16) {
	for id = 1; slices.ContainsFunc(c.out, func(o *outgoing) bool { return o.id == id }); id++ {
	}
	return id
}

func (c *client) sendPublish(msg *message, id uint16, dup bool) {
	first := codec.PublishFirst(msg.qos, dup, msg.retain)
	b := codec.AppendPublishHead(nil, c.version, first, []byte(msg.topic), id, &codec.Outgoing{}, len(msg.payload))
	c.link.Send(append(b, msg.payload...))
}

func (c *client) sendAck(t codec.Type, id uint16, code codec.ReasonCode) {
	c.link.Send(codec.AppendAck(nil, c.version, t, id, code, ""))
}

// receive handles a packet of the broker as far as it needs no model.
func (c *client) receive(f codec.Frame) error {
	var a codec.Ack
	if err := codec.DecodeAck(c.version, f, &a); err != nil {
		return err
	}
	return c.answered(answer{packet: f.Type(), id: a.PacketID}, a.Reason)
}

// answered holds that the broker answers everything, in order.
func (c *client) answered(a answer, reason codec.ReasonCode) error {
	if len(c.due) == 0 || c.due[0] != a {
		return fmt.Errorf("%s: %v is not the answer: want %v", c.name, a, c.due)
	}
	c.due = c.due[1:]
	if reason != 0 && (a.packet != codec.PUBCOMP || reason != codec.PacketIdentifierNotFound) {
		return fmt.Errorf("%s: %v says %v", c.name, a, reason)
	}
	if !c.deaf {
		c.confirm(a)
	}
	return nil
}

// owe notes an acknowledgement that the client may give, once.
func (c *client) owe(t codec.Type, id uint16) {
	if a := (answer{packet: t, id: id}); !slices.Contains(c.owed, a) {
		c.owed = append(c.owed, a)
	}
}

// confirm moves what the client published on.
func (c *client) confirm(a answer) {
	i := slices.IndexFunc(c.out, func(o *outgoing) bool { return o.id == a.id })
	switch a.packet {
	case codec.PUBREC:
		c.out[i].released = true
	case codec.PUBACK, codec.PUBCOMP:
		c.out = slices.Delete(c.out, i, i+1)
	}
}

// releasable are the messages for which PUBREL may be sent.
func (c *client) releasable() (out []*outgoing) {
	if c.link == nil {
		return nil
	}
	for _, o := range c.out {
		busy := slices.ContainsFunc(c.due, func(a answer) bool { return a.id == o.id && a.packet == codec.PUBCOMP })
		if o.released && !busy {
			out = append(out, o)
		}
	}
	return out
}

// suback reads a SUBACK or UNSUBACK.
func (c *client) suback(f codec.Frame) error {
	var s codec.Suback
	decode := codec.DecodeSuback
	if f.Type() == codec.UNSUBACK {
		decode = codec.DecodeUnsuback
	}
	if err := decode(c.version, f, &s); err != nil {
		return err
	}
	return c.answered(answer{f.Type(), s.PacketID, string(s.Codes)}, 0)
}
