package webhooks

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"

	"vernemq/codec"
	"vernemq/server/hooks"
)

// The bodies of requests. The order of keys is part of what endpoints know.

type peerBody struct {
	PeerAddr string `json:"peer_addr"`
	PeerPort uint16 `json:"peer_port"`
}

type idBody struct {
	Mountpoint string `json:"mountpoint"`
	ClientID   string `json:"client_id"`
}

type userBody struct {
	Username *string `json:"username"`
	idBody
}

type registerBody struct {
	peerBody
	idBody
	Username     *string         `json:"username"`
	Password     *string         `json:"password"`
	CleanSession *bool           `json:"clean_session,omitempty"`
	CleanStart   *bool           `json:"clean_start,omitempty"`
	Properties   json.RawMessage `json:"properties,omitempty"`
	*connectionBody
}

type connectionBody struct {
	ClientCert   string `json:"client_cert,omitempty"` // base64 of DER
	ListenerAddr string `json:"listener_addr"`
	ListenerPort int    `json:"listener_port"`
	ListenerType string `json:"listener_type"`
}

type registeredBody struct {
	peerBody
	idBody
	Username   *string         `json:"username"`
	Properties json.RawMessage `json:"properties,omitempty"`
}

type messageBody struct {
	userBody
	contentBody
}

type contentBody struct {
	QoS        byte            `json:"qos"`
	Topic      string          `json:"topic"`
	Payload    *string         `json:"payload,omitempty"`
	Retain     bool            `json:"retain"`
	Properties json.RawMessage `json:"properties,omitempty"`
}

type offlineBody struct {
	idBody
	contentBody
}

type topicsBody[T any] struct {
	userBody
	Topics     []T             `json:"topics"`
	Properties json.RawMessage `json:"properties,omitempty"`
}

type topicBody struct {
	Topic string `json:"topic"`
	QoS   byte   `json:"qos"`
	*optionsBody
}

type optionsBody struct {
	NoLocal        bool   `json:"no_local"`
	RAP            bool   `json:"rap"`
	RetainHandling string `json:"retain_handling"`
}

type authBody struct {
	userBody
	Properties json.RawMessage `json:"properties"`
}

var retainHandlings = []string{"send_retain", "send_if_new_sub", "dont_send"}

var noProperties = json.RawMessage("{}")

func ids(c *hooks.Client) idBody { return idBody{c.Mountpoint, c.ID} }

func user(c *hooks.Client) userBody { return userBody{username(c), ids(c)} }

func username(c *hooks.Client) *string {
	if !c.HasUsername {
		return nil
	}
	return &c.Username
}

func peer(c *hooks.Client) (b peerBody) {
	if c.Peer.IsValid() {
		b = peerBody{c.Peer.Addr().String(), c.Peer.Port()}
	}
	return b
}

// propertiesOf are the properties of a client of MQTT 5, and nothing for one of
// MQTT 3.
func propertiesOf(c *hooks.Client, ps codec.Properties) json.RawMessage {
	if !c.V5 {
		return nil
	}
	return appendProperties(nil, ps)
}

func registerRequest(r *hooks.Register, _ *endpoint) any {
	b := registerBody{peerBody: peer(&r.Client), idBody: ids(&r.Client), Username: username(&r.Client), Properties: propertiesOf(&r.Client, r.Properties)}
	if r.HasPassword {
		b.Password = new(string(r.Password))
	}
	if r.V5 {
		b.CleanStart = &r.CleanStart
	} else {
		b.CleanSession = &r.CleanStart
	}
	if c := r.Connection; c != nil {
		b.connectionBody = &connectionBody{base64.StdEncoding.EncodeToString(c.ClientCert), c.ListenerAddr, c.ListenerPort, c.ListenerType}
	}
	return b
}

// registeredRequest has no properties in it, whatever the client had.
func registeredRequest(r *hooks.Register, _ *endpoint) any {
	b := registeredBody{peerBody: peer(&r.Client), idBody: ids(&r.Client), Username: username(&r.Client)}
	if r.V5 {
		b.Properties = noProperties
	}
	return b
}

func content(r *hooks.Message, e *endpoint) contentBody {
	b := contentBody{QoS: r.QoS, Topic: string(r.Topic), Retain: r.Retain}
	switch {
	case e.NoPayload && (e.Hook == hooks.AuthOnPublish || e.Hook == hooks.AuthOnPublishM5):
	case e.Plain:
		b.Payload = new(string(r.Payload))
	default:
		b.Payload = new(base64.StdEncoding.EncodeToString(r.Payload))
	}
	return b
}

func messageRequest(r *hooks.Message, e *endpoint) any {
	b := messageBody{user(&r.Client), content(r, e)}
	b.Properties = propertiesOf(&r.Client, r.Properties)
	return b
}

// deliverRequest has properties for clients of MQTT 3, too.
func deliverRequest(r *hooks.Message, e *endpoint) any {
	b := messageBody{user(&r.Client), content(r, e)}
	b.Properties = appendProperties(nil, r.Properties)
	return b
}

func offlineRequest(r *hooks.Message, e *endpoint) any {
	return offlineBody{ids(&r.Client), content(r, e)}
}

// subscribeRequest has the topics in the reverse of their order in the packet,
// as VerneMQ sends them.
func subscribeRequest(r *hooks.Subscribe, _ *endpoint) any {
	b := topicsBody[topicBody]{userBody: user(&r.Client), Topics: make([]topicBody, 0, len(r.Topics)), Properties: propertiesOf(&r.Client, r.Properties)}
	for _, t := range slices.Backward(r.Topics) {
		x := topicBody{Topic: string(t.Filter.Filter), QoS: t.QoS}
		switch {
		case t.Code >= 0x80 && r.V5:
			x.QoS = byte(t.Code)
		case t.Code >= 0x80:
			x.QoS = 0x80
		case r.V5:
			x.optionsBody = &optionsBody{t.NoLocal, t.RetainAsPublished, retainHandlings[t.RetainHandling]}
		}
		b.Topics = append(b.Topics, x)
	}
	return b
}

func unsubscribeRequest(r *hooks.Unsubscribe, _ *endpoint) any {
	b := topicsBody[string]{userBody: user(&r.Client), Topics: make([]string, 0, len(r.Filters)), Properties: propertiesOf(&r.Client, r.Properties)}
	for _, f := range slices.Backward(r.Filters) {
		b.Topics = append(b.Topics, string(f))
	}
	return b
}

func authRequest(r *hooks.Auth, _ *endpoint) any {
	return authBody{user(&r.Client), appendProperties(nil, r.Properties)}
}

func clientRequest(c *hooks.Client, _ *endpoint) any { return ids(c) }

// encode makes the text of a body.
func encode(body any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}
