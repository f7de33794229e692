package reactor

import (
	"errors"
	"io"
	"time"

	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"

	"vernemq/reactor/ws"
)

// wire is what lies between a connection's socket and its MQTT packets: the
// header of the PROXY protocol, TLS and WebSocket, in this order. A connection
// without them has none.
//
// What a layer has taken in is held where a plain connection holds it: in the
// read buffer and, from one read to the next, in Conn.in. Only an incomplete
// TLS record is apart. Output is sealed when it is flushed, as much as one
// write may take; sealed bytes are output.raw.
type wire struct {
	secure   *secure // nil without TLS
	end      *ending // what ends the connection once its bytes are handed over
	identity *Identity
	decoder  ws.Decoder
	deadline uint32 // in the lobby, in quarter seconds of the loop
	step     step
	framed   bool // over WebSocket
	parted   bool // the last words were said
}

// step is what a wire expects.
type step uint8

const (
	stepProxy   step = iota
	stepTLS          // a handshake
	stepRequest      // the handshake of WebSocket
	stepOpen         // packets
)

// ending is why a connection ends, and the last frame it is sent.
type ending struct {
	cause error // nil when the peer wants it
	frame []byte
}

// newWire gives what a listener's connections need before and beside MQTT.
func (l *Loop) newWire(c *Conn) *wire {
	o := &c.listener.options
	if !o.Proxy && o.TLS == nil && o.WebSocket == nil {
		return nil
	}
	w := &wire{framed: o.WebSocket != nil, deadline: l.quarterAfter(l.reactor.cfg.ConnectTimeout())}
	if o.TLS != nil {
		w.secure = &secure{c: c}
		w.deadline = l.quarterAfter(o.HandshakeTimeout)
	}
	w.step = w.after(stepProxy)
	if o.Proxy {
		w.step = stepProxy
	}
	return w
}

// after is the step after another one.
func (w *wire) after(s step) step {
	switch {
	case s < stepTLS && w.secure != nil:
		return stepTLS
	case s < stepRequest && w.framed:
		return stepRequest
	}
	return stepOpen
}

// quarterAfter is the time on the loop's clock of quarter seconds when d is over.
func (l *Loop) quarterAfter(d time.Duration) uint32 {
	return l.quarter + uint32(min(d/quarterSecond, 1<<30)) + 1
}

// read reads a connection that has a wire.
func (w *wire) read(l *Loop, c *Conn, into []byte) (int, error) {
	if w.secure == nil || w.step == stepProxy {
		return unix.Read(int(c.fd), into)
	}
	return w.secure.read(l, into)
}

// unwrap takes what was read through the layers above TLS and hands it over.
// data[:have] had been read before.
func (l *Loop) unwrap(c *Conn, data []byte, have int) {
	w := c.wire
	if w.step == stepProxy {
		rest, ok := l.proxyHeader(c, data)
		if !ok {
			return
		}
		data, have = rest, 0
		if w.step == stepTLS {
			_, _ = w.secure.feed(l, rest, nil) // nothing comes out of a handshake
			return
		}
	}
	if w.framed {
		l.unframe(c, data, have)
		return
	}
	l.unwrapped(c, data)
}

// unwrapped hands over what is MQTT.
func (l *Loop) unwrapped(c *Conn, data []byte) {
	c.lastSeen = l.now.Load()
	if len(data) > 0 {
		l.handOver(c, data)
	} else if c.wire != nil {
		l.checkEnd(c)
	}
}

// stream is what MQTT may see of what a connection keeps: not the beginning of
// a frame at its end.
func (c *Conn) stream(data []byte) []byte {
	if c.wire == nil {
		return data
	}
	return data[:len(data)-c.wire.decoder.Tail()]
}

// checkEnd ends a connection whose transport has ended, once all that came before
// is handed over.
func (l *Loop) checkEnd(c *Conn) {
	if e := c.wire.end; e != nil && c.flags&flagPaused == 0 {
		c.CloseAfterFlush(e.cause, refuseDrain)
	}
}

// fail ends a connection because of its transport. What was said to it is
// still sent.
func (c *Conn) fail(err error) {
	if errors.Is(err, io.EOF) {
		c.Close(io.EOF)
		return
	}
	c.CloseAfterFlush(err, refuseDrain)
}

// sealSize is the largest number of bytes that are sealed at once, in bytes.
// What is sealed is in memory twice.
const sealSize = 64 << 10

// seal takes the beginning of what is to be sent and makes raw output of it.
func (l *Loop) seal(c *Conn, pieces ...[]byte) (n, want int, err error) {
	w, b := c.wire, l.plain[:0]
	for _, p := range pieces {
		n += len(p)
	}
	n = min(n, sealSize)
	if w.framed {
		b = ws.AppendHeader(b, n)
	}
	for left, i := n, 0; left > 0; i++ {
		p := pieces[i][:min(left, len(pieces[i]))]
		left -= len(p)
		if w.secure != nil && len(b) == 0 && left == 0 {
			return n, n, w.send(c, p)
		}
		b = append(b, p...)
	}
	l.plain = b
	return n, n, w.send(c, b)
}

// send puts bytes behind all that is sealed.
func (w *wire) send(c *Conn, b []byte) error {
	if w.secure != nil {
		_, err := w.secure.conn.Write(b)
		return err
	}
	c.appendRaw(b)
	return nil
}

// appendRaw appends bytes that go to the socket as they are, before Output.
func (c *Conn) appendRaw(b []byte) {
	o := c.outgoing()
	if o.raw == nil {
		o.raw = bytebufferpool.Get()
	}
	if r := o.raw.B; cap(r)-len(r) < len(b) {
		c.loop.bufs.grow(o.raw)
	}
	o.raw.B = append(o.raw.B, b...)
	o.bytes += len(b)
}

// flushRaw has raw output that came about outside of a flush written when the
// turn ends.
func (c *Conn) flushRaw() {
	if c.out != nil && c.out.raw != nil && c.flags&flagDirty == 0 {
		c.loop.markDirty(c)
	}
}

// writeRaw hands raw output to the kernel. It counts none of it: that was done
// when it was sealed.
func (l *Loop) writeRaw(c *Conn, o *output) (n, want int, err error) {
	n, err = unix.Write(int(c.fd), o.raw.B[o.rawSent:])
	if err != nil {
		return 0, 0, err
	}
	o.rawSent += n
	o.bytes -= n
	if o.rawSent < len(o.raw.B) {
		return 0, 1, nil
	}
	o.dropRaw()
	return 0, 0, nil
}

func (o *output) dropRaw() {
	o.bytes -= len(o.raw.B) - o.rawSent
	o.bufs.put(o.raw)
	o.raw, o.rawSent = nil, 0
}

// farewell appends the last words of the transport of a draining connection.
// It tells whether there were any.
func (l *Loop) farewell(c *Conn) bool {
	w := c.wire
	if w.parted {
		return false
	}
	w.parted = true
	before := c.Pending()
	if w.framed && w.step == stepOpen {
		var frame []byte
		if w.end != nil {
			frame = w.end.frame
		}
		frame = w.decoder.Close(frame, ws.Normal)
		_ = w.send(c, frame) // an error shows in the writing
	}
	if w.secure != nil && w.secure.shaking == nil && w.secure.conn != nil {
		_ = w.secure.conn.CloseWrite() // as above
	}
	return c.Pending() > before
}

// dropWire ends the transport of a connection that has ended.
func (c *Conn) dropWire() {
	if s := c.wire.secure; s != nil && s.shaking != nil {
		close(s.shaking.gone)
	}
	c.wire = nil
}

// settleIn ends the part of the transports that is over when a connection has
// found its home.
func (c *Conn) settleIn() {
	w := c.wire
	w.identity = nil
	if w.secure == nil && !w.framed {
		c.wire = nil
	}
}
