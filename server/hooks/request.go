package hooks

import (
	"bytes"
	"hash/maphash"
	"net/netip"

	"vernemq/codec"
)

// Client is the client that a request is about. Its strings stay valid.
type Client struct {
	Mountpoint  string // "" is the default one
	ID          string
	Username    string
	HasUsername bool
	V5          bool // the client speaks MQTT 5
	Peer        netip.AddrPort
}

var seed = maphash.MakeSeed()

// key keeps calls for one client in order.
func (c *Client) key() uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	h.WriteString(c.Mountpoint)
	h.WriteByte(0)
	h.WriteString(c.ID)
	return max(h.Sum64(), 1)
}

// Register is a client that wants to connect, or one that has.
type Register struct {
	Client
	Password    []byte
	HasPassword bool
	CleanStart  bool             // Clean Session of MQTT 3
	Properties  codec.Properties // of CONNECT
	Connection  *Connection      // with forward_connection_opts, else nil
	Exchange    *Exchange        // of a client whose enhanced authentication has succeeded, else nil
}

// Connection is how a client came in.
type Connection struct {
	ClientCert   []byte // DER
	ListenerAddr string
	ListenerPort int
	ListenerType string // mqtt, mqtts, mqttws, mqttwss
}

// Exchange is the enhanced authentication of a connection. It lasts as long as
// the connection, so that a plugin can keep in State what its next step needs
// and what it has found out.
type Exchange struct {
	Method string
	State  any
}

// Auth is a step of an enhanced authentication: the CONNECT or an AUTH of a
// client. Exchange.State is the only thing that a plugin may change.
type Auth struct {
	Client
	*Exchange
	Data       []byte // Authentication Data
	HasData    bool
	Again      bool // the client is connected and authenticates again
	Properties codec.Properties
}

// Message is a message that a client publishes or gets.
type Message struct {
	Client
	Topic, Payload []byte
	QoS            byte
	Retain         bool
	Will           bool
	Properties     codec.Properties
}

// Subscribe is a SUBSCRIBE with its topic filters in their order.
type Subscribe struct {
	Client
	Topics     []Topic
	Properties codec.Properties
}

// Topic is a topic filter with what a client asks for. A Code from 0x80 on
// refuses it.
type Topic struct {
	codec.Filter
	Code codec.ReasonCode
}

// Unsubscribe is an UNSUBSCRIBE with its topic filters in their order.
type Unsubscribe struct {
	Client
	Filters    [][]byte
	All        bool // on_topic_unsubscribed: all that the client had
	Properties codec.Properties
}

// Drop is a message that did not reach a client.
type Drop struct {
	Message
	Reason string // queue_full, expired, max_packet_size_exceeded
}

// ConfigChange is the configuration after a change.
type ConfigChange struct{ Settings map[string]string }

// What follows copies requests, so that they outlive the call that they were
// made for.

func (r *Register) clone() *Register {
	c := *r
	c.Password, c.Properties = bytes.Clone(r.Password), bytes.Clone(r.Properties)
	return &c
}

func (r *Auth) clone() *Auth {
	c := *r
	c.Data, c.Properties = bytes.Clone(r.Data), bytes.Clone(r.Properties)
	return &c
}

func (r *Message) clone() *Message {
	c := *r
	c.Topic, c.Payload, c.Properties = bytes.Clone(r.Topic), bytes.Clone(r.Payload), bytes.Clone(r.Properties)
	return &c
}

func (r *Subscribe) clone() *Subscribe {
	c := *r
	c.Topics = make([]Topic, len(r.Topics))
	for i, t := range r.Topics {
		t.Filter.Filter = bytes.Clone(t.Filter.Filter)
		c.Topics[i] = t
	}
	c.Properties = bytes.Clone(r.Properties)
	return &c
}

func (r *Unsubscribe) clone() *Unsubscribe {
	c := *r
	c.Filters = make([][]byte, len(r.Filters))
	for i, f := range r.Filters {
		c.Filters[i] = bytes.Clone(f)
	}
	c.Properties = bytes.Clone(r.Properties)
	return &c
}

func (r *Drop) clone() *Drop { return &Drop{*r.Message.clone(), r.Reason} }

func (c *Client) clone() *Client {
	copied := *c
	return &copied
}

func (r *ConfigChange) clone() *ConfigChange { return r }

func (c *Client) who() *Client { return c }

func (r *ConfigChange) who() *Client { return &Client{} }

// size is about what a copy takes, in bytes.
func (r *Register) size() int     { return 256 + len(r.Password) + len(r.Properties) }
func (r *Auth) size() int         { return 256 + len(r.Data) + len(r.Properties) }
func (r *Message) size() int      { return 256 + len(r.Topic) + len(r.Payload) + len(r.Properties) }
func (c *Client) size() int       { return 128 }
func (r *ConfigChange) size() int { return 128 }

func (r *Subscribe) size() int {
	n := 256 + len(r.Properties)
	for i := range r.Topics {
		n += 48 + len(r.Topics[i].Filter.Filter)
	}
	return n
}

func (r *Unsubscribe) size() int {
	n := 256 + len(r.Properties)
	for _, f := range r.Filters {
		n += 24 + len(f)
	}
	return n
}
