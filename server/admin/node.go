package admin

import (
	"context"
	"time"
)

// Node is the process that the commands work on. Fields that are nil are parts
// that it does not have.
type Node struct {
	Name    string
	Version string
	Base    string // directory that relative paths start from
	// Broker gives the broker; nil while it is stopped.
	Broker   func() *Broker
	Life     Life
	Settings Settings
	Keys     Keys
	Log      Log
	Cluster  Cluster
	Now      func() time.Time // time.Now if nil
}

// Life starts and stops the broker within the process.
type Life interface {
	Start(context.Context) error
	Stop(context.Context) error
}

// Settings are the settings of the node.
type Settings interface {
	// Known tells that there is a setting of a name, Live that it may change
	// while the node runs.
	Known(key string) bool
	Live(key string) bool
	// Inert says why a setting has no effect, empty if it has.
	Inert(key string) string
	// Check tells what is wrong with a value, empty if nothing.
	Check(key, value string) string
	// Set changes settings, all of them or none, until the node ends.
	Set(context.Context, map[string]string) error
	// Reset takes back what Set did to a setting, or to all with an empty key.
	Reset(ctx context.Context, key string) error
	// Value is what holds now: int64 or string; nil when it has no value.
	Value(key string) any
	// Origin says where the value comes from.
	Origin(key string) Origin
	// Doc is the documentation of a setting.
	Doc(key string) string
	// Group are the names of the settings of an application of VerneMQ.
	Group(app string) (keys []string, ok bool)
}

// Origin is where the value of a setting comes from: "default", "set",
// "environment", FILE:LINE, or the option that gave it.
type Origin string

// SetOrigin is the origin of what was set while the node runs.
const SetOrigin Origin = "set"

// Keys are the keys of the HTTP interfaces. The errors are in words of the
// reference, such as key_already_exists.
type Keys interface {
	Create(scope string, expires time.Time) (key string, err error)
	Add(key, scope string, expires time.Time) error
	Delete(key, scope string) error
	List() []Key
}

// Key is an API key as it may be shown.
type Key struct {
	Shown   string // enough to recognise it
	Scope   string
	Expires time.Time // zero: never
}

// Scopes are what a key may be for.
var Scopes = []string{"status", "mgmt", "metrics", "health", "api2", "httppub"}

// Log is the log of the node.
type Log interface {
	Loggers() []Logger
	// SetLevel changes the level of a logger; found is false if there is none of
	// that name.
	SetLevel(logger, level string) (found bool, err error)
}

// Logger is one place to which the log goes.
type Logger struct {
	Name  string // console, consolefile, default, crash, syslog
	Level string
	Type  string // file, standard_io
	File  string // empty if it is none
}

// Levels are those of a log.
var Levels = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency", "all", "none"}

// Cluster is what the node knows of the others.
type Cluster interface {
	// Members are all nodes, this one included, and whether this one reaches
	// them.
	Members() []Member
	// Join makes the node a member of another one's cluster. The error is the
	// reason why not, such as self_join, not_reachable, non_empty_node.
	Join(ctx context.Context, node string) error
	// Leave takes a member out. report is told how it goes on.
	Leave(ctx context.Context, node string, o LeaveOptions, report func(string)) error
	// History is empty_state, existing_state or not_swc.
	History() string
	// Synced tells for each partition of the replicated data whether it was
	// synchronised once.
	Synced() ([]Partition, error)
	FlagSynced() error
}

// Member is a node of the cluster.
type Member struct {
	Node    string
	Running bool
}

// LeaveOptions say how a node leaves.
type LeaveOptions struct {
	Kill            bool // end its sessions and move their queues
	SummaryInterval time.Duration
	Timeout         time.Duration
}

// Partition is a part of the replicated data.
type Partition struct {
	Name   string
	Synced bool
}

func (n *Node) now() time.Time {
	if n.Now != nil {
		return n.Now()
	}
	return time.Now()
}

// broker gives the broker, or the answer of a command that needs it.
func (c *Call) broker() (*Broker, error) {
	if b := c.Node.Broker(); b != nil {
		return b, nil
	}
	return nil, refuse("broker stopped")
}
