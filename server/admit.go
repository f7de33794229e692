package server

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/reactor"
	"vernemq/server/hooks"
	"vernemq/server/metrics"
	"vernemq/server/session"
)

// A client is let in step by step: enhanced authentication if it asks for that,
// auth_on_register, auth_on_publish for its will. That happens on the loop that
// accepted it, so that nobody is disturbed by a client that is not allowed to
// come. Mostly it is done at once, while the connection is in the lobby; else
// the connection is opened here, and moves to its home when it is done.

// admission is what a connection carries until it has a session.
type admission struct {
	session.Admission
	id, mountpoint string
	step           step
	exchange       *exchange // of an enhanced authentication
	connect        []byte    // body of the CONNECT, once AUTH packets have followed it
	suspended      bool      // the packet at hand waits for plugins
	moving         bool      // on its way to its home loop
	register       *hooks.RegisterModifiers
	own            *hooks.RegisterModifiers // the same, if it changes limits
	will           *hooks.PublishModifiers
	arrival        int64 // of the CONNECT, for metrics.Answered
	identity       identity
	said           []said // to traces
}

// step is what is to be done next.
type step uint8

const (
	authenticates step = iota
	registers
	authorizesWill
	admitted
)

// newAdmission begins to let a client in.
func newAdmission(p *codec.Connect, mountpoint, id string, assigned bool) *admission {
	a := &admission{id: id, mountpoint: mountpoint, step: registers}
	a.Assigned = assigned
	if p.HasUsername {
		a.User = new(string(p.Username))
	}
	if p.HasAuthMethod {
		a.step = authenticates
		a.exchange = &exchange{Exchange: hooks.Exchange{Method: string(p.AuthMethod)}}
	}
	return a
}

// client names the client to plugins.
func (a *admission) client(c *reactor.Conn, p *codec.Connect) hooks.Client {
	x := hooks.Client{Mountpoint: a.mountpoint, ID: a.id, V5: p.Version == codec.V5, Peer: c.Peer()}
	if a.User != nil {
		x.Username, x.HasUsername = *a.User, true
	}
	return x
}

// denial is why a client may not come, and what it is told.
type denial struct {
	code  codec.ReasonCode
	cause string
	told  codec.ConnackProps
}

// deny makes a denial of what plugins say.
func deny(p *codec.Connect, r *hooks.Refusal, code codec.ReasonCode) *denial {
	if p.Version == codec.V5 && r.Code.Refuses(codec.CONNACK) {
		code = r.Code
	}
	return &denial{code, r.Cause, codec.ConnackProps{ReasonString: r.Reason, ServerReference: r.ServerReference}}
}

// admit does the steps that can be done. It tells whether all are; the client
// is not admitted yet, or denied, if not.
func (l *loop) admit(c *reactor.Conn, a *admission, p *codec.Connect) (done bool, d *denial) {
	for a.step < admitted {
		var ok bool
		switch a.step {
		case authenticates:
			r := &hooks.Auth{Client: a.client(c, p), Exchange: &a.exchange.Exchange, Data: p.AuthData, HasData: p.AuthData != nil, Properties: p.Props}
			ok, d = l.authenticate(c, a, p, r)
		case registers:
			ok, d = l.register(c, a, p)
		case authorizesWill:
			ok, d = l.authorizeWill(c, a, p)
		}
		if !ok || d != nil {
			return false, d
		}
		a.step++
	}
	return true, nil
}

// authenticate asks on_auth about a CONNECT or an AUTH.
func (l *loop) authenticate(c *reactor.Conn, a *admission, p *codec.Connect, r *hooks.Auth) (ok bool, d *denial) {
	x := a.exchange
	answer, known := ask(l, c, l.broker.hooks.Snapshot().View(listenerOf(c).limits.Load().Chains).OnAuth(), r)
	if !known {
		return false, nil
	}
	x.unfinished = false
	if answer.Result != hooks.OK {
		return false, deny(p, answer.Refusal, codec.BadAuthenticationMethod) // [MQTT-4.12.0-1] [MQTT-4.12.0-4]
	}
	a.Method, a.Data = x.Method, nil
	m := answer.Modifiers
	if m == nil {
		return true, nil
	}
	if a.Data = m.Data; !m.Continue {
		return true, nil
	}
	out := c.Output()
	n := len(out.B)
	out.B = codec.AppendAuth(out.B, codec.ContinueAuthentication, x.Method, m.Data, "") // [MQTT-4.12.0-2]
	if p.MaxPacketSize != 0 && len(out.B)-n > int(p.MaxPacketSize) {
		out.B = out.B[:n]
		return false, &denial{code: codec.PacketTooLarge, cause: "AUTH is larger than the client's Maximum Packet Size"}
	}
	l.metrics.IncCode(metrics.AuthSent, true, byte(codec.ContinueAuthentication))
	x.unfinished = true
	l.answering[c] = l.reactor.Now() + uint32((l.broker.config.Load().ConnectTimeout+time.Second-1)/time.Second)
	return false, nil
}

// register asks auth_on_register, unless nobody needs to authenticate.
func (l *loop) register(c *reactor.Conn, a *admission, p *codec.Connect) (ok bool, d *denial) {
	li := listenerOf(c)
	if li.anonymous.Load() {
		return true, nil
	}
	r := &hooks.Register{Client: a.client(c, p), Password: p.Password, HasPassword: p.HasPassword, CleanStart: p.CleanStart,
		Properties: p.Props, Connection: connectionOf(c)}
	if r.Connection != nil && a.identity.certificate != nil {
		r.Connection.ClientCert = a.identity.certificate.Raw
	}
	if a.exchange != nil {
		r.Exchange = &a.exchange.Exchange
	}
	answer, known := ask(l, c, l.broker.hooks.Snapshot().View(li.limits.Load().Chains).AuthOnRegister(r.V5), r)
	switch {
	case !known:
		return false, nil
	case answer.Result == hooks.OK:
		a.change(answer.Modifiers)
		return true, nil
	case r.V5 || answer.Refusal.InvalidCredentials:
		return false, deny(p, answer.Refusal, codec.BadUsernameOrPassword)
	}
	return false, deny(p, answer.Refusal, codec.NotAuthorized)
}

// change takes over what plugins want of who the client is. The rest follows
// with its session.
func (a *admission) change(m *hooks.RegisterModifiers) {
	if a.register = m; m == nil {
		return
	}
	if m.ClientID != nil {
		a.id, a.mountpoint = *m.ClientID, *m.Mountpoint
	}
	if m.Username != nil {
		a.User = m.Username
	}
}

// authorizeWill asks auth_on_publish about the client's will.
func (l *loop) authorizeWill(c *reactor.Conn, a *admission, p *codec.Connect) (ok bool, d *denial) {
	if !p.HasWill {
		return true, nil
	}
	limits := listenerOf(c).limits.Load()
	ch := l.broker.hooks.Snapshot().View(limits.Chains).AuthOnPublish(p.Version == codec.V5)
	if ch == nil && limits.Anonymous {
		return true, nil
	}
	w := &p.Will
	r := &l.questions.message
	*r = hooks.Message{Client: a.client(c, p), Topic: w.Topic, Payload: w.Payload, QoS: w.QoS, Retain: w.Retain, Will: true, Properties: w.Props.Raw}
	answer, known := ask(l, c, ch, r)
	switch {
	case !known:
		return false, nil
	case answer.Result != hooks.OK:
		d = deny(p, answer.Refusal, codec.NotAuthorized)
		d.cause = "may not publish its will: " + d.cause
		return false, d
	}
	a.will = answer.Modifiers
	return true, nil
}

// Home checks a CONNECT and names the loop that the client belongs to, or this
// one if that takes time.
func (l *loop) Home(c *reactor.Conn, f codec.Frame) (int, []byte, error) {
	li := listenerOf(c)
	p := &l.connect
	err := codec.DecodeConnect(f, p)
	v5 := p.Version == codec.V5
	l.metrics.IncVersion(metrics.ConnectReceived, v5)
	if err != nil {
		reply := refusal(p, err)
		l.countRefusal(v5, reply)
		return 0, reply, err
	}
	who := li.identityOf(c)
	who.impose(p)
	rules := li.rules(l.broker)
	id, assigned, code := session.Admit(p, &rules)
	if code != codec.Success {
		return l.refuseFirst(c, f, string(p.ClientID), &denial{code: code, cause: code.String()})
	}
	a := newAdmission(p, li.mountpoint, id, assigned)
	a.arrival, a.identity = l.metrics.Arrival(), who
	c.SetUser(a)
	done, d := l.admit(c, a, p)
	switch {
	case d != nil:
		return l.refuseFirst(c, f, id, d)
	case !done:
		return l.index, nil, nil
	}
	return l.homeOf(a), nil, nil
}

// Refused gives the CONNACK for a CONNECT of MQTT 5 that is larger than allowed,
// once its version is there. Of other first packets that are refused nothing is to
// be said.
func (l *loop) Refused(in []byte, err error) (reply []byte, more bool) {
	var e *codec.Error
	if !errors.As(err, &e) || e.Code != codec.PacketTooLarge || codec.Type(in[0]>>4) != codec.CONNECT {
		return nil, false
	}
	i := 1
	for in[i] >= 0x80 { // of the length, which is whole
		i++
	}
	const v5 = "\x00\x04MQTT\x05"
	in = in[i+1:]
	if len(in) < len(v5) {
		return nil, strings.HasPrefix(v5, string(in))
	}
	if string(in[:len(v5)]) != v5 {
		return nil, false
	}
	l.metrics.IncVersion(metrics.ConnectReceived, true)
	reply = session.Refuse(&codec.Connect{Version: codec.V5}, e.Code, nil)
	l.countRefusal(true, reply)
	return reply, false
}

func (l *loop) homeOf(a *admission) int { return l.broker.home(queue.KeyOf(a.mountpoint, a.id)) }

// refuseFirst refuses a client whose CONNECT has just come.
func (l *loop) refuseFirst(c *reactor.Conn, f codec.Frame, id string, d *denial) (int, []byte, error) {
	reply, err := l.refuse(&l.connect, id, d)
	if l.traces != nil {
		l.traceRefused(c, f, reply)
	}
	return 0, reply, err
}

// refuse gives the CONNACK of a denial, and the cause for the log.
func (l *loop) refuse(p *codec.Connect, id string, d *denial) ([]byte, error) {
	reply := session.Refuse(p, d.code, &d.told)
	l.countRefusal(p.Version == codec.V5, reply)
	return reply, &refusedError{id: id, cause: d.cause}
}

// countRefusal counts a refused CONNECT and the CONNACK that says so, if there
// is one. Its second byte after the header is the code [MQTT-3.2.2-2].
func (l *loop) countRefusal(v5 bool, connack []byte) {
	l.metrics.IncVersion(metrics.ConnectRefused, v5)
	if len(connack) == 0 {
		return
	}
	if f, _, _, err := codec.Cut(connack, 0); err == nil && len(f.Body) > 1 {
		l.metrics.IncCode(metrics.ConnackSent, v5, f.Body[1])
	}
}

// admitting handles a packet of a client that has no session yet. It returns
// false when the connection is ending.
func (l *loop) admitting(c *reactor.Conn, a *admission, f codec.Frame) bool {
	a.suspended = false
	if a.moving { // not yet
		return l.postpone(c, a)
	}
	body := a.connect
	if body == nil {
		body = f.Body
	}
	p := &l.connect
	if err := codec.DecodeConnect(codec.Frame{First: byte(codec.CONNECT) << 4, Body: body}, p); err != nil {
		c.Close(err) // cannot be: Home has decoded the same bytes
		return false
	}
	a.identity.impose(p)
	var d *denial
	switch {
	case a.connect == nil && a.unfinished(): // Home has answered it with an AUTH
		a.connect = bytes.Clone(body)
		return true
	case a.connect != nil && a.step == authenticates:
		if f.Type() == codec.DISCONNECT {
			c.Close(nil)
			return false
		}
		d = l.answered(c, a, p, f)
	}
	done := false
	if d == nil && !a.suspended && !a.unfinished() {
		done, d = l.admit(c, a, p)
	}
	switch {
	case d != nil:
		return l.turnAway(c, a, p, d, codec.Frame{First: byte(codec.CONNECT) << 4, Body: body})
	case done:
		return l.settle(c, a, p, codec.Frame{First: byte(codec.CONNECT) << 4, Body: body})
	case a.unfinished() && !a.suspended && l.waitsFor(c) == nil:
		if a.connect == nil {
			a.connect = bytes.Clone(body)
		}
		return true
	}
	return l.postpone(c, a)
}

// unfinished tells that the client has to send an AUTH.
func (a *admission) unfinished() bool { return a.exchange != nil && a.exchange.unfinished }

// answered takes the AUTH of a client that has to send one [MQTT-3.1.2-30]
// [MQTT-4.12.0-3].
func (l *loop) answered(c *reactor.Conn, a *admission, p *codec.Connect, f codec.Frame) *denial {
	var auth codec.Auth
	if f.Type() != codec.AUTH {
		return &denial{code: codec.ProtocolError, cause: "packet other than AUTH before CONNACK"}
	}
	if err := codec.DecodeAuth(f, &auth); err != nil {
		return &denial{code: codec.ProtocolError, cause: err.Error()}
	}
	if auth.Reason != codec.ContinueAuthentication || string(auth.Method) != a.exchange.Method {
		return &denial{code: codec.ProtocolError, cause: "AUTH does not go on with the authentication"}
	}
	if l.waitsFor(c) == nil {
		l.metrics.IncCode(metrics.AuthReceived, true, byte(auth.Reason))
		delete(l.answering, c)
	}
	r := &hooks.Auth{Client: a.client(c, p), Exchange: &a.exchange.Exchange, Data: auth.Data, HasData: auth.Data != nil, Properties: auth.Props}
	ok, d := l.authenticate(c, a, p, r)
	switch {
	case ok:
		a.step++
	case d == nil && l.waitsFor(c) != nil:
		a.suspended = true
	}
	return d
}

// postpone leaves the packet at hand until the connection is read again.
func (l *loop) postpone(c *reactor.Conn, a *admission) bool {
	a.suspended = true
	c.PauseRead()
	return true
}

// settle takes a client that is admitted to its home.
func (l *loop) settle(c *reactor.Conn, a *admission, p *codec.Connect, f codec.Frame) bool {
	home := l.homeOf(a)
	if home == l.index {
		return l.connectClient(c, a, p, f)
	}
	a.moving = true
	generation := c.Generation()
	l.reactor.Post(func() {
		if c.Generation() == generation {
			a.moving = false
			c.Move(home)
		}
	})
	return l.postpone(c, a)
}

// turnAway ends the connection of a client that may not come.
func (l *loop) turnAway(c *reactor.Conn, a *admission, p *codec.Connect, d *denial, connect codec.Frame) bool {
	reply, err := l.refuse(p, a.id, d)
	if l.traces != nil {
		l.traceRefused(c, connect, reply)
	}
	out := c.Output()
	out.B = append(out.B, reply...)
	c.CloseAfterFlush(err, finishTimeout)
	return false
}

var errNoAuth = errors.New("no AUTH in time")

// expectAnswers ends connections that owe an AUTH for too long.
func (l *loop) expectAnswers(now uint32) {
	for c, deadline := range l.answering {
		if now >= deadline {
			delete(l.answering, c)
			c.Close(errNoAuth)
		}
	}
}

// refusal is the CONNACK for a CONNECT that cannot be decoded.
func refusal(c *codec.Connect, err error) []byte {
	var e *codec.Error
	if !errors.As(err, &e) || errors.Is(err, codec.ErrProtocolName) {
		return nil
	}
	return session.Refuse(c, e.Code, nil)
}

// refusedError says why a client was refused.
type refusedError struct{ id, cause string }

func (e *refusedError) Error() string { return "client refused: " + e.cause }
