package status

import (
	"time"

	"vernemq/server/metrics"
)

// report is the state of the node. The first fields are those of VerneMQ.
type report struct {
	Online        uint64            `json:"num_online"`
	Offline       uint64            `json:"num_offline"`
	MsgIn         uint64            `json:"msg_in"`
	MsgOut        uint64            `json:"msg_out"`
	QueueIn       uint64            `json:"queue_in"`
	QueueOut      uint64            `json:"queue_out"`
	QueueDrop     uint64            `json:"queue_drop"`
	MsgDrop       uint64            `json:"msg_drop"`
	Unhandled     uint64            `json:"queue_unhandled"`
	Expired       uint64            `json:"queue_expired"`
	Waiting       uint64            `json:"queue_waiting"`
	Subscriptions uint64            `json:"num_subscriptions"`
	Retained      uint64            `json:"num_retained"`
	MatchesLocal  uint64            `json:"matches_local"`
	MatchesRemote uint64            `json:"matches_remote"`
	Version       string            `json:"version"`
	Nodes         []map[string]bool `json:"mystatus"`
	Listeners     []Listener        `json:"listeners"`

	Issues  []issue            `json:"issues"`
	Uptime  int64              `json:"uptime_ms"`
	CPU     uint64             `json:"cpu_percent"`
	Memory  uint64             `json:"memory_bytes"`
	Rates   map[string]float64 `json:"rates"` // per second, over the last minute
	Latency quantiles          `json:"latency_us"`
	Limits  []limit            `json:"limits"`
	Loops   []loopState        `json:"loops"`
}

// quantiles are upper bounds for publish to deliver in the last minute.
type quantiles struct {
	P50 uint64 `json:"p50"`
	P99 uint64 `json:"p99"`
}

// limit is something bounded: how much of it is in use, where that is known,
// and how often the bound was reached.
type limit struct {
	Name   string `json:"name"`
	Used   uint64 `json:"used,omitempty"`
	Max    uint64 `json:"max,omitempty"`
	Hits   uint64 `json:"hits"`
	Lately uint64 `json:"hits_last_minute"`
}

type loopState struct {
	Busy    float64 `json:"busy_percent"`
	Waiting uint64  `json:"messages_waiting"`
}

// reading finds metrics by name.
type reading map[string]*metrics.Metric

func (r reading) sum(name string) uint64 {
	if m := r[name]; m != nil {
		return m.Sum()
	}
	return 0
}

func (s *Status) report() *report {
	all := s.node.Registry.Read()
	now := newPoint(time.Now(), all)
	r := reading{}
	for i := range all {
		r[all[i].Name] = &all[i]
	}
	s.mu.Lock()
	before := now
	if len(s.past) > 0 {
		before = s.past.back(recently - 1)
	}
	s.mu.Unlock()
	out := &report{
		Online: r.sum("sessions_online"), Offline: r.sum("sessions_offline"), MsgIn: r.sum("mqtt_publish_received"), MsgOut: r.sum("mqtt_publish_sent"),
		QueueIn: r.sum("queue_message_in"), QueueOut: r.sum("queue_message_out"), QueueDrop: r.sum("queue_message_drop"), MsgDrop: r.sum("queue_message_drop"),
		Unhandled: r.sum("queue_message_unhandled"), Expired: r.sum("queue_message_expired"), Waiting: r.sum("queue_messages_waiting"),
		Subscriptions: r.sum("router_subscriptions"), Retained: r.sum("retain_messages"), MatchesLocal: r.sum("router_matches_local"),
		MatchesRemote: r.sum("router_matches_remote"), Version: s.node.Version, Nodes: []map[string]bool{{s.node.Name: true}}, Listeners: s.node.Listeners(),
		Uptime: s.node.System.Uptime().Milliseconds(), CPU: s.node.System.Utilization(), Memory: r.sum("vm_memory_total"), Rates: map[string]float64{},
	}
	for key, name := range map[string]string{"connect": "mqtt_connect_received", "publish_in": "mqtt_publish_received", "publish_out": "mqtt_publish_sent",
		"drop": "queue_message_drop", "bytes_in": "bytes_received", "bytes_out": "bytes_sent"} {
		out.Rates[key] = rounded(rate(before, now, name))
	}
	out.Latency.P50, out.Latency.P99 = latency(before, now)
	out.Limits = limits(r, before, now)
	out.Loops = loops(r, before, now)
	out.Issues = issues(out, r, before, now)
	return out
}

func limits(r reading, before, now point) (out []limit) {
	for _, x := range r["limits_hit"].Series {
		l := limit{Name: x.Labels[0].Value, Hits: x.Value}
		l.Lately = x.Value - min(before.limits[l.Name], x.Value)
		if l.Name == "lobby_size" {
			l.Used, l.Max = r.sum("lobby_connections"), r.sum("lobby_size")
		}
		out = append(out, l)
	}
	return out
}

func loops(r reading, before, now point) (out []loopState) {
	for i, x := range r["loop_inbox_messages"].Series {
		out = append(out, loopState{busy(before, now, i), x.Value})
	}
	return out
}
