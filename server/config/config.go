package config

import (
	"net/netip"
	"time"
)

// Config is what a configuration comes to. It is immutable; a change at run
// time makes a new one.
type Config struct {
	NodeName string

	AllowAnonymous             bool
	AllowMultipleSessions      bool
	QueueBalance               bool          // a message goes to one connection of such a session, not to all
	MaxClientIDSize            int           // bytes
	RetryInterval              time.Duration // 0 = never
	PersistentClientExpiration time.Duration // 0 = never
	MaxLastWillDelay           uint32        // seconds; the largest value leaves it to the client
	MaxInflightMessages        int           // 0 = unlimited
	MaxOnlineMessages          int           // -1 = unlimited
	MaxOfflineMessages         int           // -1 = unlimited
	OverrideMaxOnlineMessages  bool
	QueueLIFO                  bool
	UpgradeOutgoingQoS         bool
	SuppressWillOnTakeover     bool
	MaxMessageSize             int           // bytes, 0 = the protocol's limit
	MaxMessageRate             int           // PUBLISH packets per second of a client, 0 = unlimited
	MaxSubscriptionsPerClient  int           // 0 = unlimited
	ExpireRetainCache          time.Duration // between searches for expired retained messages, 0 = never
	TopicMaxDepth              int           // levels
	TopicAliasMaxClient        uint16
	TopicAliasMaxBroker        uint16
	ReceiveMaxClient           uint16
	ReceiveMaxBroker           uint16
	ConnectTimeout             time.Duration
	SharedSubscriptionPolicy   string

	Loops           int // at least 1
	LobbySize       int
	SendBufferLimit int // bytes
	SendTimeout     time.Duration

	StoreDir           string
	StoreSync          bool
	StoreMemory        int64 // bytes, 0 = StoreMemoryPercent counts
	StoreMemoryPercent int
	DiskReserve        int64 // bytes, 0 = none
	StoreRepair        bool  // a damaged store is repaired, not refused

	KeepaliveAsWarning bool
	LogConnects        bool // a line for each client that connects
	LogDisconnects     bool
	Log                Log

	DisconnectUnauthorizedV3 bool // an MQTT 3.1 client whose publish is refused

	Plugins         []Plugin
	PasswordFile    string
	PasswordReload  time.Duration // 0 = never
	ACLFile         string
	ACLReload       time.Duration // 0 = never
	FilesAsked      int           // times that a setting of these two was set at run time, to the same value too
	Webhooks        []Webhook     // by their names
	WebhookSettings WebhookSettings

	Listeners          []Listener
	HTTPListeners      []HTTPListener
	CRLRefreshInterval time.Duration // 0 = never
	MaxFrameSize       int           // of WebSocket, in bytes, 0 = no limit

	PrometheusNamespace string
	Systree             Systree
	Graphite            Graphite

	BaseDir, EtcDir, DataDir, LogDir string

	loaded *Loaded // of which it was made, for listeners to come; nil in tests
}

// Listener is a listener with the options that hold for it.
type Listener struct {
	Transport             string // tcp, ssl, ws or wss
	Name                  string
	Network               string // tcp4, tcp6 or unix
	Address               string // host:port or path
	MaxConnections        int    // 0 = unlimited
	Acceptors             int    // accepted for compatibility
	Mountpoint            string
	AllowedVersions       []byte
	AllowAnonymous        bool     // by its own option or the global one
	AnonymousOverride     bool     // its own option
	AuthPlugins           []string // nil = all plugins
	AuthzPlugins          []string // nil = all plugins
	ForwardConnectionOpts bool
	MaxConnectionLifetime time.Duration
	BufferSizes           [3]int // bytes: send, receive, the loop's read buffer; 0 = the kernel's
	NoDelay               bool
	KeepAlive             bool // of TCP

	TLS       *TLS       // nil without TLS
	WebSocket *WebSocket // nil without WebSocket
	Proxy     bool       // the PROXY header comes first
	ProxyCN   bool       // the common name that it tells is the user name
}

// WebSocket are the options of a listener that concern WebSocket.
type WebSocket struct {
	MaxLine   int // of a request, in bytes
	MaxValue  int // of a header field, in bytes
	Forwarded bool
	Trusted   []netip.Addr // proxies that are believed
	CNField   string       // header field whose value is the user name, "" for none
}

// Plugin is a plugin that is enabled.
type Plugin struct {
	Name        string
	Dir         string // of its files
	Priority    int
	HasPriority bool
}

// Webhook is an endpoint of vmq_webhooks.
type Webhook struct {
	Hook, Endpoint  string
	Base64          bool
	NoPayload       bool
	ResponseTimeout time.Duration
}

// WebhookSettings are those of all webhooks.
type WebhookSettings struct {
	MaxConnections                 int
	IdleTimeout                    time.Duration
	CAFile                         string // "" = the system's certificates
	CertFile, KeyFile, KeyPassword string
	TLSVersion                     string
	SkipVerify                     bool
	Depth                          int
}
