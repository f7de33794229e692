package session

import (
	"testing"

	"github.com/valyala/bytebufferpool"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/server/metrics"
)

// bareHost routes everything that is published to one session.
type bareHost struct {
	fakeGate
	scratch Scratch
	metrics metrics.Set
	to      *Session
	options Options
}

func (h *bareHost) Clock() uint32             { return 1 }
func (h *bareHost) Unix() int64               { return 1 }
func (h *bareHost) Scratch() *Scratch         { return &h.scratch }
func (h *bareHost) Metrics() *metrics.Set     { return &h.metrics }
func (h *bareHost) Records() store.Records    { return nil }
func (h *bareHost) Writes() uint64            { return 0 }
func (h *bareHost) Last() uint64              { return 0 }
func (h *bareHost) Hold()                     {}
func (h *bareHost) Safe() bool                { return true }
func (h *bareHost) Read(Reading)              {}
func (h *bareHost) Bequeath(uint64)           {}
func (h *bareHost) Bequeaths() bool           { return false }
func (h *bareHost) Share(string) uint32       { return 0 }
func (h *bareHost) ShareFilter(uint32) string { return "" }
func (h *bareHost) Publish(_ *Session, _ string, p *queue.Publication, _ codec.Properties) {
	h.to.Deliver(p, &h.options)
}
func (h *bareHost) Unsubscribe([]byte) bool                                  { return true }
func (h *bareHost) Retained([]byte, func(*queue.Message) bool)               {}
func (h *bareHost) Redeliver(uint32, *queue.Message)                         {}
func (h *bareHost) Arm(uint32)                                               {}
func (h *bareHost) Presence(bool)                                            {}
func (h *bareHost) Accompanied() bool                                        { return false }
func (h *bareHost) Inherit(*queue.Message, queue.Entry) bool                 { return false }
func (h *bareHost) Dropped()                                                 {}
func (h *bareHost) Ended()                                                   {}
func (h *bareHost) Subscribe(*codec.Filter, uint32) (bool, codec.ReasonCode) { return true, 0 }

// bareLink throws away what is sent.
type bareLink struct{ out bytebufferpool.ByteBuffer }

func (l *bareLink) Output() *bytebufferpool.ByteBuffer          { l.out.B = l.out.B[:0]; return &l.out }
func (l *bareLink) AppendShared([]byte, interface{ Release() }) {}
func (l *bareLink) AppendBorrowed([]byte)                       {}
func (l *bareLink) Full() bool                                  { return false }
func (l *bareLink) PauseRead()                                  {}
func (l *bareLink) ResumeRead()                                 {}
func (l *bareLink) Paused() bool                                { return false }
func (l *bareLink) LastSeen() uint32                            { return 1 }
func (l *bareLink) Finish(error)                                {}

// exchange is a publisher and a subscriber, and the packets that one message
// takes from PUBLISH to the last acknowledgement.
type exchange struct {
	pub, sub         Session
	fromPub, fromSub []codec.Frame
}

func newExchange(qos byte) *exchange {
	x := &exchange{}
	h := &bareHost{to: &x.sub, options: Options{QoS: qos}}
	limits := &Limits{MaxInflight: 20, MaxOnline: 1000}
	for id, s := range map[string]*Session{"pub": &x.pub, "sub": &x.sub} {
		*s = New(h, "", id)
		s.Connect(&bareLink{}, &codec.Connect{Version: codec.V311, CleanStart: true}, &Admission{}, limits)
	}
	frame := func(b []byte) codec.Frame {
		f, _, _, _ := codec.Cut(b, 0)
		return f
	}
	ack := func(t codec.Type) codec.Frame { return frame(codec.AppendAck(nil, codec.V311, t, 1, 0, "")) }
	b := codec.AppendPublishHead(nil, codec.V311, codec.PublishFirst(qos, false, false), []byte("sensors/1/temperature"), 1, nil, 64)
	x.fromPub = []codec.Frame{frame(append(b, make([]byte, 64)...))}
	switch qos {
	case 1:
		x.fromSub = []codec.Frame{ack(codec.PUBACK)}
	case 2:
		x.fromPub = append(x.fromPub, ack(codec.PUBREL))
		x.fromSub = []codec.Frame{ack(codec.PUBREC), ack(codec.PUBCOMP)}
	}
	return x
}

// run carries one message through. The subscriber acknowledges with the
// identifier that it was sent.
func (x *exchange) run() {
	for _, f := range x.fromPub {
		x.pub.Packet(f)
	}
	for _, f := range x.fromSub {
		id := x.sub.extra.inflight.LastID()
		f.Body[0], f.Body[1] = byte(id>>8), byte(id)
		x.sub.Packet(f)
	}
}

func benchmarkExchange(b *testing.B, qos byte) {
	x := newExchange(qos)
	b.ReportAllocs()
	for b.Loop() {
		x.run()
	}
	if n := x.sub.extra; n != nil && n.inflight.Len() > 0 {
		b.Fatalf("%d messages are not acknowledged", n.inflight.Len())
	}
}

func BenchmarkExchangeQoS0(b *testing.B) { benchmarkExchange(b, 0) }
func BenchmarkExchangeQoS1(b *testing.B) { benchmarkExchange(b, 1) }
func BenchmarkExchangeQoS2(b *testing.B) { benchmarkExchange(b, 2) }

// TestExchangeAllocations holds that no message costs an allocation.
func TestExchangeAllocations(t *testing.T) {
	for qos := range byte(3) {
		x := newExchange(qos)
		x.run()
		if n := testing.AllocsPerRun(1000, x.run); n != 0 {
			t.Errorf("QoS %d: %v allocations", qos, n)
		}
	}
}
