package admintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vernemq/server/admin"
)

// Listeners are some listeners.
type Listeners struct{ list []admin.Listener }

func newListeners() *Listeners {
	return &Listeners{[]admin.Listener{
		{Type: "vmq", Address: "127.0.0.1", Port: 44053, MaxConnections: 100000},
		{Type: "mqtt", Address: "127.0.0.1", Port: 21883, MaxConnections: 100000, Active: 7, All: 9, MQTT: &admin.MQTTListener{Versions: []byte{3, 4, 5}}},
		{Type: "mqtt", Address: "local:/run/mqtt.sock", MaxConnections: 10, MQTT: &admin.MQTTListener{Versions: []byte{4}, Anonymous: true}},
		{Type: "http", Address: "127.0.0.1", Port: 8888, MaxConnections: 100000},
		{Type: "mqtts", Address: "127.0.0.1", Port: 21887, Suspended: true, MQTT: &admin.MQTTListener{Versions: []byte{3, 4}},
			TLS: &admin.TLSListener{Version: "tlsv1.2", CertFile: "/etc/c.pem", CAFile: "/etc/ca.pem", KeyFile: "/etc/k.pem", RequireCertificate: true}},
	}}
}

// List gives them.
func (l *Listeners) List() []admin.Listener { return slices.Clone(l.list) }

func (l *Listeners) at(address string, port int) int {
	return slices.IndexFunc(l.list, func(x admin.Listener) bool { return x.Address == address && x.Port == port })
}

// Start adds one.
func (l *Listeners) Start(_ context.Context, o *admin.ListenerOptions) error {
	if o.Port == 1 {
		return errors.New("eaddrinuse")
	}
	if l.at(o.Address, o.Port) >= 0 {
		return errors.New("{already_started,<0.432.0>}")
	}
	mountpoint := ""
	if o.Mountpoint != nil {
		mountpoint = *o.Mountpoint
	}
	l.list = append(l.list, admin.Listener{Type: o.Transport, Address: o.Address, Port: o.Port, Mountpoint: mountpoint, MaxConnections: o.MaxConnections,
		MQTT: &admin.MQTTListener{Versions: o.Versions, Anonymous: o.Options["allow_anonymous_override"] == "true"}})
	return nil
}

// Stop suspends or removes one.
func (l *Listeners) Stop(ctx context.Context, address string, port int, kill bool) error {
	if kill {
		return l.Delete(ctx, address, port)
	}
	i := l.at(address, port)
	if i < 0 {
		return admin.ErrNotFound
	}
	l.list[i].Suspended = true
	return nil
}

// Restart resumes one.
func (l *Listeners) Restart(_ context.Context, address string, port int) error {
	i := l.at(address, port)
	if i < 0 {
		return admin.ErrNotFound
	}
	l.list[i].Suspended = false
	return nil
}

// Delete removes one.
func (l *Listeners) Delete(_ context.Context, address string, port int) error {
	i := l.at(address, port)
	if i < 0 {
		return admin.ErrNotFound
	}
	l.list = slices.Delete(l.list, i, i+1)
	return nil
}

func (l *Listeners) suspend(context.Context) error {
	for i := range l.list {
		l.list[i].Suspended = l.list[i].Suspended || l.list[i].MQTT != nil
	}
	return nil
}

// Plugins are some plugins.
type Plugins struct{ list, known []admin.Plugin }

func newPlugins() *Plugins {
	hook := func(module, name string, arity int) admin.Hook {
		return admin.Hook{Name: name, Function: fmt.Sprintf("%s:%s/%d", module, name, arity), Internal: name == "change_config"}
	}
	acl := admin.Plugin{Name: "vmq_acl", Hooks: []admin.Hook{hook("vmq_acl", "change_config", 1), hook("vmq_acl", "auth_on_publish", 6), hook("vmq_acl", "auth_on_subscribe", 3)}}
	passwd := admin.Plugin{Name: "vmq_passwd", Hooks: []admin.Hook{hook("vmq_passwd", "auth_on_register", 5)}}
	return &Plugins{list: []admin.Plugin{
		{Name: "vmq_swc", Internal: true, Hooks: []admin.Hook{hook("vmq_swc_plugin", "metadata_put", 3)}},
		{Name: "vmq_config", Module: true, Internal: true, Hooks: []admin.Hook{hook("vmq_config", "change_config", 1)}},
		acl, passwd, {Name: "vmq_bridge"}}, known: []admin.Plugin{acl, passwd}}
}

// List gives those that run.
func (p *Plugins) List() []admin.Plugin { return p.list }

// Enable starts one.
func (p *Plugins) Enable(_ context.Context, name, _ string) error {
	named := func(x admin.Plugin) bool { return x.Name == name }
	if slices.ContainsFunc(p.list, named) {
		return errors.New("already_enabled")
	}
	i := slices.IndexFunc(p.known, named)
	if i < 0 {
		return errors.New("plugin_not_found")
	}
	p.list = append(p.list, p.known[i])
	return nil
}

// Disable stops one.
func (p *Plugins) Disable(_ context.Context, name string) error {
	n := len(p.list)
	if p.list = slices.DeleteFunc(p.list, func(x admin.Plugin) bool { return x.Name == name }); len(p.list) == n {
		return errors.New("plugin_not_found")
	}
	return nil
}

// EnableModule knows no module.
func (p *Plugins) EnableModule(_ context.Context, m admin.Module) error {
	return fmt.Errorf("{unknown_module,%s}", m.Module)
}

// DisableModule knows none either.
func (p *Plugins) DisableModule(context.Context, admin.Module) error {
	return errors.New("plugin_not_found")
}

// Metrics are some metrics.
type Metrics struct{ reset bool }

// Each yields them.
func (m *Metrics) Each(yield func(*admin.Metric) bool) {
	for _, x := range []admin.Metric{
		{Kind: "counter", Name: "mqtt_connack_sent", Description: "The number of CONNACK packets sent.", Labels: map[string]string{"mqtt_version": "4", "return_code": "success"}, Value: 3},
		{Kind: "counter", Name: "mqtt_connack_sent", Description: "The number of CONNACK packets sent.", Labels: map[string]string{"mqtt_version": "5", "reason_code": "success"}, Value: 4},
		{Kind: "gauge", Name: "retain_messages", Description: "The number of retained messages.", Value: 6},
		{Kind: "histogram", Name: "storage_read_microseconds", Description: "Time of reads.", Histogram: &admin.Histogram{
			Buckets: []admin.Bucket{{Bound: 10, Count: 1}, {Bound: 100, Count: 5}}, Count: 7, Sum: 900}},
	} {
		if m.reset && x.Kind == "counter" {
			x.Value = 0
		}
		if !yield(&x) {
			return
		}
	}
}

// Reset sets counters to 0.
func (m *Metrics) Reset() { m.reset = true }

type certificates struct{}

func (certificates) Certificates() []admin.Certificate {
	day := 24 * time.Hour
	return []admin.Certificate{
		{File: "/etc/good.pem", NotBefore: Now.Add(-day), NotAfter: Now.Add(100 * day), CN: "good", Issuer: "ca", SAN: "DNS:good"},
		{File: "/etc/soon.pem", NotBefore: Now.Add(-day), NotAfter: Now.Add(day), CN: "soon", Issuer: "ca"},
		{File: "/etc/later.pem", NotBefore: Now.Add(day), NotAfter: Now.Add(100 * day), CN: "later", Issuer: "ca"},
	}
}

func (certificates) Reload(context.Context) error { return nil }

type webhooks struct{ list []admin.Webhook }

func (*webhooks) Hooks() []string         { return []string{"auth_on_register", "auth_on_publish"} }
func (w *webhooks) List() []admin.Webhook { return w.list }

func (w *webhooks) at(hook, endpoint string) int {
	return slices.IndexFunc(w.list, func(x admin.Webhook) bool { return x.Hook == hook && x.Endpoint == endpoint })
}

func (w *webhooks) Register(_ context.Context, x admin.Webhook) error {
	if w.at(x.Hook, x.Endpoint) >= 0 {
		return errors.New("already_registered")
	}
	w.list = append(w.list, x)
	return nil
}

func (w *webhooks) Deregister(_ context.Context, hook, endpoint string) error {
	i := w.at(hook, endpoint)
	if i < 0 {
		return admin.ErrNotFound
	}
	w.list = slices.Delete(w.list, i, i+1)
	return nil
}

func (*webhooks) Cache() []admin.CacheStat {
	return []admin.CacheStat{{Stat: "hits", Endpoint: "http://127.0.0.1:9/x", Hook: "auth_on_publish", Value: 12}}
}

func (*webhooks) ResetCache() {}
func (*webhooks) ClearCache() {}

type bridges struct{}

func (bridges) List() []admin.Bridge {
	return []admin.Bridge{{Name: "br0", Endpoint: "127.0.0.1:1889", BufferMax: 100, Dropped: 2}}
}

func (bridges) Restart(context.Context) error { return nil }

type scripts struct{}

func (scripts) List() []admin.Script {
	return []admin.Script{{Path: "share/lua/init.lua"}, {Path: "share/lua/auth.lua", Hooks: []string{"auth_on_register"}, Times: []int64{17}}}
}

func (scripts) Load(string) error   { return nil }
func (scripts) Reload(string) error { return errors.New("syntax error") }
func (scripts) Unload(string) error { return nil }
