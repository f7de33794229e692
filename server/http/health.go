package http

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// Health is what the health module asks for.
type Health struct {
	// Down gives the types of the MQTT listeners that do not accept.
	Down func() []string
	// Trouble says why nothing can be stored, "" when all is well. Nil where
	// there is no store.
	Trouble func() string
	// Cluster gives what is wrong with this node's place in its cluster, and
	// whether another node is offline. Nil where there is no cluster.
	Cluster func() (reasons []string, offline bool)
}

type healthy struct {
	Status  string   `json:"status"`
	Reason  string   `json:"reason,omitempty"`
	Reasons []string `json:"reasons,omitempty"`
}

// HealthModule tells load balancers whether the node takes clients.
func HealthModule(h Health) Module {
	return Module{Name: "vmq_health_http", Scope: "health", Paths: []string{"/health", "/health/"}, Handler: h}
}

// ServeHTTP answers any method alike.
func (h Health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := healthy{Status: "OK"}
	switch strings.TrimSuffix(r.URL.Path, "/") {
	case "/health":
		a.Reasons = append(append(h.cluster(), h.listeners()...), h.trouble()...)
	case "/health/ping":
	case "/health/listeners":
		a.Reason = strings.Join(h.listeners(), "")
	case "/health/listeners_full_cluster":
		a.Reasons = h.listeners()
		if h.Cluster != nil {
			if _, offline := h.Cluster(); offline {
				a.Reasons = append(a.Reasons, "At least one node is offline")
			}
		}
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	code := http.StatusOK
	if len(a.Reasons) > 0 || a.Reason != "" {
		a.Status, code = "DOWN", http.StatusServiceUnavailable
	}
	WriteJSON(w, code, a)
}

func (h Health) cluster() []string {
	if h.Cluster == nil {
		return nil
	}
	reasons, _ := h.Cluster()
	return reasons
}

func (h Health) listeners() []string {
	down := slices.Compact(slices.Sorted(slices.Values(h.Down())))
	if len(down) == 0 {
		return nil
	}
	return []string{"Listeners are not ready: [" + strings.Join(down, ",") + "]"}
}

func (h Health) trouble() []string {
	if h.Trouble == nil {
		return nil
	}
	if t := h.Trouble(); t != "" {
		return []string{t}
	}
	return nil
}

// WriteJSON answers with a value as JSON.
func WriteJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body) // a client that has left
}
