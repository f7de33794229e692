package server

import (
	"context"
	"errors"
	"net"
	"sync"

	"vernemq/server/admin"
	"vernemq/server/metrics"
)

// listeners are the listeners to an operator.
type listeners struct{ *Broker }

// List shows those that were opened.
func (b listeners) List() (out []admin.Listener) {
	for _, l := range b.Listeners() {
		li := l.Options().Tag.(*listener)
		x := admin.Listener{Type: "mqtt", Mountpoint: li.mountpoint, MaxConnections: l.Options().MaxConnections,
			Active: l.Active(), All: int64(l.Total()),
			MQTT: &admin.MQTTListener{Versions: li.config.AllowedVersions, Anonymous: li.config.AnonymousOverride}}
		switch a := l.Addr().(type) {
		case *net.TCPAddr:
			x.Address, x.Port = a.IP.String(), a.Port
		default:
			x.Address = "local:" + l.Options().Address
		}
		out = append(out, x)
	}
	return out
}

var errNoRunTime = errors.New("not_supported")

// Start, Stop, Restart and Delete: listeners are opened at the start only.
func (listeners) Start(context.Context, *admin.ListenerOptions) error { return errNoRunTime }

func (listeners) Stop(context.Context, string, int, bool) error { return errNoRunTime }

func (listeners) Restart(context.Context, string, int) error { return errNoRunTime }

func (listeners) Delete(context.Context, string, int) error { return errNoRunTime }

// counters are the metrics to an operator.
type counters struct {
	broker *Broker
	mu     sync.Mutex
	zero   map[metrics.Value]uint64 // counts at the latest reset, by the counter without its count
}

// Each yields the counters since the latest reset.
func (c *counters) Each(yield func(*admin.Metric) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.broker.Metrics() {
		m := &admin.Metric{Kind: "counter", Name: v.Name}
		count := v.Count
		if v.Version != "" {
			m.Labels = map[string]string{"mqtt_version": v.Version}
		}
		v.Count = 0
		if m.Value = int64(count - c.zero[v]); !yield(m) {
			return
		}
	}
}

// Reset has the counters begin at 0.
func (c *counters) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.broker.Metrics() {
		count := v.Count
		v.Count = 0
		c.zero[v] = count
	}
}
