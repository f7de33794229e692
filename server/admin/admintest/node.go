// Package admintest has a node that is made of data, for tests of what is built
// on package admin.
package admintest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vernemq/server/admin"
	"vernemq/server/config"
)

// Name is the name of the node.
const Name = "VerneMQ@127.0.0.1"

// Now is the time on the node's clock.
var Now = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// Node is a node with a broker that has some of everything.
type Node struct {
	admin.Node
	Sessions  *Sessions
	Retained  *Retained
	Listeners *Listeners
	Plugins   *Plugins
	Keys      *Keys
	Broker    *admin.Broker
	Stopped   bool // the broker
	Live      *config.Live
}

// New makes a node. The configuration is that of a file.
func New(file string) (*Node, error) {
	l, err := config.Load(file, nil, config.Dirs{})
	if err != nil {
		return nil, err
	}
	n := &Node{Sessions: newSessions(), Retained: newRetained(), Listeners: newListeners(), Plugins: newPlugins(), Keys: &Keys{}, Live: config.NewLive(l)}
	n.Broker = &admin.Broker{Status: figures{}, Sessions: n.Sessions, Retained: n.Retained, Listeners: n.Listeners, Plugins: n.Plugins,
		Metrics: &Metrics{}, Tracer: tracer{}, TLS: certificates{}, Webhooks: &webhooks{}, Bridges: bridges{}, Scripts: scripts{}}
	n.Node = admin.Node{Name: Name, Version: "2.1.2", Broker: n.broker, Life: life{n}, Settings: admin.LiveSettings(n.Live), Keys: n.Keys,
		Log: &logs{level: "info"}, Now: func() time.Time { return Now },
		Cluster: &admin.Single{Node: Name, Suspend: n.Listeners.suspend, End: life{n}.Stop}}
	return n, nil
}

func (n *Node) broker() *admin.Broker {
	if n.Stopped {
		return nil
	}
	return n.Broker
}

type life struct{ *Node }

func (l life) Start(context.Context) error { l.Stopped = false; return nil }
func (l life) Stop(context.Context) error  { l.Stopped = true; return nil }

type figures struct{}

func (figures) Figures(context.Context) (out []admin.Figure) {
	for i, name := range []string{"num_online", "num_offline", "msg_in", "msg_out", "queue_in", "queue_out", "queue_drop",
		"queue_unhandled", "num_subscriptions", "num_retained", "matches_local", "matches_remote"} {
		out = append(out, admin.Figure{Name: name, Value: int64(i)})
	}
	return out
}

type logs struct{ level string }

func (l *logs) Loggers() []admin.Logger {
	return []admin.Logger{{Name: "consolefile", Level: l.level, Type: "file", File: "/log/console.log"}, {Name: "console", Level: "info", Type: "standard_io"}}
}

func (l *logs) SetLevel(logger, level string) (bool, error) {
	if logger != "consolefile" {
		return false, nil
	}
	l.level = level
	return true, nil
}

// Keys are API keys in the clear.
type Keys struct{ list []admin.Key }

// Create makes a key.
func (k *Keys) Create(scope string, expires time.Time) (string, error) {
	key := fmt.Sprintf("KEY%d", len(k.list))
	return key, k.Add(key, scope, expires)
}

// Add adds a key.
func (k *Keys) Add(key, scope string, expires time.Time) error {
	if k.Valid(key, scope) {
		return errors.New("key_already_exists")
	}
	if !expires.IsZero() && expires.Before(Now) {
		return errors.New("invalid_expiry_date")
	}
	k.list = append(k.list, admin.Key{Shown: key, Scope: scope, Expires: expires})
	return nil
}

// Delete deletes a key.
func (k *Keys) Delete(key, scope string) error {
	for i, x := range k.list {
		if x.Shown == key && x.Scope == scope {
			k.list = append(k.list[:i], k.list[i+1:]...)
			return nil
		}
	}
	return errors.New("key_not_found")
}

// List gives the keys.
func (k *Keys) List() []admin.Key { return k.list }

// Valid tells that a key is known.
func (k *Keys) Valid(key, scope string) bool {
	for _, x := range k.list {
		if x.Shown == key && x.Scope == scope {
			return true
		}
	}
	return false
}

type tracer struct{}

func (tracer) Trace(ctx context.Context, o admin.TraceOptions, line func(string) error) error {
	if err := line(fmt.Sprintf("No sessions found for client %q", o.ID)); err != nil {
		return err
	}
	if o.RateMax > 0 {
		<-ctx.Done()
	}
	return nil
}

func (tracer) StopAll() {}
