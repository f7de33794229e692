package http

import (
	"context"
	"net/http"
)

// access is what a request needs to be let in.
type access struct {
	check KeyCheck
	scope string
}

type accessKey struct{}

// guard lets requests in that have an API key, where the listener asks for one.
func (s *Server) guard(m Module, asks bool) http.Handler {
	limit := m.MaxBody
	if limit == 0 {
		limit = defaultBody
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		if asks {
			r = r.WithContext(context.WithValue(r.Context(), accessKey{}, access{s.check, m.Scope}))
			if !m.OwnAuth && !Permitted(r) {
				Refuse(w)
				return
			}
		}
		m.Handler.ServeHTTP(w, r)
	})
}

// Permitted tells whether a request has the API key that its module asks for
// on this listener, if it does: as the user of Basic authentication, or, where
// there is no Authorization header at all, in x-api-key.
func Permitted(r *http.Request) bool {
	a, asks := r.Context().Value(accessKey{}).(access)
	if !asks {
		return true
	}
	key, _, basic := r.BasicAuth()
	if !basic && r.Header.Get("Authorization") == "" {
		key = r.Header.Get("X-Api-Key")
	}
	return key != "" && a.check != nil && a.check(key, a.scope)
}

// Refuse answers a request that is not permitted.
func Refuse(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Authorization realm="VerneMQ"`)
	w.WriteHeader(http.StatusUnauthorized)
}
