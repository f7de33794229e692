package session

import (
	"bytes"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"vernemq/codec"
	"vernemq/server/mqttmodel"
)

// TestModel lets random clients do random things to sessions and holds what
// the sessions send to a model of MQTT.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runModel(t, -1, -1, mqttmodel.Options{MaxInflight: 3, Steps: 100})
	})
}

// TestModelLossy does the same with queues so short that messages are lost:
// order and windows must hold all the same.
func TestModelLossy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runModel(t, 2, 3, mqttmodel.Options{MaxInflight: 3, Steps: 100, Lossy: true})
	})
}

func runModel(t *rapid.T, online, offline int, o mqttmodel.Options) {
	w := newWorld()
	w.limits.MaxInflight, w.limits.MaxOnline, w.limits.MaxOffline = o.MaxInflight, online, offline
	mqttmodel.Run(t, &modelBroker{w}, o)
	w.check(t, 0)
}

// modelBroker is a world as the model's driver sees it.
type modelBroker struct{ world *world }

func (b *modelBroker) Connect(name string, packet []byte) mqttmodel.Link {
	f, _, _, err := codec.Cut(packet, 0)
	if err != nil {
		panic(err)
	}
	var c codec.Connect
	if err := codec.DecodeConnect(f, &c); err != nil {
		panic(err)
	}
	l := &modelLink{}
	b.world.attach(name, &c, false, func(cl *fakeClient) Link {
		l.client = cl
		return l
	})
	return l
}

// Settle answers what was asked of the store; all else is done when a call
// returns.
func (b *modelBroker) Settle() { b.world.store.disk() }

func (b *modelBroker) Tick(seconds int) {
	if err := b.world.tick(strconv.Itoa(seconds)); err != nil {
		panic(err)
	}
}

// modelLink is a connection whose output the driver reads.
type modelLink struct {
	fakeLink
	client *fakeClient
}

func (l *modelLink) Finish(error) { l.finished = true }

func (l *modelLink) Send(packet []byte) {
	f, n, _, err := codec.Cut(packet, 0)
	if err != nil || n != len(packet) {
		panic("the model sends no packet")
	}
	l.client.session.Packet(f)
}

func (l *modelLink) Received() (frames []codec.Frame) {
	rest := bytes.Clone(l.out.B)
	l.out.B = l.out.B[:0]
	for len(rest) > 0 {
		f, n, _, err := codec.Cut(rest, 0)
		if err != nil || n == 0 {
			panic("the session sends no packet")
		}
		frames, rest = append(frames, f), rest[n:]
	}
	return frames
}

func (l *modelLink) End() {
	if !l.finished {
		l.finished = true
		l.client.session.Lost()
	}
}

func (l *modelLink) Stall(on bool) {
	if l.full = on; !on {
		l.client.session.Writable()
	}
}
