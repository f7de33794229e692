package status

import (
	"fmt"
	"slices"
)

// issue is something that an operator should look at.
type issue struct {
	Level string `json:"level"`
	Text  string `json:"text"`
}

// The levels of issues: danger is when clients suffer, warning when they soon
// will or some do, info when something was refused as configured.
const (
	danger  = "danger"
	warning = "warning"
	info    = "info"
)

// explained are the limits that are worth a word when they are reached, with
// what happens then.
var explained = map[string]struct{ level, text string }{
	"max_connections":              {warning, "a listener had all its connections; others wait"},
	"lobby_size":                   {danger, "the lobby was full; connections without a CONNECT were closed"},
	"mqtt_connect_timeout":         {info, "connections sent no CONNECT in time and were closed"},
	"send_timeout":                 {warning, "clients took nothing for too long and were closed"},
	"send_buffer_limit":            {info, "clients read slower than they are sent to; their messages wait in queues"},
	"max_online_messages":          {warning, "queues of connected clients were full; messages were dropped"},
	"max_offline_messages":         {warning, "queues of absent clients were full; messages were dropped"},
	"receive_max_broker":           {info, "clients sent more QoS 2 messages at once than they may and were closed"},
	"max_message_rate":             {info, "clients published faster than they may and were held back"},
	"max_message_size":             {info, "clients sent packets larger than they may and were closed"},
	"maximum_packet_size":          {info, "messages were larger than their clients take and were dropped"},
	"max_subscriptions_per_client": {info, "clients wanted more subscriptions than they may have"},
	"shared_groups":                {info, "a filter has as many shared groups as it may"},
	"loop_inbox":                   {warning, "a loop had too much to do; publishers were held back"},
	"log_lines":                    {info, "lines about clients were left out of the log"},
}

// issues lists what is wrong, the worst first.
func issues(n *report, r reading, before, now point) []issue {
	out := []issue{}
	add := func(level, format string, a ...any) { out = append(out, issue{level, fmt.Sprintf(format, a...)}) }
	if r.sum("store_failed") > 0 {
		add(danger, "The store has failed and writes nothing any more: persistent messages are at risk.")
	}
	for _, l := range n.Listeners {
		if l.Status != "running" {
			add(danger, "Listener %s (%s, port %d) is %s.", l.Name, l.Type, l.Port, l.Status)
		} else if limit, ok := l.MaxConns.(int); ok && int(l.Active)*10 >= limit*9 {
			add(warning, "Listener %s (%s, port %d) has %d of %d connections.", l.Name, l.Type, l.Port, l.Active, limit)
		}
	}
	if used, size := r.sum("lobby_connections"), r.sum("lobby_size"); size > 0 && used*10 >= size*9 {
		add(danger, "The lobby is nearly full: %d of %d connections have sent no CONNECT.", used, size)
	}
	if held := r.sum("publishers_held"); held > 0 {
		add(warning, "Congestion: %d publishers are not read until a loop has caught up.", held)
	}
	for i, l := range n.Loops {
		if l.Busy >= 90 {
			add(warning, "Loop %d is busy %.0f %% of the time.", i, l.Busy)
		}
	}
	for _, x := range []struct{ name, level, text string }{
		{"accept_errors", danger, "Connections could not be accepted %d times in the last minute: descriptors or memory ran out."},
		{"panics_contained", danger, "Faults in the broker ended connections %d times in the last minute; see the crash log."},
	} {
		if d := now.values[x.name] - min(before.values[x.name], now.values[x.name]); d > 0 {
			add(x.level, x.text, d)
		}
	}
	for _, l := range n.Limits {
		if e, ok := explained[l.Name]; ok && l.Lately > 0 {
			add(e.level, "%s, %d times in the last minute: %s.", l.Name, l.Lately, e.text)
		}
	}
	rank := map[string]int{danger: 0, warning: 1, info: 2}
	slices.SortStableFunc(out, func(a, b issue) int { return rank[a.Level] - rank[b.Level] })
	return out
}
