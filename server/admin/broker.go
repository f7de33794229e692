package admin

import (
	"context"
	"errors"
	"time"
)

// Broker is the running broker. Fields that are nil are parts that it does not
// have.
type Broker struct {
	Status    Status
	Sessions  Sessions
	Retained  Retained
	Listeners Listeners
	Plugins   Plugins
	Metrics   Metrics
	Tracer    Tracer
	TLS       TLS
	Webhooks  Webhooks // nil while the plugin does not run, as the next two
	Bridges   Bridges
	Scripts   Scripts
}

// Status is what a broker says of itself in numbers.
type Status interface {
	// Figures are name and number, in the order of `node status`. Those that take
	// longer than ctx are short.
	Figures(ctx context.Context) []Figure
}

// Figure is one of them.
type Figure struct {
	Name  string
	Value int64
}

// Client names a client.
type Client struct{ Mountpoint, ID string }

// Sessions finds clients and acts on them. A broker without one of them does
// nothing and says so.
type Sessions interface {
	// Each yields the sessions that a scan asks for, in no order, until yield
	// returns false. A client that is there all the time is not missed. What is
	// yielded is valid during the call.
	Each(ctx context.Context, s *Scan, yield func(*Session) bool) error
	// Disconnect ends the connections of a client, and with cleanup its session.
	Disconnect(ctx context.Context, c Client, cleanup bool) (found bool, err error)
	// Unsubscribe ends a subscription. hook also tells the plugins.
	Unsubscribe(ctx context.Context, c Client, filter string, hook bool) (found bool, err error)
	// Reauthorize asks the plugins again about the subscriptions of a client and
	// tells whether that changed any.
	Reauthorize(ctx context.Context, c Client, user string) (changed bool, err error)
}

// Scan is what is asked of sessions.
type Scan struct {
	Details    Details
	ClientID   *string // of this client only
	Mountpoint *string // of this mountpoint only
}

// Details are what costs more than the session itself.
type Details uint8

// The details.
const (
	Connections   Details = 1 << iota // a row for each connection of a client
	Subscriptions                     // a row for each subscription
	References                        // a row for each stored message
	Messages                          // with what the message holds
)

// PID is the name of a queue or connection, in the form of a process of
// VerneMQ.
type PID [3]uint32

// Session is a client, connected or away, as a row of a table.
type Session struct {
	Client
	Queue         PID
	Online        bool
	Balance       bool // a message goes to one connection of several
	Clean         bool // ends with the connection
	Waiting       int  // messages that wait for a connected client
	Stored        int  // messages kept for an absent one
	Connections   int
	Created       int64 // Unix milliseconds
	Connection    PID   // of this row; what follows is valid while Online
	User          string
	HasUser       bool
	PeerHost      string
	PeerPort      uint16
	Protocol      uint8 // 3, 4, 5, 131, 132
	Unacked       int
	Connected     int64 // Unix milliseconds
	Subscription  *Subscription
	StoredMessage *StoredMessage
}

// Subscription is one of a session.
type Subscription struct {
	Filter            string // whole, with $share/...
	QoS               byte
	NoLocal           bool
	RetainAsPublished bool
	HasOptions        bool // the client speaks MQTT 5
}

// StoredMessage is a message kept for an absent client.
type StoredMessage struct {
	Ref     string
	QoS     byte
	Topic   string
	Dup     bool
	Payload []byte
}

// Retained is the index of retained messages.
type Retained interface {
	Each(yield func(mountpoint, topic string, payload []byte) bool)
	Delete(mountpoint, topic string) bool
	DeleteExpired() int
}

// ErrNotFound tells that there is none of a name.
var ErrNotFound = errors.New("not_found")

// Listeners are the listeners. Errors are words of the reference: not_found,
// eaddrinuse, eaddrnotavail, {already_started,PID}.
type Listeners interface {
	List() []Listener
	Start(context.Context, *ListenerOptions) error
	// Stop stops accepting; kill also ends the connections and removes the
	// listener.
	Stop(ctx context.Context, address string, port int, kill bool) error
	Restart(ctx context.Context, address string, port int) error
	Delete(ctx context.Context, address string, port int) error
}

// Listener is one listener.
type Listener struct {
	Type           string // mqtt, mqtts, mqttws, mqttwss, vmq, vmqs, http, https
	Suspended      bool
	Address        string // numeric, or local:PATH
	Port           int
	Mountpoint     string
	MaxConnections int // 0 = no limit
	Active, All    int64
	MQTT           *MQTTListener // nil for other protocols
	TLS            *TLSListener  // nil without TLS
}

// MQTTListener is what only listeners for MQTT have.
type MQTTListener struct {
	Versions  []byte
	Anonymous bool // by its own option
}

// TLSListener is what only listeners with TLS have.
type TLSListener struct {
	Version                        string
	CertFile, CAFile, KeyFile      string
	RequireCertificate, IdentityAs bool
	PSK                            bool
	PSKFile                        string
}

// Plugins are the plugins that run. Errors are words of the reference:
// already_enabled, plugin_not_found.
type Plugins interface {
	// List is in the order in which they were enabled.
	List() []Plugin
	Enable(ctx context.Context, name, path string) error
	Disable(ctx context.Context, name string) error
	// EnableModule and DisableModule are about a single function of a module.
	EnableModule(ctx context.Context, m Module) error
	DisableModule(ctx context.Context, m Module) error
}

// Plugin is one that runs.
type Plugin struct {
	Name     string
	Module   bool // a module, not an application
	Internal bool
	Hooks    []Hook
}

// Hook is a hook that a plugin serves.
type Hook struct {
	Name     string
	Function string // module:function/arity
	Internal bool
}

// Module names a function.
type Module struct {
	Module, Function, Hook string
	Arity                  int
}

// Metrics are the counters, gauges and histograms.
type Metrics interface {
	// Each yields the metrics; those of the same name follow each other.
	Each(yield func(*Metric) bool)
	Reset()
}

// Metric is a metric with the labels of one series.
type Metric struct {
	Kind        string // counter, gauge, histogram
	Name        string
	Description string
	Labels      map[string]string
	Value       int64
	Histogram   *Histogram // of a histogram
}

// Histogram is what a histogram has counted.
type Histogram struct {
	Buckets    []Bucket // upper bounds, ascending, without infinity
	Count, Sum int64
}

// Bucket counts what is not above a bound.
type Bucket struct{ Bound, Count int64 }

// Tracer watches clients.
type Tracer interface {
	// Trace gives the lines of a trace to line until ctx ends, its rate is
	// exceeded or StopAll.
	Trace(ctx context.Context, o TraceOptions, line func(string) error) error
	StopAll()
}

// TraceOptions are those of a trace.
type TraceOptions struct {
	Client
	RateMax      int
	RateInterval time.Duration
	Truncate     int  // bytes of payloads
	Times        bool // lines begin with the time
}

// TLS knows the certificates of the listeners.
type TLS interface {
	Certificates() []Certificate
	// Reload reads the files again.
	Reload(context.Context) error
}

// Certificate is a certificate in a file.
type Certificate struct {
	File                string
	NotBefore, NotAfter time.Time
	CN, Issuer, SAN     string
}

// Webhooks are the endpoints that plugin vmq_webhooks calls. Errors are words
// of the reference: already_registered, not_found.
type Webhooks interface {
	Hooks() []string // that an endpoint may be registered for
	List() []Webhook
	Register(context.Context, Webhook) error
	Deregister(ctx context.Context, hook, endpoint string) error
	Cache() []CacheStat
	ResetCache() // its statistics
	ClearCache()
}

// Webhook is an endpoint of a hook.
type Webhook struct {
	Hook, Endpoint    string
	Base64, NoPayload bool
	Timeout           time.Duration
}

// CacheStat is a figure of the cache.
type CacheStat struct {
	Stat, Endpoint, Hook string // hits, misses, entries
	Value                int64
}

// Bridges are the bridges to other brokers.
type Bridges interface {
	List() []Bridge
	Restart(context.Context) error
}

// Bridge is one of them.
type Bridge struct {
	Name, Endpoint                            string
	BufferSize, BufferMax, Dropped, QueuedOut int64
}

// Scripts are the Lua scripts.
type Scripts interface {
	List() []Script
	Load(path string) error
	Reload(path string) error
	Unload(path string) error
}

// Script is a script with the mean run time of its hooks, in microseconds.
type Script struct {
	Path  string
	Hooks []string
	Times []int64
}
