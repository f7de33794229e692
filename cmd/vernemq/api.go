package main

import (
	"context"
	"errors"
	"net/http"

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
			Handler: whileEnabled(b, "vmq_http_pub", counted(b, guarded(func(k httpapi.Keys) http.Handler { return httpapi.Publish(b.Publisher(), k, publishOptions) })))},
	}
}

// publishOptions are those of the listener that a request came by.
func publishOptions(r *http.Request) httpapi.PublishOptions {
	if li := web.ListenerOf(r); li != nil {
		return httpapi.PublishOptions(li.Publish)
	}
	return httpapi.PublishOptions{}
}

// whileEnabled serves as long as a plugin is enabled.
func whileEnabled(b *server.Broker, plugin string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.Plugin(plugin) == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		h.ServeHTTP(w, r)
	})
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
		return admin.AlreadyStarted(o.Port)
	}
	cfg := d.config()
	name, place, options := o.Settings()
	li, err := cfg.NewHTTPListener(o.Transport, name, place, options)
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
		return d.end(ctx, li)
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
		return d.end(ctx, li)
	}
	return d.Listeners.Delete(ctx, address, port)
}

// end ends a listener. Requests that it does not answer soon are cut: the one
// that asks for its end may be among them.
func (d doors) end(ctx context.Context, li *web.Listener) error {
	ctx, cancel := context.WithTimeout(ctx, httpStopTimeout)
	defer cancel()
	err := d.m.http.Close(ctx, li)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}
