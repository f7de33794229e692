// Package httpapi serves the commands of package admin, and publishing, over
// HTTP: handlers for /api/v1/, /api/v2/ and /restmqtt/api/v1/publish (reference:
// HTTP API). Who listens, and where, is somebody else's matter.
package httpapi

import (
	"net/http"
	"strings"
)

// Keys knows API keys.
type Keys interface {
	Valid(key, scope string) bool
}

// Guard lets requests in that have a key for a scope. With nil Keys it lets in
// everybody.
type Guard struct {
	Keys  Keys
	Scope string
}

// allows tells whether a request may pass. A key is the user of basic
// authentication or, without an Authorization header, that of x-api-key.
func (g Guard) allows(r *http.Request) bool {
	if g.Keys == nil {
		return true
	}
	key := r.Header.Get("X-Api-Key")
	if _, given := r.Header["Authorization"]; given {
		key, _, _ = r.BasicAuth()
	}
	return g.Keys.Valid(key, g.Scope)
}

// readMethods are those of the APIs that only read.
const readMethods = "GET, OPTIONS, HEAD"

// mayRead answers other methods than those.
func mayRead(w http.ResponseWriter, r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	w.Header().Set("Allow", readMethods)
	w.WriteHeader(http.StatusMethodNotAllowed)
	return false
}

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("Www-Authenticate", `Authorization realm="VerneMQ"`)
	w.WriteHeader(http.StatusUnauthorized)
}

// preflight answers OPTIONS.
func preflight(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Max-Age", "1728000")
	h.Set("Access-Control-Allow-Methods", "HEAD, GET")
	h.Set("Access-Control-Allow-Headers", "content-type, authorization")
	h.Set("Access-Control-Allow-Origin", "*")
	w.WriteHeader(http.StatusOK)
}

const typeJSON = "application/json"

// acceptsJSON tells that who asks takes JSON.
func acceptsJSON(r *http.Request) bool {
	accept := r.Header.Values("Accept")
	if len(accept) == 0 {
		return true
	}
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, _ := strings.Cut(part, ";")
		q := strings.ReplaceAll(params, " ", "")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case typeJSON, "application/*", "*/*":
			if !strings.Contains(q+";", "q=0;") && !strings.Contains(q+";", "q=0.0;") {
				return true
			}
		}
	}
	return false
}
