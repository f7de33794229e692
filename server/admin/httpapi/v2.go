package httpapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"vernemq/server/admin"
)

// v2 is about single clients.
type v2 struct {
	node  *admin.Node
	guard Guard
}

// Clients serves /api/v2/: what a client's state is, and its end.
func Clients(node *admin.Node, keys Keys) http.Handler { return &v2{node, Guard{keys, "api2"}} }

func (h *v2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !mayRead(w, r) {
		return
	}
	switch {
	case !h.guard.allows(r):
		unauthorized(w)
		return
	case r.Method == http.MethodOptions:
		preflight(w)
		return
	case !acceptsJSON(r):
		w.WriteHeader(http.StatusNotAcceptable)
		return
	}
	q := r.URL.Query()
	name := admin.Client{Mountpoint: q.Get("mountpoint"), ID: q.Get("client_id")}
	var body any
	var err error
	switch strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/api/v2/"), "/") {
	case "client":
		body, err = h.state(r, name, bare(q, "topics"))
	case "disconnect":
		body, err = h.disconnect(r, name, q.Has("cleanup"))
	default:
		reply(w, http.StatusBadRequest, "invalid_command")
		return
	}
	if err != nil {
		reply(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	reply(w, http.StatusOK, body)
}

// bare tells that a parameter stands without a value.
func bare(q url.Values, name string) bool { return q.Has(name) && q.Get(name) == "" }

func reply(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", typeJSON)
	w.WriteHeader(status)
	_, _ = w.Write(b) // who asked is gone
}

// state is what is known of a client.
type state struct {
	Status string          `json:"status"`
	Topics map[string]byte `json:"topics,omitempty"`
}

func (h *v2) sessions() (admin.Sessions, error) {
	b := h.node.Broker()
	if b == nil {
		return nil, errStopped
	}
	return b.Sessions, nil
}

type stopped struct{}

func (stopped) Error() string { return "broker stopped" }

var errStopped error = stopped{}

func (h *v2) state(r *http.Request, name admin.Client, topics bool) (*state, error) {
	sessions, err := h.sessions()
	if err != nil || name.ID == "" {
		return &state{Status: "unknown"}, err
	}
	s := &state{Status: "unknown"}
	scan := &admin.Scan{ClientID: &name.ID, Mountpoint: &name.Mountpoint}
	err = sessions.Each(r.Context(), scan, func(x *admin.Session) bool {
		s.Status = "offline"
		if x.Online {
			s.Status = "online"
		}
		return false
	})
	if err != nil || !topics || s.Status == "unknown" {
		return s, err
	}
	s.Topics = map[string]byte{}
	scan.Details = admin.Subscriptions
	err = sessions.Each(r.Context(), scan, func(x *admin.Session) bool {
		s.Topics[x.Subscription.Filter] = x.Subscription.QoS
		return true
	})
	return s, err
}

func (h *v2) disconnect(r *http.Request, name admin.Client, cleanup bool) (string, error) {
	sessions, err := h.sessions()
	if err != nil || name.ID == "" {
		return "not_found", err
	}
	found, err := sessions.Disconnect(r.Context(), name, cleanup)
	if !found {
		return "unknown", err
	}
	return "ok", err
}
