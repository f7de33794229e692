package server

import (
	"vernemq/reactor"
	"vernemq/server/hooks"
	"vernemq/server/trace"
)

// asks shows what plugins are asked about a client's packet. Other questions
// than those that authorize are not shown.
func (x *tap) asks(hook hooks.Name, request any) {
	switch r := request.(type) {
	case *hooks.Message:
		x.say(func(t *trace.Trace) string {
			return trace.Publish(x.pid, hook.String(), r.Mountpoint, r.ID, r.Username, r.QoS, string(r.Topic), r.Retain, r.Payload, t.Truncate())
		})
	case *hooks.Subscribe:
		var topics []string
		var qos []byte
		for i := range r.Topics {
			topics, qos = append(topics, string(r.Topics[i].Filter.Filter)), append(qos, r.Topics[i].QoS)
		}
		x.say(func(*trace.Trace) string {
			return trace.Subscribe(x.pid, hook.String(), r.Mountpoint, r.ID, r.Username, topics, qos)
		})
	}
}

// say adds a line to the traces, after what the client was sent before.
func (x *tap) say(line func(*trace.Trace) string) {
	x.show()
	for _, t := range x.traces {
		t.Say("%s", line(t))
	}
}

// traceAnswer shows what plugins say to a question that asks has shown.
func traceAnswer[M any](l *loop, c *reactor.Conn, request any, a *hooks.Answer[M]) {
	x := l.taps[c]
	if x == nil {
		return
	}
	switch request.(type) {
	case *hooks.Message, *hooks.Subscribe:
	default:
		return
	}
	result := "ok"
	switch {
	case a.Result != hooks.OK:
		result = a.Refusal.Cause
	case a.Modifiers != nil:
		result = "ok, with changes"
	}
	x.say(func(*trace.Trace) string { return trace.Returned(x.pid, result) })
}
