package session

import (
	"fmt"
	"strconv"
	"strings"

	"vernemq/codec"
)

// args are the words of a command: NAME=VALUE pairs and plain words.
type args []string

func (a args) has(name string) bool {
	for _, w := range a {
		if w == name {
			return true
		}
	}
	return false
}

func (a args) text(name string) (string, bool) {
	for _, w := range a {
		if k, v, ok := strings.Cut(w, "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}

func (a args) number(name string) int {
	v, _ := a.text(name)
	n, _ := strconv.Atoi(v)
	return n
}

// client carries out a command to one client:
//
//	NAME connect v31|v4|v5 [persistent] [keepalive=S] [expiry=S] [rmax=N] [maxpacket=N] [noproblems] [bridge] [assigned]
//	             [aliases=N] [response] [will=TOPIC:PAYLOAD [wqos=N] [wretain] [wdelay=S] [wexpiry=S] [PROPERTY …]]
//	NAME sub PID FILTER[,QOS][,nl][,rap][,rh1|rh2] … [id=N]
//	NAME unsub PID FILTER …
//	NAME pub TOPIC PAYLOAD [q=N] [id=N] [dup] [retain] [expiry=S] [alias=N] [size=N] [PROPERTY …]
//	NAME puback|pubrec|pubrel|pubcomp PID [reason=N]
//	NAME ping | disconnect [reason=N] [expiry=S] | lost | full | writable | paused | read | raw HEX… | kick | show
//	count
//	repeat N COMMAND: N in a word of the command is the number of the turn
//	holds: from now on it is said which output waits for the store
//	slow: what is read from the store comes with the command disk
//	diskfull on|off
//	restart: all that is not in the store is lost
//	props: from now on every packet comes with its properties
//
// PROPERTY is one of format=N, type=TEXT, reply=TOPIC, data=TEXT (correlation
// data) and user=NAME:VALUE, as often as wanted, and goes out in that order.
// "-" stands for an empty topic or payload.
func (w *world) client(name, verb string, rest args) error {
	if verb == "connect" {
		return w.connect(name, rest)
	}
	c, l := w.clients[name], w.links[name]
	if c == nil {
		return fmt.Errorf("no client %q", name)
	}
	if verb != "show" && !c.session.Online() {
		return fmt.Errorf("%s is not connected", name)
	}
	switch verb {
	case "lost":
		l.finished = true
		c.session.Lost()
		return nil
	case "full", "writable":
		l.full = verb == "full"
		if !l.full {
			c.session.Writable()
		}
		return nil
	case "paused", "read":
		l.paused, l.lastSeen = verb == "paused", w.clock
		return nil
	case "kick":
		c.session.Kick(&codec.Error{Code: codec.ServerShuttingDown, Text: "server shuts down"})
		return nil
	case "show":
		w.show(c)
		return nil
	}
	packet, err := encode(l.version, verb, rest)
	if err != nil {
		return err
	}
	l.lastSeen = w.clock
	for len(packet) > 0 {
		f, n, _, err := codec.Cut(packet, 0)
		if err != nil {
			c.session.Malformed(err)
			return nil
		}
		if n == 0 {
			return fmt.Errorf("incomplete packet % x", packet)
		}
		packet = packet[n:]
		if !c.session.Packet(f) {
			break
		}
	}
	return nil
}

func (w *world) connect(name string, a args) error {
	p := connectPacket(name, a)
	f, _, _, err := codec.Cut(p, 0)
	if err != nil {
		return err
	}
	var c codec.Connect
	if err := codec.DecodeConnect(f, &c); err != nil {
		return err
	}
	w.join(name, &c, a.has("assigned"))
	return nil
}

// join connects a client, which takes over from the connection that it may
// have.
func (w *world) join(name string, c *codec.Connect, assigned bool) *fakeClient {
	l := &fakeLink{world: w, name: name, version: c.Version, lastSeen: w.clock}
	return w.attach(name, c, assigned, func(*fakeClient) Link {
		w.links[name] = l
		return l
	})
}

// attach gives a connection to a client, which is made if it is new. The
// connection that it takes over ends before link makes the new one.
func (w *world) attach(name string, c *codec.Connect, assigned bool, link func(*fakeClient) Link) *fakeClient {
	cl := w.clients[name]
	if cl != nil && cl.session.Online() {
		cl.session.TakeOver()
		cl = w.clients[name]
	}
	if cl == nil {
		cl = w.add(name)
	}
	cl.load()
	limits := w.limits
	cl.session.Connect(link(cl), c, &Admission{Assigned: assigned}, &limits)
	return cl
}

// add makes a client.
func (w *world) add(name string) *fakeClient {
	c := &fakeClient{world: w, name: name}
	c.session = New(c, "", name)
	w.clients[name] = c
	w.order = append(w.order, name)
	return c
}

func connectPacket(name string, a args) []byte {
	c := codec.Connect{
		Version: codec.V311, CleanStart: !a.has("persistent"), ClientID: []byte(name),
		KeepAlive: uint16(a.number("keepalive")), ReceiveMax: 65535, RequestProblemInfo: !a.has("noproblems"),
	}
	switch {
	case a.has("v31"):
		c.Version = codec.V31
	case a.has("v5"):
		c.Version = codec.V5
		c.SessionExpiry = uint32(a.number("expiry"))
		c.MaxPacketSize = uint32(a.number("maxpacket"))
		c.TopicAliasMax, c.RequestResponseInfo = uint16(a.number("aliases")), a.has("response")
		if n := a.number("rmax"); n > 0 {
			c.ReceiveMax = uint16(n)
		}
	}
	c.Level, c.Bridge = byte(c.Version), a.has("bridge")
	if c.Bridge {
		c.Level |= 0x80
	}
	if s, ok := a.text("will"); ok {
		topic, payload, _ := strings.Cut(s, ":")
		c.HasWill = true
		c.Will = codec.Will{QoS: byte(a.number("wqos")), Retain: a.has("wretain"), Topic: []byte(topic),
			Payload: []byte(payload), Delay: uint32(a.number("wdelay"))}
		if n := a.number("wexpiry"); n > 0 {
			c.Will.Props.Expiry, c.Will.Props.HasExpiry = uint32(n), true
		}
		if p := a.properties(); p != nil {
			c.Will.Props.Raw = p
		}
	}
	return codec.AppendConnect(nil, &c)
}

// encode makes the packet of a command.
func encode(v codec.Version, verb string, a args) ([]byte, error) {
	switch verb {
	case "ping":
		return codec.AppendPingreq(nil), nil
	case "raw":
		var out []byte
		for _, h := range a {
			n, err := strconv.ParseUint(h, 16, 8)
			if err != nil {
				return nil, err
			}
			out = append(out, byte(n))
		}
		return out, nil
	case "sub", "unsub":
		return encodeSubscribe(v, verb, a)
	case "pub":
		return encodePublish(v, a), nil
	case "disconnect":
		return encodeDisconnect(v, a), nil
	}
	types := map[string]codec.Type{"puback": codec.PUBACK, "pubrec": codec.PUBREC, "pubrel": codec.PUBREL, "pubcomp": codec.PUBCOMP}
	t, ok := types[verb]
	if !ok {
		return nil, fmt.Errorf("unknown command %q", verb)
	}
	id, err := strconv.Atoi(a[0])
	return codec.AppendAck(nil, v, t, uint16(id), codec.ReasonCode(a.number("reason")), ""), err
}

func encodeDisconnect(v codec.Version, a args) []byte {
	if _, ok := a.text("expiry"); ok && v == codec.V5 {
		e := uint32(a.number("expiry"))
		return []byte{0xe0, 7, byte(a.number("reason")), 5, 0x11, byte(e >> 24), byte(e >> 16), byte(e >> 8), byte(e)}
	}
	return codec.AppendDisconnect(nil, v, codec.ReasonCode(a.number("reason")), "", "")
}

func encodeSubscribe(v codec.Version, verb string, a args) ([]byte, error) {
	id, err := strconv.Atoi(a[0])
	if err != nil {
		return nil, err
	}
	var filters []codec.Filter
	var names [][]byte
	for _, word := range a[1:] {
		if strings.Contains(word, "=") {
			continue
		}
		parts := strings.Split(word, ",")
		f := codec.Filter{Filter: []byte(parts[0])}
		for _, o := range parts[1:] {
			switch o {
			case "nl":
				f.NoLocal = true
			case "rap":
				f.RetainAsPublished = true
			case "rh1", "rh2":
				f.RetainHandling = o[2] - '0'
			default:
				f.QoS = o[0] - '0'
			}
		}
		filters, names = append(filters, f), append(names, f.Filter)
	}
	if verb == "unsub" {
		return codec.AppendUnsubscribe(nil, v, uint16(id), names), nil
	}
	return codec.AppendSubscribe(nil, v, uint16(id), uint32(a.number("id")), filters), nil
}

func encodePublish(v codec.Version, a args) []byte {
	empty := func(s string) string {
		if s == "-" {
			return ""
		}
		return s
	}
	topic, payload := empty(a[0]), empty(a[1])
	payload += strings.Repeat("x", a.number("size"))
	out := codec.Outgoing{}
	if n := a.number("expiry"); n > 0 {
		out.Expiry, out.HasExpiry = uint32(n), true
	}
	out.Alias = uint16(a.number("alias"))
	out.Forward = a.properties()
	first := codec.PublishFirst(byte(a.number("q")), a.has("dup"), a.has("retain"))
	b := codec.AppendPublishHead(nil, v, first, []byte(topic), uint16(a.number("id")), &out, len(payload))
	return append(b, payload...)
}

// properties encodes what is to be passed on, in the order of the words.
func (a args) properties() (out []byte) {
	text := func(v string) { out = append(append(out, 0, byte(len(v))), v...) }
	for _, w := range a {
		k, v, _ := strings.Cut(w, "=")
		switch k {
		case "format":
			out = append(out, 0x01, v[0]-'0')
		case "type", "reply", "data":
			out = append(out, map[string]byte{"type": 0x03, "reply": 0x08, "data": 0x09}[k])
			text(v)
		case "user":
			name, value, _ := strings.Cut(v, ":")
			out = append(out, 0x26)
			text(name)
			text(value)
		}
	}
	return out
}
