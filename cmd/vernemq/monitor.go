package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"vernemq/server"
	"vernemq/server/config"
	"vernemq/server/graphite"
	web "vernemq/server/http"
	"vernemq/server/logging"
	"vernemq/server/metrics"
	"vernemq/server/pki"
	"vernemq/server/status"
	"vernemq/server/systree"
)

// monitor is what tells of the node: HTTP, $SYS and Graphite, on goroutines of
// their own.
type monitor struct {
	http    *web.Server
	ctx     context.Context // until stop
	end     context.CancelFunc
	running sync.WaitGroup
	log     *slog.Logger
}

// httpStopTimeout is how long requests in progress may take when the node
// stops.
const httpStopTimeout = 2 * time.Second

// startMonitor serves the modules of the node beside further ones. keys knows
// the API keys; without it none opens anything.
func startMonitor(b *server.Broker, logs *logging.Log, keys web.KeyCheck, more ...web.Module) (*monitor, error) {
	cfg := b.Config()
	ctx, end := context.WithCancel(context.Background())
	m := &monitor{ctx: ctx, end: end, log: logs.Module("http")}
	st := status.New(status.Node{Name: cfg.NodeName, Version: version, Registry: b.Metrics(), System: b.System(),
		Listeners: func() []status.Listener { return append(httpListeners(m.http), mqttListeners(b)...) }})
	modules := append(more,
		web.MetricsModule(b.Metrics(), cfg.NodeName, func() string { return b.Config().PrometheusNamespace }),
		web.HealthModule(web.Health{Down: func() []string { return down(b) }, Trouble: b.Trouble}),
		st.Module())
	m.http = web.New(modules, keys, m.log)
	b.Metrics().Source(m.emit)
	m.running.Go(func() { st.Run(ctx) })
	m.running.Go(func() {
		systree.Run(ctx, cfg.NodeName, b.Metrics(), func() config.Systree { return b.Config().Systree },
			func(s config.Systree, ms []systree.Message) { b.PublishOwn(s.Mountpoint, s.QoS, s.Retain, ms) })
	})
	p := &graphite.Pusher{Registry: b.Metrics(), Settings: func() config.Graphite { return b.Config().Graphite }, Log: logs.Module("graphite")}
	m.running.Go(func() { p.Run(ctx) })
	for i := range cfg.HTTPListeners {
		if err := m.listen(cfg, &cfg.HTTPListeners[i]); err != nil {
			m.stop()
			return nil, err
		}
	}
	return m, nil
}

func (m *monitor) listen(cfg *config.Config, li *config.HTTPListener) error {
	ctx, end := context.WithCancel(m.ctx)
	secure, err := m.secure(ctx, cfg, li)
	if err != nil {
		end()
		return fmt.Errorf("cannot open listener.%s.%s: %w", li.Transport, li.Name, err)
	}
	opened, err := m.http.Listen(li, secure)
	if err != nil {
		end()
		return err
	}
	opened.OnClose(end)
	return nil
}

// certificateInterval is the time between two looks at the files of an https
// listener.
const certificateInterval = 2 * time.Second

// secure makes the TLS of an https listener, and makes it again when its files
// change, until ctx ends; nil for http.
func (m *monitor) secure(ctx context.Context, cfg *config.Config, li *config.HTTPListener) (*tls.Config, error) {
	if li.TLS == nil {
		return nil, nil
	}
	src, err := pki.Open(li.TLS, "http/1.1")
	if err != nil {
		return nil, err
	}
	m.running.Go(func() {
		src.Run(ctx, certificateInterval, cfg.CRLRefreshInterval, func(err error) {
			if err != nil {
				m.log.Error("cannot take new TLS files, the old ones stay in force", "listener", li.Name, "cause", err.Error())
				return
			}
			m.log.Info("new TLS files are in force", "listener", li.Name)
		})
	})
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return src.Config(), nil }}, nil
}

func (m *monitor) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), httpStopTimeout)
	defer cancel()
	if err := m.http.Stop(ctx); err != nil {
		m.log.Warn("HTTP requests were cut", "cause", err.Error())
	}
	m.end()
	m.running.Wait()
}

func (m *monitor) emit(emit metrics.Emit) {
	emit("http_requests", m.http.Requests())
	for _, li := range m.http.Listeners() {
		emit("http_connections", uint64(li.Active()), metrics.Label{Key: "listener", Value: li.Config.Name})
	}
	emit("build_info", 1, metrics.Label{Key: "version", Value: version})
}

// down gives the types of the MQTT listeners that do not accept.
func down(b *server.Broker) (types []string) {
	for _, s := range b.ShowListeners() {
		if s.Suspended {
			types = append(types, s.Type())
		}
	}
	return types
}

func mqttListeners(b *server.Broker) (out []status.Listener) {
	for _, s := range b.ShowListeners() {
		out = append(out, status.Listener{Type: s.Type(), Name: s.Config.Name, Status: statusOf(s.Suspended), IP: s.Address, Port: s.Port, Mountpoint: s.Config.Mountpoint,
			MaxConns: status.MaxConns(s.Config.MaxConnections), Active: s.Active})
	}
	return out
}

func httpListeners(h *web.Server) (out []status.Listener) {
	for _, li := range h.Listeners() {
		ip, port := web.HostPort(li.Addr)
		out = append(out, status.Listener{Type: li.Config.Transport, Name: li.Config.Name, Status: statusOf(li.Suspended()), IP: ip, Port: port,
			MaxConns: status.MaxConns(li.Config.MaxConnections), Active: li.Active()})
	}
	return out
}

// statusOf is VerneMQ's word for what a listener does.
func statusOf(suspended bool) string {
	if suspended {
		return "suspended"
	}
	return "running"
}
