// Package status shows what an operator wants to know of a node at a glance: a
// page, and the same as JSON. It reads counters only, so that a million
// sessions cost no more than one.
package status

import (
	"context"
	_ "embed"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	web "vernemq/server/http"
	"vernemq/server/metrics"
)

// Node is what the page is about.
type Node struct {
	Name, Version string
	Registry      *metrics.Registry
	System        *metrics.System
	Listeners     func() []Listener
}

// Listener is a listener as the page shows it.
type Listener struct {
	Type       string `json:"type"`
	Name       string `json:"name"`
	Status     string `json:"status"`
	IP         string `json:"ip"`
	Port       int    `json:"port"`
	Mountpoint string `json:"mountpoint"`
	MaxConns   any    `json:"max_conns"` // a number, or "infinity"
	Active     int64  `json:"active_conns"`
}

// MaxConns is a limit of connections as VerneMQ shows it; 0 is none.
func MaxConns(n int) any {
	if n <= 0 {
		return "infinity"
	}
	return n
}

// Status keeps the recent past of a node.
type Status struct {
	node Node

	mu   sync.Mutex // guards past
	past history
}

// New makes the status of a node. Run fills it.
func New(n Node) *Status { return &Status{node: n} }

// Run measures until ctx ends.
func (s *Status) Run(ctx context.Context) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	s.sample(time.Now())
	next := time.Now().Add(interval)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-every.C:
			s.node.System.Sample(now)
			if !now.Before(next) {
				s.sample(now)
				next = now.Add(interval)
			}
		}
	}
}

func (s *Status) sample(now time.Time) {
	p := newPoint(now, s.node.Registry.Read())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.past.add(p)
}

//go:embed page.html
var page []byte

// Module serves the page and the JSON behind it.
func (s *Status) Module() web.Module {
	return web.Module{Name: "vmq_status_http", Scope: "status", Paths: []string{"/status", "/status/", "/status.json"}, Handler: s}
}

// policy lets the page use nothing from elsewhere.
const policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'self'"

func (s *Status) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch strings.TrimSuffix(r.URL.Path, "/") {
	case "/status.json":
		if only(w, r) {
			web.WriteJSON(w, http.StatusOK, []map[string]*report{{s.node.Name: s.report()}})
		}
	case "/status/history.json":
		if only(w, r) {
			web.WriteJSON(w, http.StatusOK, s.charts())
		}
	case "/status":
		if only(w, r) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", policy)
			w.Header().Set("Content-Length", strconv.Itoa(len(page)))
			_, _ = w.Write(page) // a client that has left
		}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// only lets GET and HEAD through.
func only(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	w.WriteHeader(http.StatusMethodNotAllowed)
	return false
}

// charts is the recent past for the page.
type charts struct {
	Interval float64              `json:"interval"` // seconds between two values
	Series   map[string][]float64 `json:"series"`
}

func (s *Status) charts() charts {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.past
	return charts{interval.Seconds(), map[string][]float64{
		"connect": h.rates("mqtt_connect_received"), "publish_in": h.rates("mqtt_publish_received"), "publish_out": h.rates("mqtt_publish_sent"),
		"drop": h.rates("queue_message_drop"), "online": h.levels("sessions_online"), "waiting": h.levels("queue_messages_waiting"),
		"cpu": h.levels("system_utilization"), "memory": h.levels("vm_memory_total"), "bytes_in": h.rates("bytes_received"), "bytes_out": h.rates("bytes_sent"),
	}}
}
