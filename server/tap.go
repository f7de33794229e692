package server

import (
	"slices"

	"github.com/valyala/bytebufferpool"

	"vernemq/codec"
	"vernemq/reactor"
	"vernemq/server/trace"
)

// tap is the link of a connection that is traced. It keeps the output of a turn
// to itself, shows it packet by packet, and moves it to the connection when the
// turn ends. As an output it only grows until then.
type tap struct {
	link
	id      string
	pid     string
	version codec.Version
	traces  []*trace.Trace

	out    bytebufferpool.ByteBuffer
	shared []tapped // payloads that go between the bytes of out
	shown  int      // bytes of out
	moved  int      // bytes of out
	next   int      // of shared, the first that is not moved
}

// shownPayload is the most of a payload that is copied to be shown, in bytes.
const shownPayload = 1 << 20

// tapped is a payload that goes before out.B[at].
type tapped struct {
	at   int
	data []byte
	ref  interface{ Release() }
}

func (l *loop) newTap(c *reactor.Conn, v codec.Version) *tap {
	x := &tap{link: link{c}, pid: l.pidOf(c), version: v, id: clientOf(c)}
	if l.taps == nil {
		l.taps = map[*reactor.Conn]*tap{}
	}
	l.taps[c] = x
	return x
}

// clientOf is the identifier of the client of a connection.
func clientOf(c *reactor.Conn) string {
	switch u := c.User().(type) {
	case *client:
		return u.session.ID
	case *attached:
		return u.session.ID
	case *admission:
		return u.id
	}
	return ""
}

func (x *tap) Output() *bytebufferpool.ByteBuffer {
	x.link.Output() // the turn is to end
	return &x.out
}

func (x *tap) AppendShared(data []byte, ref interface{ Release() }) {
	x.link.Output()
	x.shared = append(x.shared, tapped{len(x.out.B), data, ref})
}

func (x *tap) AppendBorrowed(data []byte) { x.AppendShared(slices.Clone(data), nothing{}) }

// nothing is held.
type nothing struct{}

func (nothing) Release() {}

// Full asks the connection, which has to know of all that it will have to send:
// it tells when there is room again.
func (x *tap) Full() bool {
	x.show()
	x.move()
	return x.link.Full()
}

func (x *tap) Finish(cause error) {
	x.show()
	x.move()
	x.link.Finish(cause)
}

// received shows a packet of the client, after what it was sent before.
func (x *tap) received(f codec.Frame) {
	x.show()
	for _, t := range x.traces {
		t.Packet(x.pid, true, x.version, f)
	}
}

// show shows the packets of the output that were not shown yet.
func (x *tap) show() {
	for x.shown < len(x.out.B) {
		f, n, ok := x.packet()
		if !ok {
			return
		}
		x.shown += n
		for _, t := range x.traces {
			t.Packet(x.pid, false, x.version, f)
		}
	}
}

// packet is the next packet of the output, and how many bytes of out are its
// own. The payload may lie elsewhere.
func (x *tap) packet() (f codec.Frame, n int, ok bool) {
	rest := x.out.B[x.shown:]
	if f, n, _, err := codec.Cut(rest, 0); err != nil || n > 0 {
		borders := slices.ContainsFunc(x.shared, func(s tapped) bool { return s.at > x.shown && s.at < x.shown+n })
		if err != nil || !borders {
			return f, n, err == nil
		}
	}
	body := 2 // behind type and length
	for body < len(rest) && rest[body-1]&0x80 != 0 {
		body++
	}
	for _, s := range x.shared {
		if s.at > x.shown && body <= s.at-x.shown {
			return codec.Frame{First: rest[0], Body: slices.Concat(rest[body:s.at-x.shown], s.data[:min(len(s.data), shownPayload)])}, s.at - x.shown, true
		}
	}
	return f, 0, false
}

// move hands the output over to the connection.
func (x *tap) move() {
	for ; x.next < len(x.shared); x.next++ {
		s := x.shared[x.next]
		x.moveTo(s.at)
		x.link.AppendShared(s.data, s.ref)
	}
	x.moveTo(len(x.out.B))
}

func (x *tap) moveTo(at int) {
	if x.moved < at {
		out := x.link.Output()
		out.B = append(out.B, x.out.B[x.moved:at]...)
		x.moved = at
	}
}

// endTurn moves the output of the turn and begins anew.
func (x *tap) endTurn() {
	x.show()
	x.move()
	clear(x.shared)
	x.out.B, x.shared = x.out.B[:0], x.shared[:0]
	x.shown, x.moved, x.next = 0, 0, 0
}

// release gives back what was not moved when the connection ended.
func (x *tap) release() {
	for ; x.next < len(x.shared); x.next++ {
		x.shared[x.next].ref.Release()
	}
}
