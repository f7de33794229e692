package server

import (
	"fmt"
	"testing"
	"time"

	"vernemq/codec"
)

// member connects a client with a session of a minute, new or resumed.
func member(t *testing.T, b *Broker, id string, clean bool) *peer {
	t.Helper()
	p := &peer{t: t}
	p.dial(b, &codec.Connect{Version: codec.V5, CleanStart: clean, ClientID: []byte(id), RequestProblemInfo: true, SessionExpiry: 60})
	return p
}

// message reads the next packet, which must be a PUBLISH.
func (p *peer) message() codec.Publish {
	p.t.Helper()
	var m codec.Publish
	f := p.next()
	if f.Type() != codec.PUBLISH {
		p.t.Fatalf("%v % x", f.Type(), f.Body)
	}
	if err := codec.DecodePublish(codec.V5, f, &m); err != nil {
		p.t.Fatal(err)
	}
	return m
}

func (p *peer) ack(typ codec.Type, id uint16, code codec.ReasonCode) {
	p.t.Helper()
	p.send(codec.AppendAck(nil, codec.V5, typ, id, code, ""))
}

// expect reads the next packet, which must be of this type.
func (p *peer) expect(typ codec.Type) codec.Frame {
	p.t.Helper()
	f := p.next()
	if f.Type() != typ {
		p.t.Fatalf("%v % x, want %v", f.Type(), f.Body, typ)
	}
	return f
}

// quiet pings: nothing may come before the answer. Messages from other loops
// have half a second to arrive.
func (p *peer) quiet() {
	p.t.Helper()
	time.Sleep(500 * time.Millisecond)
	p.send([]byte{0xc0, 0})
	p.expect(codec.PINGRESP)
}

// forLoops runs a test on one loop and on four.
func forLoops(t *testing.T, f func(t *testing.T, b *Broker)) {
	for _, loops := range []int{1, 4} {
		t.Run(fmt.Sprint(loops), func(t *testing.T) { t.Parallel(); f(t, startBroker(t, testConfig(loops))) })
	}
}

// exactlyOnce makes two members, gives them one message of QoS 2 and says who got it.
func exactlyOnce(t *testing.T, b *Broker) (got, other *peer, name string, m codec.Publish) {
	a, c, pub := member(t, b, "a", true), member(t, b, "c", true), connect(t, b, "pub")
	a.subscribe("$share/g/t", 2)
	c.subscribe("$share/g/t", 2)
	pub.publish("t", "m", 2, 1)
	pub.expect(codec.PUBREC)
	time.Sleep(200 * time.Millisecond)
	a.send([]byte{0xc0, 0})
	f := a.next()
	if f.Type() == codec.PINGRESP {
		return c, a, "c", c.message()
	}
	if err := codec.DecodePublish(codec.V5, f, &m); err != nil {
		t.Fatal(err)
	}
	a.expect(codec.PINGRESP)
	return a, c, "a", m
}

// TestSharedGrantedQoS: each member gets messages with the QoS that it was
// granted [MQTT-4.8.2-3].
func TestSharedGrantedQoS(t *testing.T) {
	forLoops(t, func(t *testing.T, b *Broker) {
		pub := connect(t, b, "pub")
		var members []*peer
		for qos := range byte(3) {
			m := connect(t, b, fmt.Sprint("qos", qos))
			m.subscribe("$share/g/t", qos)
			members = append(members, m)
		}
		const n = 60
		for i := range n {
			pub.publish("t", "m", 2, uint16(i+1))
			pub.expect(codec.PUBREC)
		}
		total := 0
		for qos, m := range members {
			time.Sleep(100 * time.Millisecond)
			m.send([]byte{0xc0, 0})
			for f := m.next(); f.Type() != codec.PINGRESP; f = m.next() {
				if f.Type() != codec.PUBLISH || int(f.First>>1&3) != qos {
					t.Fatalf("member with QoS %d got %v % x", qos, f.Type(), f.First)
				}
				if total++; qos > 0 {
					m.sendAck(f, qos)
				}
			}
		}
		if total != n {
			t.Errorf("%d messages of %d", total, n)
		}
	})
}

// sendAck completes the delivery of a PUBLISH.
func (p *peer) sendAck(f codec.Frame, qos int) {
	p.t.Helper()
	var m codec.Publish
	if err := codec.DecodePublish(codec.V5, f, &m); err != nil {
		p.t.Fatal(err)
	}
	if qos == 1 {
		p.ack(codec.PUBACK, m.PacketID, codec.Success)
		return
	}
	p.ack(codec.PUBREC, m.PacketID, codec.UnspecifiedError) // refused: the place is free at once
}

// TestSharedExactlyOnce: a delivery of QoS 2 that a lost connection cut off is
// completed with the same member [MQTT-4.8.2-4].
func TestSharedExactlyOnce(t *testing.T) {
	forLoops(t, func(t *testing.T, b *Broker) {
		got, other, name, m := exactlyOnce(t, b)
		got.conn.Close()
		other.quiet()
		got = member(t, b, name, false)
		again := got.message()
		if !again.Dup || again.PacketID != m.PacketID || string(again.Payload) != "m" {
			t.Errorf("%+v", again)
		}
		got.ack(codec.PUBREC, m.PacketID, codec.Success)
		got.expect(codec.PUBREL)
		got.conn.Close()
		got = member(t, b, name, false)
		got.expect(codec.PUBREL)
		got.ack(codec.PUBCOMP, m.PacketID, codec.Success)
		got.quiet()
		other.quiet()
	})
}

// TestSharedMemberEnds: when the member's session ends first, nobody else gets
// the message of QoS 2 [MQTT-4.8.2-5].
func TestSharedMemberEnds(t *testing.T) {
	forLoops(t, func(t *testing.T, b *Broker) {
		got, other, name, _ := exactlyOnce(t, b)
		got.conn.Close()
		got = member(t, b, name, true)
		got.quiet()
		other.quiet()
	})
}

// TestSharedMemberRefuses: a message that a member refuses goes to nobody else
// [MQTT-4.8.2-6].
func TestSharedMemberRefuses(t *testing.T) {
	forLoops(t, func(t *testing.T, b *Broker) {
		got, other, name, m := exactlyOnce(t, b)
		got.ack(codec.PUBREC, m.PacketID, codec.UnspecifiedError)
		got.quiet()
		other.quiet()
		got.conn.Close()
		member(t, b, name, false).quiet()
		other.quiet()
	})
}

// TestRefusedIsTheEnd: what follows a refused CONNECT is not handled
// [MQTT-3.1.4-6], v3.1.1 [MQTT-3.1.4-5].
func TestRefusedIsTheEnd(t *testing.T) {
	forLoops(t, func(t *testing.T, b *Broker) {
		sub := connect(t, b, "sub")
		sub.subscribe("#", 0)
		for _, v := range []codec.Version{codec.V311, codec.V5} {
			p := &peer{t: t}
			p.open(b)
			c := codec.Connect{Version: v, CleanStart: true, ClientID: make([]byte, 200), RequestProblemInfo: true,
				HasWill: true, Will: codec.Will{Topic: []byte("t"), Payload: []byte("will")}}
			for i := range c.ClientID {
				c.ClientID[i] = 'x'
			}
			out := codec.AppendConnect(nil, &c)
			out = codec.AppendPublishHead(out, v, codec.PublishFirst(1, false, false), []byte("t"), 1, nil, 0)
			p.send(out)
			if f := p.expect(codec.CONNACK); f.Body[1] == 0 {
				t.Fatalf("accepted: % x", f.Body)
			}
			if f, err := p.read(); err == nil {
				t.Errorf("%v % x after the refusal", f.Type(), f.Body)
			}
		}
		sub.quiet()
	})
}

// TestAssignedIdentifier: the identifier that the broker assigned is as good as
// one that the client chose [MQTT-3.1.3-6] [MQTT-3.1.3-7].
func TestAssignedIdentifier(t *testing.T) {
	forLoops(t, func(t *testing.T, b *Broker) {
		c := codec.Connect{Version: codec.V5, RequestProblemInfo: true, SessionExpiry: 60}
		p := &peer{t: t}
		p.open(b)
		p.send(codec.AppendConnect(nil, &c))
		var a codec.Connack
		if err := codec.DecodeConnack(codec.V5, p.expect(codec.CONNACK), &a); err != nil || len(a.AssignedClientID) == 0 || a.SessionPresent {
			t.Fatalf("%v %+v", err, a)
		}
		p.subscribe("t", 1)
		p.conn.Close()
		c.ClientID = a.AssignedClientID
		p.open(b)
		p.send(codec.AppendConnect(nil, &c))
		if err := codec.DecodeConnack(codec.V5, p.expect(codec.CONNACK), &a); err != nil || !a.SessionPresent || len(a.AssignedClientID) != 0 {
			t.Errorf("%v %+v", err, a)
		}
		p.publish("t", "mine", 1, 1)
		if got := p.payloads(1); got[0] != "mine" {
			t.Errorf("%q", got)
		}
	})
}
