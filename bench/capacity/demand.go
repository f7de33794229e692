package capacity

import (
	"fmt"
	"math"

	"vernemq/tuning"
)

// Demand is what a broker is to do.
type Demand struct {
	Connections   int64   `json:"connections"`
	TLS           bool    `json:"tls,omitempty"` // all of them
	Rate          float64 `json:"rate"`          // messages published per second; 0: none
	Fanout        float64 `json:"fanout"`        // deliveries of each
	Payload       int64   `json:"payload"`
	QoS           int     `json:"qos"`
	Subscriptions int64   `json:"subscriptions"`
	Queued        int64   `json:"queued"`     // messages that wait for clients that are away
	KeepAlive     int64   `json:"keep_alive"` // seconds; 0: clients do not ping
}

// The most that can be asked for.
const (
	maxRate          = 1e9 // messages per second, in and out
	maxPayload       = 268_435_455
	maxSubscriptions = 10_000_000_000
	maxKeepAlive     = 65_535
)

// Check refuses what makes no sense and names the limit.
func (d *Demand) Check() error {
	bad := func(what string, v any, limit string) error {
		return fmt.Errorf("cannot plan for %s %v: %s", what, v, limit)
	}
	switch {
	case d.Connections < 1 || d.Connections > tuning.MaxConnections:
		return bad("connections", d.Connections, fmt.Sprintf("1 to %d", tuning.MaxConnections))
	case math.IsNaN(d.Rate) || d.Rate < 0 || d.Rate > maxRate:
		return bad("rate", d.Rate, "more than 0, at most 1e9 messages per second")
	case math.IsNaN(d.Fanout) || d.Fanout < 0 || d.Fanout > float64(d.Connections):
		return bad("fanout", d.Fanout, fmt.Sprintf("0 to the connections (%d)", d.Connections))
	case d.Rate*d.Fanout > maxRate:
		return bad("rate × fanout", d.Rate*d.Fanout, "at most 1e9 deliveries per second")
	case d.Payload < 0 || d.Payload > maxPayload:
		return bad("payload", d.Payload, fmt.Sprintf("0 to %d bytes, the most that MQTT has", maxPayload))
	case d.QoS < 0 || d.QoS > 2:
		return bad("QoS", d.QoS, "0, 1 or 2")
	case d.Subscriptions < 0 || d.Subscriptions > maxSubscriptions:
		return bad("subscriptions", d.Subscriptions, fmt.Sprintf("0 to %d", int64(maxSubscriptions)))
	case d.Queued < 0 || d.Queued > maxSubscriptions:
		return bad("queued messages", d.Queued, fmt.Sprintf("0 to %d", int64(maxSubscriptions)))
	case d.KeepAlive < 0 || d.KeepAlive > maxKeepAlive:
		return bad("keep alive", d.KeepAlive, fmt.Sprintf("0 to %d seconds", maxKeepAlive))
	}
	return nil
}

// pings is PINGREQs in a second: at most one for each client and keep alive,
// fewer when clients send something else.
func (d *Demand) pings() float64 {
	if d.KeepAlive == 0 {
		return 0
	}
	return float64(d.Connections) / float64(d.KeepAlive)
}

// host is what the demand wants of a host's kernel.
func (d *Demand) host() tuning.Plan {
	p := tuning.Plan{Connections: d.Connections}
	if d.TLS {
		p.Secured = d.Connections
	}
	return p
}
