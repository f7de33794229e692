package http

import (
	"bytes"
	"net/http"
	"strconv"

	"vernemq/server/metrics"
)

// MetricsModule is the endpoint that Prometheus reads. namespace is asked for
// each time.
func MetricsModule(r *metrics.Registry, node string, namespace func() string) Module {
	handler := func(w http.ResponseWriter, req *http.Request) {
		if !Allows(w, req, "GET, HEAD, OPTIONS", "text/plain") {
			return
		}
		var b bytes.Buffer
		if err := r.WritePrometheus(&b, namespace(), node); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
		_, _ = w.Write(b.Bytes()) // a client that has left
	}
	return Module{Name: "vmq_metrics_http", Scope: "metrics", Paths: []string{"/metrics", "/metrics/{$}"}, Handler: http.HandlerFunc(handler)}
}
