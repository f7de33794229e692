// Package bench loads a running MQTT broker and measures what that costs it and
// how long messages take. It never imports the broker.
//
// A runner carries out a scenario by giving commands to engines. An engine is
// a pool of workers in this process, or an agent elsewhere that has such a
// pool. A worker is one goroutine with an epoll descriptor and its own clients.
package bench

import (
	"time"
)

// Kind is how a scenario goes on.
type Kind string

// The kinds.
const (
	Hold      Kind = "hold"      // connect and rest
	TakeOver  Kind = "take-over" // connect, then connect again with the same client ids
	Flow      Kind = "flow"      // messages
	Offline   Kind = "offline"   // messages for subscribers that are away
	Retained  Kind = "retained"  // retained messages, then subscribers
	SlowGroup Kind = "slow"      // messages while some subscribers do not read
	Auth      Kind = "auth"      // connect with user names and passwords
	Secured   Kind = "tls"       // idle clients, the same with resumed sessions, messages beside them
)

// Shape is who receives from whom.
type Shape string

// The shapes.
const (
	Pairs  Shape = "pairs"  // publisher i to subscriber i
	FanIn  Shape = "fanin"  // each subscriber takes its share of the publishers
	FanOut Shape = "fanout" // each subscriber takes every message
	Shared Shape = "shared" // all subscribers share one subscription
)

// Load says what is run, all of it: a result can be repeated from its load.
type Load struct {
	Scenario    string        `json:"scenario"`
	Kind        Kind          `json:"kind"`
	Shape       Shape         `json:"shape,omitempty"`
	Addr        string        `json:"addr"`
	PID         int           `json:"pid,omitempty"`      // of the broker; 0 unknown
	Level       byte          `json:"level"`              // protocol level, 4 or 5
	TLS         *TLS          `json:"tls,omitempty"`      // nil: plain TCP
	Username    string        `json:"username,omitempty"` // as fill says
	Password    string        `json:"-"`
	Wrong       int           `json:"wrong,omitempty"`   // of the clients, that give a wrong password
	Clients     int           `json:"clients,omitempty"` // those without messages
	Publishers  int           `json:"publishers,omitempty"`
	Subscribers int           `json:"subscribers,omitempty"`
	Slow        int           `json:"slow,omitempty"` // subscribers that stop reading
	QoS         byte          `json:"qos"`
	Size        int           `json:"size,omitempty"`       // payload bytes
	Rate        float64       `json:"rate"`                 // messages published per second in all; 0: closed loop
	Window      int           `json:"window,omitempty"`     // closed loop: deliveries under way at once, in all
	Batch       int           `json:"batch,omitempty"`      // closed loop: messages per write
	Inflight    int           `json:"inflight"`             // unacknowledged messages of a publisher
	Persistent  bool          `json:"persistent,omitempty"` // subscribers have sessions that outlive their connection, MQTT 5
	Burst       int           `json:"burst,omitempty"`      // messages per publisher, where that is bounded
	ConnectRate float64       `json:"connect_rate"`         // connections per second; 0: as fast as it goes
	Parallel    int           `json:"parallel"`             // handshakes under way at once
	KeepAlive   int           `json:"keep_alive"`           // seconds
	Warm        time.Duration `json:"warm"`                 // time before measuring
	Duration    time.Duration `json:"duration"`             // time measured
	Timeout     time.Duration `json:"timeout"`              // without any progress
	Workers     int           `json:"workers"`
	Sources     []string      `json:"sources,omitempty"` // local addresses
	Scale       float64       `json:"scale"`
	Step        bool          `json:"step,omitempty"`
	Quantile    float64       `json:"objective_quantile,omitempty"`
	Objective   time.Duration `json:"objective,omitempty"`
}

// connections is how many sockets are open at once at most.
func (l *Load) connections() int {
	n := l.Clients + l.Publishers + l.Subscribers
	if l.Kind == TakeOver {
		n += l.Clients
	}
	return n
}

// fan is the number of deliveries that a message leads to, those to slow
// subscribers aside.
func (l *Load) fan() uint64 {
	if l.Shape == FanOut {
		return uint64(l.Subscribers - l.Slow)
	}
	return 1
}

// messages tells that the load has publishers and subscribers.
func (l *Load) messages() bool { return l.Kind != Hold && l.Kind != TakeOver && l.Kind != Auth }

// plan is what an engine is to do: a load, and the share of its clients that
// are the engine's.
type plan struct {
	Load
	Secret string `json:"secret,omitempty"` // the password, which no report holds
	PEM    *pems  `json:"pem,omitempty"`    // what TLS needs, likewise
	Run    string `json:"run"`              // in client ids and topics
	Share  int    `json:"share"`
	Of     int    `json:"of"`
}
