package reactor

import (
	"net/netip"
	"slices"

	"vernemq/reactor/proxy"
	"vernemq/reactor/ws"
)

// WebSocket are the options of a listener for MQTT over WebSocket.
type WebSocket struct {
	Rules    ws.Rules
	MaxFrame int // bytes of payload, 0 = 4 GiB
	// Forwarded believes X-Forwarded-For, and the field that Rules.CNField
	// names, of connections that come from a Trusted address.
	Forwarded bool
	Trusted   []netip.Addr
	// RequireCN refuses requests without a common name that is believed.
	RequireCN bool
}

// pongLimit is the number of unsent bytes from which pings are not answered any
// more.
const pongLimit = 64 << 10

// unframe takes what was read through the WebSocket layer. data[:have] is what
// was kept.
func (l *Loop) unframe(c *Conn, data []byte, have int) {
	w := c.wire
	if w.step == stepRequest {
		n := l.upgrade(c, data)
		if n == 0 {
			return
		}
		data, have = data[n:], 0
	}
	before := have - w.decoder.Tail()
	stream, total, reply, err := w.decoder.Decode(data, have, c.listener.options.WebSocket.MaxFrame, l.reply[:0])
	l.reply = reply[:0]
	data = data[:total]
	switch {
	case err != nil:
		w.end = &ending{frame: slices.Clone(reply)}
		if err != error(ws.ErrClosed) {
			w.end.cause = err
		}
	case len(reply) > 0 && c.Pending() < pongLimit:
		if err := w.send(c, reply); err != nil {
			c.fail(err)
			return
		}
		c.flushRaw()
	}
	if stream > before {
		l.unwrapped(c, data)
		return
	}
	l.keep(c, data) // nothing that MQTT could see
	l.checkEnd(c)
}

// upgrade answers the request that comes first. n is its size, 0 when the
// connection waits or ends.
func (l *Loop) upgrade(c *Conn, data []byte) (n int) {
	o, r := c.listener.options.WebSocket, &l.request
	n, err := ws.ParseRequest(data, &o.Rules, r)
	if err == nil && n == 0 {
		l.keep(c, data)
		return 0
	}
	if err == nil {
		err = o.believe(c, r)
	}
	if refusal, ok := err.(*ws.Refusal); ok {
		l.stats.lobbyGarbage.inc()
		if e := c.wire.send(c, refusal.AppendAnswer(l.reply[:0])); e != nil {
			err = e
		}
		c.flushRaw()
		c.CloseAfterFlush(err, refuseDrain)
		return 0
	}
	l.reply = r.AppendAnswer(l.reply[:0])
	if err := c.wire.send(c, l.reply); err != nil {
		c.fail(err)
		return 0
	}
	c.flushRaw()
	c.dropInput()
	c.wire.step = stepOpen
	return n
}

// believe takes what a trusted proxy says of the client.
func (o *WebSocket) believe(c *Conn, r *ws.Request) error {
	trusted := o.Forwarded && slices.Contains(o.Trusted, c.Peer().Addr())
	if trusted && len(r.CN) > 0 && o.Rules.CNField != "" {
		c.identify().CommonName = string(r.CN)
	} else if o.RequireCN {
		return ws.RefuseUnknown
	}
	if addr, ok := r.ForwardedAddr(); ok && trusted {
		c.peer = addr.As16() // the port is the proxy's: there is no other
	}
	return nil
}

// proxyHeader takes the PROXY header and gives what follows. ok is false when
// it is not whole or the connection ends.
func (l *Loop) proxyHeader(c *Conn, data []byte) (rest []byte, ok bool) {
	var h proxy.Header
	n, _, err := proxy.Parse(data, &h)
	if err != nil {
		l.stats.lobbyGarbage.inc()
		c.CloseAfterFlush(err, refuseDrain)
		return nil, false
	}
	if n == 0 {
		l.keep(c, data)
		return nil, false
	}
	if !h.Local {
		c.peer, c.peerPort = h.Source.Addr().As16(), h.Source.Port()
	}
	if cn := h.CN(); len(cn) > 0 && c.listener.options.ProxyCN {
		c.identify().CommonName = string(cn)
	}
	c.dropInput()
	c.wire.step = c.wire.after(stepProxy)
	return data[n:], true
}
