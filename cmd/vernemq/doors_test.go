package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"vernemq/server/config"
	web "vernemq/server/http"
)

// TestDeleteFromWithin deletes an HTTP listener by a request that comes through
// it: the listener does not wait for its own end.
func TestDeleteFromWithin(t *testing.T) {
	d := doors{m: &monitor{}}
	ended := make(chan error, 1)
	module := web.Module{Name: "end", Paths: []string{"/end"}, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, port := web.HostPort(r.Context().Value(http.LocalAddrContextKey).(net.Addr))
		ended <- d.Delete(r.Context(), "127.0.0.1", port)
	})}
	d.m.http = web.New([]web.Module{module}, nil, slog.New(slog.DiscardHandler))
	li, err := d.m.http.Listen(&config.HTTPListener{Transport: "http", Name: "x", Address: "127.0.0.1:0", Modules: []string{"end"}, MaxRequestLine: 8000}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.m.http.Stop(context.Background())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+li.Addr.String()+"/end", nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := http.DefaultClient.Do(request); err == nil {
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	if ctx.Err() != nil {
		t.Error("the request hangs until the client gives up")
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(d.m.http.Listeners()) > 0 {
		t.Error("the listener is still there")
	}
}
