package server

import (
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"vernemq/server/metrics"
)

// observed is what the broker tells of itself.
type observed struct {
	registry      *metrics.Registry
	system        *metrics.System
	retainedBytes atomic.Int64
}

// Estimates for what nobody measures, in bytes.
const (
	filterSize  = 185 // of a filter in the index
	sessionSize = 330 // of a client
)

// observe begins to measure. The loops do not run yet.
func (b *Broker) observe() {
	sets := make([]*metrics.Set, len(b.loops))
	for i, l := range b.loops {
		sets[i] = &l.metrics
	}
	b.registry, b.system = metrics.New(sets), metrics.NewSystem()
	b.registry.Source(b.system.Emit)
	b.registry.Source(b.emitReactor)
	b.registry.Source(b.emitTables)
	b.registry.Source(b.emitListeners)
	b.registry.Source(b.emitLoops)
	b.observeStore()
	b.observePlugins()
}

// Metrics are all metrics of the node. Counters of the loops are up to a
// second old.
func (b *Broker) Metrics() *metrics.Registry { return b.registry }

// System is what is known of the process.
func (b *Broker) System() *metrics.System { return b.system }

func limit(name string) metrics.Label { return metrics.Label{Key: "limit", Value: name} }

func (b *Broker) emitReactor(emit metrics.Emit) {
	s := b.reactor.Stats()
	emit("socket_open", s.Accepted)
	emit("socket_close", s.Closed)
	emit("socket_close_timeout", s.LobbyTimeouts)
	emit("socket_error", s.TransportErrors)
	emit("bytes_received", s.BytesIn)
	emit("bytes_sent", s.BytesOut)
	emit("system_io_in", s.BytesIn)
	emit("system_io_out", s.BytesOut)
	emit("lobby_connections", s.Lobby)
	emit("lobby_size", uint64(b.config.Load().LobbySize))
	emit("lobby_garbage", s.LobbyGarbage)
	emit("accept_errors", s.AcceptErrors)
	emit("slow_consumers", s.Full)
	emit("panics_contained", s.Panics)
	emit("socket_reads", s.Reads)
	emit("socket_writes", s.Writes)
	emit("limits_hit", s.ListenerFull, limit("max_connections"))
	emit("limits_hit", s.LobbyEvicted, limit("lobby_size"))
	emit("limits_hit", s.LobbyTimeouts, limit("mqtt_connect_timeout"))
	emit("limits_hit", s.SendTimeouts, limit("send_timeout"))
	emit("limits_hit", s.Full, limit("send_buffer_limit"))
}

func (b *Broker) emitTables(emit metrics.Emit) {
	subscriptions, sessions := 0, 0
	for _, l := range b.loops {
		subscriptions += l.metrics.Level(metrics.Subscriptions)
		sessions += l.metrics.Level(metrics.Sessions)
	}
	router := uint64(b.index.Len()*filterSize + subscriptions*int(unsafe.Sizeof(subscription{})))
	retained := uint64(max(b.retainedBytes.Load(), 0))
	emit("router_memory", router)
	emit("retain_messages", uint64(b.retained.Len()))
	emit("retain_memory", retained)
	emit("vm_memory_ets", router+retained+uint64(sessions*sessionSize))
	emit("vm_memory_binary", retained+b.inboxBytes())
}

func (b *Broker) inboxBytes() (n uint64) {
	for _, l := range b.loops {
		n += uint64(max(l.bytes.Load(), 0))
	}
	return n
}

func (b *Broker) emitListeners(emit metrics.Emit) {
	mqtt, ws := uint64(0), uint64(0)
	for _, s := range b.ShowListeners() {
		labels := []metrics.Label{{Key: "listener", Value: s.Config.Name}, {Key: "type", Value: s.Type()}}
		emit("listener_connections", uint64(s.Active), labels...)
		emit("listener_max_connections", uint64(max(s.Config.MaxConnections, 0)), labels...)
		emit("listener_accepted", s.Total, labels...)
		up := uint64(1)
		if s.Suspended {
			up = 0
		}
		emit("listener_up", up, labels...)
		if s.Config.WebSocket != nil {
			ws += uint64(s.Active)
		} else {
			mqtt += uint64(s.Active)
		}
	}
	emit("active_mqtt_connections", mqtt)
	emit("active_mqttws_connections", ws)
	emit("total_active_connections", mqtt+ws)
}

func (b *Broker) emitLoops(emit metrics.Emit) {
	for i, l := range b.loops {
		label := metrics.Label{Key: "loop", Value: strconv.Itoa(i)}
		emit("loop_inbox_messages", uint64(l.inbox.Len()), label)
		emit("loop_inbox_bytes", uint64(max(l.bytes.Load(), 0)), label)
	}
}

// publishMetrics makes the loop's counters visible, with the levels of now.
func (l *loop) publishMetrics() {
	congested := 0
	for m := l.congested; m != 0; m &= m - 1 {
		congested++
	}
	l.metrics.Put(metrics.Sessions, l.clients.used)
	l.metrics.Put(metrics.HeldPublishers, len(l.held))
	l.metrics.Put(metrics.CongestedLoops, congested)
	l.metrics.Publish()
}

// countPresence counts clients that are connected. A connection may end before
// it was counted.
func (c *client) countPresence(online bool) {
	if online == c.online {
		return
	}
	c.online = online
	if online {
		c.loop.metrics.Add(metrics.SessionsOnline, 1)
	} else {
		c.loop.metrics.Add(metrics.SessionsOnline, -1)
	}
}

// Woken and Flushed measure the loop's turns.
func (l *loop) Woken(now time.Time) { l.metrics.Begin(now) }

// Flushed ends a turn.
func (l *loop) Flushed(now time.Time) { l.metrics.End(now) }
