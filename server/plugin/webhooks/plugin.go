package webhooks

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vernemq/server/hooks"
)

// Errors in VerneMQ's words.
var (
	ErrAlreadyRegistered = errors.New("already_registered")
	ErrNotFound          = errors.New("not_found")
)

// Plugin is the running plugin. Any goroutine may use it.
type Plugin struct {
	log     *slog.Logger
	changed func()
	cache   *hooks.Cache[kept]
	totals  [hooks.NumNames]counters

	mu         sync.Mutex // guards what follows
	options    Options
	tls        *tls.Config
	registered [hooks.NumNames][]*endpoint
	clients    map[string]*client // by URL
	second     int64              // in which lines were logged
	lines      int
}

// client makes the requests to one URL.
type client struct{ atomic.Pointer[http.Transport] }

// New makes the plugin with the endpoints of the configuration.
func New(env hooks.Env, o Options, list []Endpoint) (*Plugin, error) {
	o = o.withDefaults()
	config, err := o.tls()
	if err != nil {
		return nil, fmt.Errorf("cannot set up TLS for webhooks: %w", err)
	}
	p := &Plugin{log: env.Log, changed: func() {}, options: o, tls: config, clients: map[string]*client{}, cache: hooks.NewCache[kept](o.CacheSize)}
	for _, e := range list {
		if err := p.Register(e); err != nil {
			return nil, fmt.Errorf("can't register endpoint %s of %s due to '%w'", shown(e.URL), e.Hook, err)
		}
	}
	if env.Changed != nil {
		p.changed = env.Changed
	}
	return p, nil
}

// Configure takes other options, which count for requests from then on. After
// an error all stays as it is.
func (p *Plugin) Configure(o Options) error {
	o = o.withDefaults()
	config, err := o.tls()
	if err != nil {
		return fmt.Errorf("cannot set up TLS for webhooks: %w", err)
	}
	p.mu.Lock()
	p.options, p.tls = o, config
	for _, c := range p.clients {
		c.Swap(o.transport(config)).CloseIdleConnections()
	}
	p.mu.Unlock()
	p.changed()
	return nil
}

// Vet tells what is wrong with options.
func Vet(o Options) error {
	o = o.withDefaults()
	_, err := o.tls()
	return err
}

// Accepts tells whether endpoints may be registered for a hook.
func Accepts(n hooks.Name) bool {
	switch n {
	case hooks.OnTopicUnsubscribed, hooks.OnMessageDrop, hooks.OnConfigChange:
		return false
	}
	return true
}

// Register adds an endpoint behind those that its hook has.
func (p *Plugin) Register(e Endpoint) error {
	if !Accepts(e.Hook) {
		return fmt.Errorf("hook %s has no webhooks", e.Hook)
	}
	if err := checkURL(e.URL); err != nil {
		return err
	}
	if e.ResponseTimeout <= 0 {
		e.ResponseTimeout = defaultTimeout
	}
	if err := p.register(e); err != nil {
		return err
	}
	p.changed()
	return nil
}

func (p *Plugin) register(e Endpoint) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.find(e.Hook, e.URL) >= 0 {
		return ErrAlreadyRegistered
	}
	c := p.clients[e.URL]
	if c == nil {
		c = &client{}
		c.Store(p.options.transport(p.tls))
		p.clients[e.URL] = c
	}
	p.registered[e.Hook] = append(slices.Clip(p.registered[e.Hook]), &endpoint{Endpoint: e, client: c})
	return nil
}

// Deregister takes an endpoint out.
func (p *Plugin) Deregister(hook hooks.Name, url string) error {
	if err := p.deregister(hook, url); err != nil {
		return err
	}
	p.changed()
	return nil
}

func (p *Plugin) deregister(hook hooks.Name, url string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.find(hook, url)
	if i < 0 {
		return ErrNotFound
	}
	list := p.registered[hook]
	p.registered[hook] = slices.Delete(slices.Clone(list), i, i+1)
	for h := range p.registered {
		if p.find(hooks.Name(h), url) >= 0 {
			return nil
		}
	}
	p.clients[url].Load().CloseIdleConnections()
	delete(p.clients, url)
	return nil
}

func (p *Plugin) find(hook hooks.Name, url string) int {
	return slices.IndexFunc(p.registered[hook], func(e *endpoint) bool { return e.URL == url })
}

// Endpoints are those that are registered, by hook and in their order.
func (p *Plugin) Endpoints() (out []Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, list := range p.registered {
		for _, e := range list {
			out = append(out, e.Endpoint)
		}
	}
	return out
}

// Figures are the counters of a hook, or of one endpoint of it.
type Figures struct {
	Hook     hooks.Name
	Endpoint string // "" of all, those that are gone included
	Requests uint64
	Errors   uint64 // requests without an answer that can be used, or refused by it
	Bytes    uint64 // of bodies sent
	Timeouts uint64
	Canceled uint64        // the client went away while it waited
	Elapsed  time.Duration // of all requests together
	Hits     uint64        // answers from the cache
	Misses   uint64
	Entries  int // in the cache; of endpoints only
}

func (c *counters) figures(hook hooks.Name, url string) Figures {
	return Figures{Hook: hook, Endpoint: url, Requests: c.requests.Load(), Errors: c.errors.Load(), Bytes: c.bytesSent.Load(),
		Timeouts: c.timeouts.Load(), Canceled: c.cancelled.Load(), Elapsed: time.Duration(c.elapsed.Load()) * time.Millisecond,
		Hits: c.hits.Load(), Misses: c.misses.Load()}
}

// Totals gives the counters of each hook.
func (p *Plugin) Totals() (out []Figures) {
	for n := range hooks.NumNames {
		out = append(out, p.totals[n].figures(n, ""))
	}
	return out
}

// Figures gives the counters of each registered endpoint.
func (p *Plugin) Figures() (out []Figures) {
	entries := map[*endpoint]int{}
	p.cache.Each(func(k kept) { entries[k.endpoint]++ })
	p.mu.Lock()
	defer p.mu.Unlock()
	for hook, list := range p.registered {
		for _, e := range list {
			f := e.figures.figures(hooks.Name(hook), e.URL)
			f.Entries = entries[e]
			out = append(out, f)
		}
	}
	return out
}

// ResetCacheFigures counts hits and misses from zero.
func (p *Plugin) ResetCacheFigures() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, list := range p.registered {
		for _, e := range list {
			e.figures.hits.Store(0)
			e.figures.misses.Store(0)
		}
	}
}

// ClearCache forgets all answers, and counts hits and misses from zero.
func (p *Plugin) ClearCache() {
	p.cache.Clear()
	p.ResetCacheFigures()
}

// Bounds allows as many requests as some endpoints take at once. The rest waits
// for its turn, for as long as a busy or hanging endpoint needs for those
// before.
func (p *Plugin) Bounds() hooks.Bounds {
	p.mu.Lock()
	defer p.mu.Unlock()
	return hooks.Bounds{Workers: 4 * p.options.MaxConnections, Timeout: 2 * time.Minute}
}

// Close ends the connections that nobody uses.
func (p *Plugin) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.clients {
		c.Load().CloseIdleConnections()
	}
	return nil
}

// linesPerSecond bounds the log lines about failing endpoints.
const linesPerSecond = 10

func (p *Plugin) complain(e *endpoint, err error) {
	p.mu.Lock()
	if now := time.Now().Unix(); now != p.second {
		p.second, p.lines = now, 0
	}
	p.lines++
	tooMany := p.lines > linesPerSecond
	p.mu.Unlock()
	if !tooMany {
		p.log.Error("webhook failed", "hook", e.Hook.String(), "endpoint", shown(e.URL), "cause", err.Error())
	}
}

// Hooks gives functions for the hooks that have endpoints.
func (p *Plugin) Hooks() (h hooks.Hooks) {
	p.mu.Lock()
	defer p.mu.Unlock()
	register := func(n hooks.Name) hooks.Asked[hooks.Register, hooks.RegisterModifiers] {
		return asked(p, call[hooks.Register, hooks.RegisterModifiers]{n, registerRequest, registerModifiers, registerKey, whole[hooks.RegisterModifiers]})
	}
	publish := func(n hooks.Name) hooks.Asked[hooks.Message, hooks.PublishModifiers] {
		return asked(p, call[hooks.Message, hooks.PublishModifiers]{n, messageRequest, publishModifiers, publishKey, withoutPayload})
	}
	subscribe := func(n hooks.Name) hooks.Asked[hooks.Subscribe, hooks.SubscribeModifiers] {
		return asked(p, call[hooks.Subscribe, hooks.SubscribeModifiers]{n, subscribeRequest, subscribeModifiers, subscribeKey, whole[hooks.SubscribeModifiers]})
	}
	unsubscribe := func(n hooks.Name) hooks.Asked[hooks.Unsubscribe, hooks.UnsubscribeModifiers] {
		return asked(p, call[hooks.Unsubscribe, hooks.UnsubscribeModifiers]{hook: n, body: unsubscribeRequest, parse: unsubscribeModifiers})
	}
	deliver := func(n hooks.Name) hooks.Asked[hooks.Message, hooks.DeliverModifiers] {
		return asked(p, call[hooks.Message, hooks.DeliverModifiers]{hook: n, body: deliverRequest, parse: deliverModifiers})
	}
	return hooks.Hooks{
		AuthOnRegister: register(hooks.AuthOnRegister), AuthOnRegisterM5: register(hooks.AuthOnRegisterM5),
		AuthOnPublish: publish(hooks.AuthOnPublish), AuthOnPublishM5: publish(hooks.AuthOnPublishM5),
		AuthOnSubscribe: subscribe(hooks.AuthOnSubscribe), AuthOnSubscribeM5: subscribe(hooks.AuthOnSubscribeM5),
		OnAuthM5:      asked(p, call[hooks.Auth, hooks.AuthModifiers]{hook: hooks.OnAuthM5, body: authRequest, parse: authModifiers}),
		OnUnsubscribe: unsubscribe(hooks.OnUnsubscribe), OnUnsubscribeM5: unsubscribe(hooks.OnUnsubscribeM5),
		OnDeliver: deliver(hooks.OnDeliver), OnDeliverM5: deliver(hooks.OnDeliverM5),

		OnRegister: told(p, hooks.OnRegister, registeredRequest), OnRegisterM5: told(p, hooks.OnRegisterM5, registeredRequest),
		OnPublish: told(p, hooks.OnPublish, messageRequest), OnPublishM5: told(p, hooks.OnPublishM5, messageRequest),
		OnSubscribe: told(p, hooks.OnSubscribe, subscribeRequest), OnSubscribeM5: told(p, hooks.OnSubscribeM5, subscribeRequest),
		OnOfflineMessage: told(p, hooks.OnOfflineMessage, offlineRequest),
		OnClientWakeup:   told(p, hooks.OnClientWakeup, clientRequest), OnClientOffline: told(p, hooks.OnClientOffline, clientRequest),
		OnClientGone: told(p, hooks.OnClientGone, clientRequest), OnSessionExpired: told(p, hooks.OnSessionExpired, clientRequest),
	}
}

func whole[M any](m *M) *M { return m }

// withoutPayload is what is kept of an answer: it holds for other payloads, too.
func withoutPayload(m *hooks.PublishModifiers) *hooks.PublishModifiers {
	c := *m
	c.Payload = nil
	return &c
}
