package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

// raw is a client that sends and receives exactly what a test says.
type raw struct {
	t       testing.TB
	c       net.Conn
	r       *bufio.Reader
	v       int      // protocol level of the connection
	present bool     // session present
	ackProp []byte   // properties of CONNACK, v5
	lastID  uint16   // last packet identifier used by subscribe, unsubscribe and pub
	early   []packet // read by take while it waited for another
}

// dial opens a connection and sends nothing.
func (b *broker) dial(t testing.TB) *raw {
	t.Helper()
	c, err := net.DialTimeout("tcp", b.addr(), patience)
	if err != nil {
		t.Fatalf("cannot connect: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return &raw{t: t, c: c, r: bufio.NewReader(c), v: 4}
}

// connect opens a connection that the broker accepts.
func (b *broker) connect(t testing.TB, c connect) *raw {
	t.Helper()
	r := b.dial(t)
	r.v = c.v
	r.send(c.bytes())
	p := r.next()
	if p.head != 0x20 || len(p.body) < 2 || p.body[1] != 0 {
		t.Fatalf("CONNECT %+v: got %v, want CONNACK 0", c, p)
	}
	r.present = p.body[0] == 1
	if c.v == 5 {
		r.ackProp = p.body[3:]
	}
	return r
}

func (r *raw) send(packets ...[]byte) {
	r.t.Helper()
	_ = r.c.SetWriteDeadline(time.Now().Add(patience))
	if _, err := r.c.Write(bytes.Join(packets, nil)); err != nil {
		r.t.Fatalf("cannot write: %v", err)
	}
}

// try reads a packet that arrives within d.
func (r *raw) try(d time.Duration) (p packet, err error) {
	_ = r.c.SetReadDeadline(time.Now().Add(d))
	if p.head, err = r.r.ReadByte(); err != nil {
		return p, err
	}
	n, err := binary.ReadUvarint(r.r)
	if err == nil {
		p.body = make([]byte, n)
		_, err = io.ReadFull(r.r, p.body)
	}
	return p, err
}

// next reads the next packet.
func (r *raw) next() packet {
	r.t.Helper()
	if len(r.early) > 0 {
		p := r.early[0]
		r.early = r.early[1:]
		return p
	}
	p, err := r.try(patience)
	if err != nil {
		r.t.Fatalf("no packet: %v", err)
	}
	return p
}

// want reads the next packet, which must be these bytes.
func (r *raw) want(what string, bytes ...byte) {
	r.t.Helper()
	if p := r.next(); !slices.Equal(pkt(p.head, p.body), bytes) {
		r.t.Fatalf("%s: got %v, want % x", what, p, bytes)
	}
}

// wantAck reads the next packet, an acknowledgement with this code.
func (r *raw) wantAck(kind byte, id uint16, code byte) {
	r.t.Helper()
	p := r.next()
	if k, i, c := p.ack(); k != kind || i != id || c != code {
		r.t.Fatalf("got %v, want kind %02x id %d code %02x", p, kind, id, code)
	}
}

// recv reads the next packet, a PUBLISH. It does not answer.
func (r *raw) recv() publish {
	r.t.Helper()
	p, err := r.next().publish(r.v)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// wantPub reads the next packet, this PUBLISH; 0 as packet identifier stands
// for any.
func (r *raw) wantPub(want publish) publish {
	r.t.Helper()
	p := r.recv()
	got := p
	if want.id == 0 {
		got.id = 0
	}
	if got != want {
		r.t.Fatalf("got  %+v\nwant %+v", got, want)
	}
	return p
}

// quiet fails if anything arrives before an answer to PINGREQ. As the broker
// answers in order, all it had to send so far has come when that answer comes,
// except what other clients of other loops are still sending.
func (r *raw) quiet() {
	r.t.Helper()
	r.send(pingreq)
	r.want("only PINGRESP", pingresp...)
}

// quietFor fails if anything arrives within d.
func (r *raw) quietFor(d time.Duration) {
	r.t.Helper()
	if p, err := r.try(d); !errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("got %v (%v), want nothing for %v", p, err, d)
	}
}

// closed waits for the end of the connection. With codes on v5 a DISCONNECT
// with one of them comes first; otherwise nothing does.
func (r *raw) closed(codes ...byte) {
	r.t.Helper()
	if mosquitto() { // which often closes without DISCONNECT
		r.closedAnyhow()
		return
	}
	if r.v == 5 && len(codes) > 0 {
		p := r.next()
		if c, ok := disconnectCode(p); !ok || !slices.Contains(codes, c) {
			r.t.Fatalf("got %v, want DISCONNECT with a code of % x", p, codes)
		}
	}
	if p, err := r.try(patience); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("got %v (%v), want the connection closed", p, err)
	}
}

// closedAnyhow waits for the end of the connection, with or without a
// DISCONNECT before it on v5.
func (r *raw) closedAnyhow() {
	r.t.Helper()
	p, err := r.try(patience)
	if c, ok := disconnectCode(p); err == nil && r.v == 5 && ok && c >= 0x80 {
		p, err = r.try(patience)
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("got %v (%v), want the connection closed", p, err)
	}
}

func disconnectCode(p packet) (byte, bool) {
	if p.head != 0xE0 {
		return 0, false
	}
	if len(p.body) == 0 {
		return 0, true
	}
	return p.body[0], true
}

func (r *raw) nextID() uint16 {
	r.lastID++
	return r.lastID
}

// subscribe subscribes to filters with the same option byte.
func (r *raw) subscribe(options byte, filters ...string) {
	r.t.Helper()
	for i, c := range r.trySubscribe(options, filters...) {
		if c != options&3 {
			r.t.Fatalf("SUBSCRIBE %s: code %02x, want %02x", filters[i], c, options&3)
		}
	}
}

func (r *raw) trySubscribe(options byte, filters ...string) (codes []byte) {
	r.t.Helper()
	n := r.nextID()
	r.send(r.subscribePacket(n, nil, options, filters...))
	return r.suback(0x90, n)
}

func (r *raw) subscribePacket(n uint16, properties []byte, options byte, filters ...string) []byte {
	parts := []any{id(n)}
	if r.v == 5 {
		parts = append(parts, props(properties))
	}
	for _, f := range filters {
		parts = append(parts, f, options)
	}
	return pkt(0x82, parts...)
}

func (r *raw) unsubscribe(filters ...string) (codes []byte) {
	r.t.Helper()
	n := r.nextID()
	parts := []any{id(n)}
	if r.v == 5 {
		parts = append(parts, 0)
	}
	for _, f := range filters {
		parts = append(parts, f)
	}
	r.send(pkt(0xA2, parts...))
	return r.suback(0xB0, n)
}

// suback reads a SUBACK or UNSUBACK and returns its codes.
func (r *raw) suback(kind byte, n uint16) []byte {
	r.t.Helper()
	p := r.next()
	k, i, _ := p.ack()
	if k != kind || i != n {
		r.t.Fatalf("got %v, want kind %02x id %d", p, kind, n)
	}
	if r.v != 5 {
		return p.body[2:]
	}
	if len(p.body) < 4 || p.body[2] != 0 {
		r.t.Fatalf("got %v, want codes without properties", p)
	}
	return p.body[3:]
}

// pub publishes and completes the exchange. Its packet identifier is chosen.
func (r *raw) pub(p publish) {
	r.t.Helper()
	if p.qos > 0 {
		p.id = r.nextID()
	}
	r.send(p.bytes(r.v))
	if p.qos == 0 {
		return
	}
	kind := map[byte]byte{1: 0x40, 2: 0x50}[p.qos]
	a := r.next()
	if k, i, c := a.ack(); k != kind || i != p.id || c != 0 && c != 0x10 { // 0x10: no subscribers
		r.t.Fatalf("PUBLISH %+v: got %v", p, a)
	}
	if p.qos == 2 {
		r.send(pkt(0x62, id(p.id)))
		r.wantAck(0x70, p.id, 0)
	}
}

// puback acknowledges a QoS 1 PUBLISH.
func (r *raw) puback(n uint16) { r.t.Helper(); r.send(pkt(0x40, id(n))) }

// take completes the receiver's side of a QoS 1 or 2 PUBLISH that was read.
func (r *raw) take(p publish) {
	r.t.Helper()
	switch p.qos {
	case 1:
		r.puback(p.id)
	case 2:
		r.send(pkt(0x50, id(p.id)))
		early := r.early // PUBREL may come after more messages
		r.early = nil
		a := r.next()
		for a.head>>4 == 3 {
			early = append(early, a)
			a = r.next()
		}
		if k, i, c := a.ack(); k != 0x62 || i != p.id || c != 0 {
			r.t.Fatalf("got %v, want PUBREL %d", a, p.id)
		}
		r.early = early
		r.send(pkt(0x70, id(p.id)))
	}
}

// leave disconnects in good order and waits for the end.
func (r *raw) leave() {
	r.t.Helper()
	r.send(disconnect)
	r.closed()
}

// drop cuts the connection without DISCONNECT.
func (r *raw) drop() { r.c.Close() }

// versions runs f as a subtest for each protocol level.
func versions(t *testing.T, f func(t *testing.T, v int), levels ...int) {
	t.Helper()
	if len(levels) == 0 {
		levels = []int{3, 4, 5}
	}
	for _, v := range levels {
		t.Run(fmt.Sprintf("v%d", v), func(t *testing.T) { f(t, v) })
	}
}
