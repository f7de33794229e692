package queue

import (
	"bytes"
	"math"
	"testing"

	"vernemq/codec"
)

// TestPatterns compares the packets that are made from the pattern of the
// first receiver with packets that are encoded one by one.
func TestPatterns(t *testing.T) {
	var p Publication
	for round := range 3 {
		p.Topic, p.Payload = []byte("a/b"), bytes.Repeat([]byte{'x'}, 50<<round*2)
		p.Forward, p.QoS, p.Expires = []byte{0x01, 0x01}, 2, 0
		if round == 1 {
			p.Expires = 1100
		}
		for id := uint16(1); id < 60; id++ {
			d := Delivery{
				Version: []codec.Version{codec.V31, codec.V311, codec.V5}[id%3], QoS: byte(id % 3), Retain: id%5 == 0,
				Dup: id%7 == 0 && id%3 > 0, ID: id, SubscriptionID: uint32(id % 4 / 3), Now: 1000,
			}
			got := p.AppendPacket([]byte("before"), &d)[len("before"):]
			want := append(p.AppendHead(nil, &d), p.Payload...)
			if !bytes.Equal(got, want) {
				t.Fatalf("%+v:\n got  % x\n want % x", d, got[:20], want[:20])
			}
			if n := p.Size(&d); n != len(got) {
				t.Fatalf("%+v: size %d, packet has %d", d, n, len(got))
			}
		}
		p.Reset()
	}
}

func TestPublicationBecomesMessage(t *testing.T) {
	p := Publication{Topic: []byte("t"), Payload: []byte("p"), Forward: []byte{1, 1}, QoS: 1, Retain: true, From: 7, Expires: 9}
	m := p.Message().Hold()
	if p.Message() != m {
		t.Error("a second message was made")
	}
	p.Reset()
	var q Publication
	q.View(m)
	if string(q.Topic) != "t" || string(q.Payload) != "p" || q.QoS != 1 || !q.Retain || q.From != 7 || q.Expires != 9 {
		t.Errorf("%+v", q)
	}
	q.Reset()
	if m.refs.Load() != 1 {
		t.Errorf("%d holders, want 1", m.refs.Load())
	}
	u := Publication{Topic: []byte("t"), Payload: []byte("p")}
	if k := u.Unpooled(); k == u.Message() || string(k.Payload()) != "p" {
		t.Error("not a message of its own")
	}
}

func TestKeyOf(t *testing.T) {
	if KeyOf("m", "a") == KeyOf("", "a") || KeyOf("m", "a") == KeyOf("ma", "") {
		t.Error("keys of different clients are equal")
	}
	if KeyOf("", "abc") != 0x44bc2cf5ad770999 {
		t.Errorf("the key of a client changed to %#x: what is on disk is kept by it", KeyOf("", "abc"))
	}
}

// BenchmarkFanOut encodes one message for 500 receivers.
func BenchmarkFanOut(b *testing.B) {
	outs := make([][]byte, 500)
	p := Publication{Topic: []byte("sensors/1/temperature"), Payload: make([]byte, 64)}
	d := Delivery{Version: codec.V311}
	b.ReportAllocs()
	for b.Loop() {
		for i := range outs {
			outs[i] = p.AppendPacket(outs[i][:0], &d)
		}
		p.Reset()
	}
}

// TestLongestExpiry has the longest Message Expiry Interval come to a subscriber
// whose clock is a second behind, and to one that is ahead.
func TestLongestExpiry(t *testing.T) {
	p := Publication{Topic: []byte("t"), Expires: ExpiresAt(1000, math.MaxUint32)}
	for now, want := range map[int64]uint32{999: math.MaxUint32, 1000: math.MaxUint32, 1010: math.MaxUint32 - 10} {
		packet := p.AppendPacket(nil, &Delivery{Version: codec.V5, Alias: 1, Now: now})
		f, _, _, _ := codec.Cut(packet, 0)
		var m codec.Publish
		if err := codec.DecodePublish(codec.V5, f, &m); err != nil || m.Props.Expiry != want {
			t.Errorf("at %d: %d %v, want %d", now, m.Props.Expiry, err, want)
		}
	}
}
