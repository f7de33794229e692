package http

import (
	"net/http"
	"strconv"
	"strings"
)

// Allows checks the method of a request and whether the client takes a media
// type. It answers OPTIONS, and requests that it does not allow.
func Allows(w http.ResponseWriter, r *http.Request, methods, media string) bool {
	allowed := false
	for _, m := range strings.Split(methods, ", ") {
		allowed = allowed || m == r.Method
	}
	switch {
	case !allowed:
		w.Header().Set("Allow", methods)
		w.WriteHeader(http.StatusMethodNotAllowed)
	case !accepts(r.Header.Values("Accept"), media):
		w.WriteHeader(http.StatusNotAcceptable)
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusOK)
	default:
		return true
	}
	return false
}

// accepts tells whether Accept headers admit a media type. None admit all.
func accepts(headers []string, media string) bool {
	kind, _, _ := strings.Cut(media, "/")
	found := len(headers) == 0
	for _, h := range headers {
		for _, part := range strings.Split(h, ",") {
			name, params, _ := strings.Cut(part, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			if (name == media || name == kind+"/*" || name == "*/*") && weight(params) > 0 {
				found = true
			}
		}
	}
	return found
}

// weight is the q of a media range.
func weight(params string) float64 {
	for _, p := range strings.Split(params, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(k, "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			if err != nil {
				return 0
			}
			return q
		}
	}
	return 1
}
