package server

import (
	"vernemq/codec"
	"vernemq/reactor"
	"vernemq/server/hooks"
	"vernemq/server/trace"
)

// said is a line about a client that has no session yet, without the name of its
// connection. It is shown behind the CONNECT, which is shown when it is settled
// where the client belongs.
type said struct {
	to   *trace.Trace
	line string
}

// tell adds a line about a client to its traces.
func (l *loop) tell(c *reactor.Conn, line func(pid string, t *trace.Trace) string) {
	if x := l.taps[c]; x != nil {
		x.show()
		for _, t := range x.traces {
			t.Say("%s", line(x.pid, t))
		}
	} else if a, ok := c.User().(*admission); ok {
		for _, t := range l.tracesOf(a.mountpoint, a.id) {
			a.said = append(a.said, said{t, line("", t)})
		}
	}
}

// repeat shows what was said of a client before it had a session.
func (a *admission) repeat(pid string) {
	for _, x := range a.said {
		x.to.Say("%s%s", pid, x.line)
	}
	a.said = nil
}

// traceQuestion shows what plugins are asked about a client. Only questions that
// let in or authorize are shown, and no passwords.
func (l *loop) traceQuestion(c *reactor.Conn, hook hooks.Name, request any) {
	switch r := request.(type) {
	case *hooks.Auth:
		l.tell(c, func(pid string, _ *trace.Trace) string {
			return trace.Auth(pid, hook.String(), r.Mountpoint, r.ID, r.Username, r.Method)
		})
	case *hooks.Register:
		l.tell(c, func(pid string, _ *trace.Trace) string {
			return trace.Register(pid, hook.String(), r.Peer, r.Mountpoint, r.ID, r.Username, r.CleanStart)
		})
	case *hooks.Message:
		l.tell(c, func(pid string, t *trace.Trace) string {
			return trace.Publish(pid, hook.String(), r.Mountpoint, r.ID, r.Username, r.QoS, string(r.Topic), r.Retain, r.Payload, t.Truncate(), r.Properties)
		})
	case *hooks.Subscribe:
		var topics []codec.Filter
		for i := range r.Topics {
			topics = append(topics, r.Topics[i].Filter)
		}
		l.tell(c, func(pid string, _ *trace.Trace) string {
			return trace.Subscribe(pid, hook.String(), r.Mountpoint, r.ID, r.Username, topics)
		})
	}
}

// traceAnswer shows what plugins say to a question that traceQuestion shows.
func traceAnswer[M any](l *loop, c *reactor.Conn, request any, a *hooks.Answer[M]) {
	var changes []string
	switch request.(type) {
	case *hooks.Register, *hooks.Message, *hooks.Subscribe:
		changes = trace.Changes(a.Modifiers)
	case *hooks.Auth: // its modifiers are secrets
	default:
		return
	}
	result := "ok"
	if a.Result != hooks.OK {
		result = a.Refusal.Cause
	}
	l.tell(c, func(pid string, _ *trace.Trace) string { return trace.Returned(pid, result, changes...) })
}
