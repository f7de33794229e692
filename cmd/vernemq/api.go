package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"vernemq/server"
	"vernemq/server/admin"
	"vernemq/server/admin/httpapi"
	"vernemq/server/config"
	web "vernemq/server/http"
)

// modules are the HTTP modules through which the node is administered.
func (n *life) modules(b *server.Broker) []web.Module {
	return []web.Module{
		{Name: "vmq_http_mgmt_api", Scope: "mgmt", Paths: []string{"/api/v1", "/api/v1/"}, OwnAuth: true,
			Handler: guarded(func(k httpapi.Keys) http.Handler { return httpapi.Management(n.node, k) })},
		{Name: "vmq_http_v2_api", Scope: "api2", Paths: []string{"/api/v2/"}, OwnAuth: true,
			Handler: guarded(func(k httpapi.Keys) http.Handler { return httpapi.Clients(n.node, k) })},
		{Name: "vmq_http_pub", Scope: "httppub", Paths: []string{"/restmqtt/api/v1/publish"}, OwnAuth: true, MaxBody: 256 << 20,
			Handler: counted(b, guarded(func(k httpapi.Keys) http.Handler { return httpapi.Publish(b.Publisher(), k, n.publishOptions()) }))},
	}
}

// publishOptions are the settings about publishing over HTTP.
func (n *life) publishOptions() httpapi.PublishOptions {
	l := n.live.Current()
	text := func(key string) string {
		s, _ := l.Value(key).(string)
		return s
	}
	return httpapi.PublishOptions{Mountpoint: text("vmq_http_pub.mountpoint"), Predefined: text("vmq_http_pub.mqtt_auth.mode") == "predefined", ClientID: text("vmq_http_pub.mqtt_auth.client_id"),
		User: text("vmq_http_pub.mqtt_auth.user"), Password: text("vmq_http_pub.mqtt_auth.password")}
}

// counted counts what becomes of messages that are published over HTTP.
func counted(b *server.Broker, h http.Handler) http.Handler {
	b.Metrics().Run("vmq_http_pub")
	published, wrong, refused := b.Metrics().Counter("http_pub_published"), b.Metrics().Counter("http_pub_api_error"), b.Metrics().Counter("http_pub_auth_error")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(x, r)
		switch x.status {
		case http.StatusOK:
			published.Inc()
		case http.StatusUnauthorized, http.StatusForbidden:
			refused.Inc()
		default:
			wrong.Inc()
		}
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// noKeys opens nothing.
type noKeys struct{}

func (noKeys) Valid(string, string) bool { return false }

// guarded makes a handler that lets in who the listener has let in, and refuses
// others at the moment that it finds right.
func guarded(handler func(httpapi.Keys) http.Handler) http.Handler {
	open, shut := handler(nil), handler(noKeys{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if web.Permitted(r) {
			open.ServeHTTP(w, r)
		} else {
			shut.ServeHTTP(w, r)
		}
	})
}

// doors are the listeners for MQTT and for HTTP.
type doors struct {
	admin.Listeners
	m      *monitor
	config func() *config.Config
}

// List shows all listeners.
func (d doors) List() []admin.Listener {
	out := d.Listeners.List()
	for _, li := range d.m.http.Listeners() {
		ip, port := web.HostPort(li.Addr)
		x := admin.Listener{Type: li.Config.Transport, Suspended: li.Suspended(), Address: ip, Port: port,
			MaxConnections: li.Config.MaxConnections, Active: li.Active(), All: int64(li.Total())}
		if t := li.Config.TLS; t != nil {
			x.TLS = &admin.TLSListener{Version: t.Versions(), CertFile: t.CertFile, CAFile: t.CAFile, KeyFile: t.KeyFile, RequireCertificate: t.RequireCertificate}
		}
		out = append(out, x)
	}
	return out
}

// at finds an HTTP listener.
func (d doors) at(address string, port int) *web.Listener {
	for _, li := range d.m.http.Listeners() {
		if ip, p := web.HostPort(li.Addr); ip == address && p == port {
			return li
		}
	}
	return nil
}

// Start opens a listener, until the process ends or it is stopped.
func (d doors) Start(ctx context.Context, o *admin.ListenerOptions) error {
	if o.Transport != "http" && o.Transport != "https" {
		return d.Listeners.Start(ctx, o)
	}
	if d.at(o.Address, o.Port) != nil {
		return server.ErrListenerExists
	}
	options := maps.Clone(o.Options)
	options["max_connections"] = "infinity"
	if o.MaxConnections > 0 {
		options["max_connections"] = strconv.Itoa(o.MaxConnections)
	}
	cfg, place := d.config(), fmt.Sprintf("%s:%d", o.Address, o.Port)
	li, err := cfg.NewHTTPListener(o.Transport, strings.NewReplacer(".", "_", ":", "_").Replace(place), place, options)
	if err != nil {
		return err
	}
	if err := d.m.listen(cfg, &li); err != nil {
		return errors.New(server.Reason(err))
	}
	return nil
}

// Stop suspends a listener, or ends it.
func (d doors) Stop(ctx context.Context, address string, port int, kill bool) error {
	li := d.at(address, port)
	switch {
	case li == nil:
		return d.Listeners.Stop(ctx, address, port, kill)
	case kill:
		return d.m.http.Close(ctx, li)
	}
	li.Suspend()
	return nil
}

// Restart accepts again.
func (d doors) Restart(ctx context.Context, address string, port int) error {
	if li := d.at(address, port); li != nil {
		li.Resume()
		return nil
	}
	return d.Listeners.Restart(ctx, address, port)
}

// Delete ends a listener.
func (d doors) Delete(ctx context.Context, address string, port int) error {
	if li := d.at(address, port); li != nil {
		return d.m.http.Close(ctx, li)
	}
	return d.Listeners.Delete(ctx, address, port)
}
