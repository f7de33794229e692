package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"vernemq/reactor/tlstest"
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

// TestEndOfCertificates holds that nobody looks at the files of an https
// listener that is gone, or that never was.
func TestEndOfCertificates(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := doors{m: &monitor{ctx: ctx, http: web.New(nil, nil, slog.New(slog.DiscardHandler))}}
	cert, key := tlstest.New(t, "ca").Issue("127.0.0.1", nil).Files(t.TempDir(), "server")
	cfg := &config.HTTPListener{Transport: "https", Name: "x", Address: "127.0.0.1:0", TLS: &config.TLS{CertFile: cert, KeyFile: key}}
	if err := d.m.listen(&config.Config{}, cfg); err != nil {
		t.Fatal(err)
	}
	li := d.m.http.Listeners()[0]
	taken := *cfg
	taken.Address = li.Addr.String()
	if err := d.m.listen(&config.Config{}, &taken); err == nil {
		t.Fatal("two listeners have one address")
	}
	host, port := web.HostPort(li.Addr)
	if err := d.Delete(t.Context(), host, port); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { d.m.running.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("files are still looked at")
	}
}
