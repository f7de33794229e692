package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"vernemq/codec"
	"vernemq/reactor"
	"vernemq/server/session"
	"vernemq/server/trace"
)

// traces are those that run. Every loop has its own list of them, which is nil
// as long as there are none.
type traces struct {
	mu   sync.Mutex
	list []*trace.Trace
}

func (x *traces) add(t *trace.Trace) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.list = append(x.list, t)
}

func (x *traces) remove(t *trace.Trace) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.list = slices.DeleteFunc(x.list, func(y *trace.Trace) bool { return y == t })
}

// Trace gives the lines of a trace to a function until the trace or ctx ends.
func (b *Broker) Trace(ctx context.Context, o trace.Options, line func(string) error) error {
	t := trace.New(o)
	b.traces.add(t)
	for _, l := range b.loops {
		l.reactor.Post(func() { l.startTrace(t, o) })
	}
	err := t.Run(ctx, line)
	b.traces.remove(t)
	for _, l := range b.loops {
		l.reactor.Post(func() { l.endTrace(t) })
	}
	return err
}

// StopTraces ends all traces.
func (b *Broker) StopTraces() {
	b.traces.mu.Lock()
	defer b.traces.mu.Unlock()
	for _, t := range b.traces.list {
		t.End("Trace terminated by external action.")
	}
}

// startTrace has the loop look for the client of a trace. The client's home
// also looks whether it is there.
func (l *loop) startTrace(t *trace.Trace, o trace.Options) {
	l.traces = append(l.traces, t)
	if l != l.broker.homeOf(o.Mountpoint, o.ID) {
		return
	}
	var pids []string
	if c := l.find(o.Mountpoint, o.ID); c != nil {
		if c.session.Online() && c.conn != nil {
			pids = append(pids, l.tapInto(c.conn, &c.session, t).pid)
		}
		for _, a := range c.others() {
			pids = append(pids, l.tapInto(a.conn, &a.session, t).pid)
		}
	}
	if len(pids) == 0 {
		t.Say("No sessions found for client %q", o.ID)
		return
	}
	t.Say("Starting trace for %d existing sessions for client %q with PIDs\n    [%s]", len(pids), o.ID, strings.Join(pids, ","))
}

// tapInto adds a trace to a connection that exists.
func (l *loop) tapInto(c *reactor.Conn, s *session.Session, t *trace.Trace) *tap {
	x := l.taps[c]
	if x == nil {
		x = l.newTap(c, s.Version())
		s.Relink(x)
	}
	x.traces = append(x.traces, t)
	return x
}

// endTrace forgets a trace. Connections that nobody watches any more get their
// plain link back.
func (l *loop) endTrace(t *trace.Trace) {
	is := func(x *trace.Trace) bool { return x == t }
	if l.traces = slices.DeleteFunc(l.traces, is); len(l.traces) == 0 {
		l.traces = nil
	}
	for c, x := range l.taps {
		if x.traces = slices.DeleteFunc(x.traces, is); len(x.traces) > 0 {
			continue
		}
		x.move()
		if s := sessionOf(c); s != nil && s.Online() {
			s.Relink(link{c})
		}
		l.dropTap(c)
	}
}

func (l *loop) dropTap(c *reactor.Conn) {
	if delete(l.taps, c); len(l.taps) == 0 {
		l.taps = nil
	}
}

// tracesOf are the traces of a client.
func (l *loop) tracesOf(mountpoint, id string) (list []*trace.Trace) {
	for _, t := range l.traces {
		if t.Matches(mountpoint, id) {
			list = append(list, t)
		}
	}
	return list
}

// linkTo is the link of a new connection, through a tap if it is traced.
func (l *loop) linkTo(c *reactor.Conn, a *admission, connect codec.Frame) session.Link {
	if l.traces == nil {
		return link{c}
	}
	list := l.tracesOf(a.mountpoint, a.id)
	if len(list) == 0 {
		return link{c}
	}
	x := l.newTap(c, l.connect.Version)
	x.traces = list
	for _, t := range list {
		t.Say("New session with PID %s found for client %q", x.pid, a.id)
	}
	x.received(connect)
	a.repeat(x.pid)
	return x
}

// traceRefused shows a CONNECT that is refused before it has a session.
func (l *loop) traceRefused(c *reactor.Conn, connect codec.Frame, reply []byte) {
	pid := l.pidOf(c)
	list := l.tracesOf(listenerOf(c).mountpoint, string(l.connect.ClientID))
	for _, t := range list {
		t.Packet(pid, true, l.connect.Version, connect)
	}
	if a, ok := c.User().(*admission); ok {
		a.repeat(pid)
	}
	for _, t := range list {
		if f, n, _, err := codec.Cut(reply, 0); err == nil && n > 0 {
			t.Packet(pid, false, l.connect.Version, f)
		}
	}
}

// pidOf is the name of a connection in traces and tables.
func (l *loop) pidOf(c *reactor.Conn) string {
	return fmt.Sprintf("<%d.%d.%d>", l.index, c.FD(), c.Generation())
}

// untap ends the tap of a connection that has ended.
func (l *loop) untap(c *reactor.Conn) {
	x := l.taps[c]
	if x == nil {
		return
	}
	x.show()
	x.release()
	for _, t := range x.traces {
		t.Say("%s Trace session for %s stopped", x.pid, x.id)
	}
	l.dropTap(c)
}
