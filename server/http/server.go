// Package http serves HTTP modules, as metrics, health and the management API,
// on listeners of their own. It runs on goroutines of net/http, away from the
// loops: a module must read what concerns a loop through the broker.
package http

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vernemq/server/config"
)

// Timeouts and sizes of every connection. A client that is slower or sends
// more is cut off.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 60 * time.Second
	maxHeaders    = 32 << 10 // bytes beside the request line
	defaultBody   = 1 << 20  // bytes
)

// Module is something that HTTP listeners serve.
type Module struct {
	Name    string   // as in http_modules
	Scope   string   // of the API keys that open it
	Paths   []string // patterns of http.ServeMux, without a method or a host
	Handler http.Handler
	MaxBody int64 // bytes of a request, 0 = 1 MiB
	// OwnAuth tells that the handler asks for the key itself, with Permitted:
	// it may refuse a request for another reason first.
	OwnAuth bool
}

// KeyCheck tells whether an API key opens a scope.
type KeyCheck func(key, scope string) bool

// Server owns the HTTP listeners of a node. Its methods may be called by any
// goroutine.
type Server struct {
	modules map[string]Module
	check   KeyCheck // nil: no key opens anything
	log     *slog.Logger

	requests atomic.Uint64
	mu       sync.Mutex // guards listeners
	open     []*Listener
	serving  sync.WaitGroup
}

// New makes a server of modules that does not listen yet.
func New(modules []Module, check KeyCheck, log *slog.Logger) *Server {
	s := &Server{modules: map[string]Module{}, check: check, log: log}
	for _, m := range modules {
		s.modules[m.Name] = m
	}
	return s
}

// Listener is an HTTP listener.
type Listener struct {
	Config *config.HTTPListener
	Addr   net.Addr
	socket *bounded
	server *http.Server
}

// Listen opens a listener. secure is the TLS of an https listener, else nil.
func (s *Server) Listen(cfg *config.HTTPListener, secure *tls.Config) (*Listener, error) {
	key := "listener." + cfg.Transport + "." + cfg.Name
	if (cfg.Transport == "https") != (secure != nil) {
		return nil, fmt.Errorf("cannot open %s: https needs TLS and http has none", key)
	}
	socket, err := net.Listen("tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", key, err)
	}
	li := &Listener{Config: cfg, Addr: socket.Addr(), socket: newBounded(socket, cfg.MaxConnections)}
	li.server = &http.Server{
		Handler:           s.handler(cfg),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: cfg.MaxRequestLine + maxHeaders,
		TLSConfig:      secure,
		ErrorLog:       log.New(complaints{s.log, cfg.Name}, "", 0),
	}
	s.mu.Lock()
	s.open = append(s.open, li)
	s.mu.Unlock()
	s.serving.Go(func() { s.serve(li) })
	return li, nil
}

func (s *Server) serve(li *Listener) {
	var err error
	if li.server.TLSConfig != nil {
		err = li.server.ServeTLS(li.socket, "", "")
	} else {
		err = li.server.Serve(li.socket)
	}
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("HTTP listener has ended", "listener", li.Config.Name, "cause", err.Error())
	}
}

// Listeners are the open listeners.
func (s *Server) Listeners() []*Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.open)
}

// Requests is the number of requests so far.
func (s *Server) Requests() uint64 { return s.requests.Load() }

// OnClose has a function called, in a goroutine, when the listener is closed.
func (li *Listener) OnClose(f func()) { li.server.RegisterOnShutdown(f) }

// Close ends a listener. Requests in progress may go on until ctx ends.
func (s *Server) Close(ctx context.Context, li *Listener) error {
	s.mu.Lock()
	s.open = slices.DeleteFunc(s.open, func(x *Listener) bool { return x == li })
	s.mu.Unlock()
	li.socket.resume()
	if err := li.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("cannot end HTTP requests: %w", err), li.server.Close())
	}
	return nil
}

// Stop ends all listeners.
func (s *Server) Stop(ctx context.Context) (err error) {
	for _, li := range s.Listeners() {
		err = errors.Join(err, s.Close(ctx, li))
	}
	s.serving.Wait()
	return err
}

// handler is the mux of a listener: its modules and nothing else.
func (s *Server) handler(cfg *config.HTTPListener) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	for _, name := range cfg.Modules {
		m, ok := s.modules[name]
		if !ok {
			s.log.Warn("HTTP module is not available", "listener", cfg.Name, "module", name)
			continue
		}
		h := s.guard(m, cfg.APIKey[name])
		for _, p := range m.Paths {
			mux.Handle(p, h)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if code := oversized(r, cfg); code != 0 {
			w.WriteHeader(code)
			return
		}
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), listenerKey{}, cfg)))
	})
}

type listenerKey struct{}

// ListenerOf gives the listener that a request came by, nil if it did not come
// by a Server.
func ListenerOf(r *http.Request) *config.HTTPListener {
	li, _ := r.Context().Value(listenerKey{}).(*config.HTTPListener)
	return li
}

// oversized gives the status of a request whose line or one of whose headers is
// too long, 0 if it is not.
func oversized(r *http.Request, cfg *config.HTTPListener) int {
	if cfg.MaxRequestLine > 0 && len(r.Method)+len(r.RequestURI)+len(r.Proto)+2 > cfg.MaxRequestLine {
		return http.StatusRequestURITooLong
	}
	for _, values := range r.Header {
		for _, v := range values {
			if cfg.MaxHeaderValue > 0 && len(v) > cfg.MaxHeaderValue {
				return http.StatusRequestHeaderFieldsTooLarge
			}
		}
	}
	return 0
}

// complaints turns what net/http complains of into lines of the log.
type complaints struct {
	log      *slog.Logger
	listener string
}

func (c complaints) Write(b []byte) (int, error) {
	c.log.Debug("HTTP connection failed", "listener", c.listener, "cause", strings.TrimSpace(string(b)))
	return len(b), nil
}

// HostPort gives an address as an operator sees it.
func HostPort(a net.Addr) (host string, port int) {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.IP.String(), t.Port
	}
	return a.String(), 0
}
