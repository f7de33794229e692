package hooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of Registry, in VerneMQ's words.
var (
	ErrAlreadyEnabled = errors.New("already_enabled")
	ErrNotFound       = errors.New("plugin_not_found")
)

// Registry holds the plugins that are enabled. Any goroutine may use it.
type Registry struct {
	log      *slog.Logger
	limits   limits
	snapshot atomic.Pointer[Snapshot]

	mu      sync.Mutex // guards what follows and the making of snapshots
	entries []*entry   // in the order of the chains
	views   []lists
}

// lists are the plugins that a listener names; nil is all of them.
type lists struct{ auth, authz []string }

// entry is a plugin that is enabled, with what the registry keeps of it.
type entry struct {
	name   string
	plugin Plugin
	hooks  *Hooks // of the latest snapshot; each snapshot copies the functions
	bounds Bounds
	pool   *pool
	ctx    context.Context // ends when the plugin is disabled
	cancel context.CancelFunc
	stats  stats
	log    *slog.Logger

	linesMu sync.Mutex
	second  int64 // in which lines were logged
	lines   int
}

// stats are counters of a plugin. Answers that are given at once are not
// counted: the loops would be in each other's way.
type stats struct{ waits, events, dropped, panics, timeouts, overloads atomic.Uint64 }

// New makes a registry without plugins. topicDepth is how many levels a topic
// of a modifier may have, 0 for any.
func New(log *slog.Logger, topicDepth int) *Registry {
	r := &Registry{log: log, limits: limits{topicDepth}}
	r.renew()
	return r
}

// Snapshot gives the chains as they are now.
func (r *Registry) Snapshot() *Snapshot { return r.snapshot.Load() }

// renew makes the snapshot of what is enabled. Under mu.
func (r *Registry) renew() {
	m := maker{all: r.entries, limits: r.limits}
	r.snapshot.Store(m.snapshot(r.views))
}

// Start is a plugin that a configuration enables.
type Start struct {
	Name        string
	Priority    int
	HasPriority bool
	Dir         string
	Factory     Factory
}

// Sort puts plugins into the order in which they start and are called: those
// with a priority first, then by name.
func Sort(list []Start) {
	rank := func(s Start) int {
		if s.HasPriority {
			return s.Priority
		}
		return math.MaxInt
	}
	slices.SortFunc(list, func(a, b Start) int {
		if a.HasPriority != b.HasPriority {
			return map[bool]int{true: -1, false: 1}[a.HasPriority]
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name, b.Name))
	})
}

// Enable starts a plugin and puts it at the end of the chains.
func (r *Registry) Enable(s Start) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.find(s.Name) >= 0 {
		return ErrAlreadyEnabled
	}
	if s.Factory == nil {
		return ErrNotFound
	}
	e, err := r.start(s)
	if err != nil {
		return fmt.Errorf("cannot start plugin %s: %w", s.Name, err)
	}
	r.entries = append(slices.Clip(r.entries), e)
	r.renew()
	return nil
}

// start makes a plugin and contains its panic.
func (r *Registry) start(s Start) (e *entry, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
		}
	}()
	log := r.log.With("plugin", s.Name)
	p, err := s.Factory(Env{Log: log, Dir: s.Dir, Changed: func() { r.changed(s.Name) }})
	if err != nil {
		return nil, err
	}
	h := p.Hooks()
	e = &entry{name: s.Name, plugin: p, hooks: &h, bounds: p.Bounds().withDefaults(), log: log}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.pool = newPool(e.bounds)
	return e, nil
}

// changed takes over what a plugin's Hooks and Bounds give now.
func (r *Registry) changed(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.find(name); i >= 0 {
		e := r.entries[i]
		h := e.plugin.Hooks()
		e.hooks = &h
		e.pool.bound(e.plugin.Bounds().withDefaults())
		r.renew()
	}
}

// Disable takes a plugin out of the chains and ends it. Requests that wait for
// it are refused.
func (r *Registry) Disable(name string) error {
	e := r.remove(name)
	if e == nil {
		return ErrNotFound
	}
	return e.close()
}

func (r *Registry) remove(name string) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.find(name)
	if i < 0 {
		return nil
	}
	e := r.entries[i]
	r.entries = slices.Delete(slices.Clone(r.entries), i, i+1)
	r.renew()
	return e
}

func (r *Registry) find(name string) int {
	return slices.IndexFunc(r.entries, func(e *entry) bool { return e.name == name })
}

func (e *entry) close() error {
	e.pool.close()
	e.cancel()
	if err := e.plugin.Close(); err != nil {
		return fmt.Errorf("cannot end plugin %s: %w", e.name, err)
	}
	return nil
}

// Close ends all plugins, once they have been told all that waits for them, or
// when ctx ends.
func (r *Registry) Close(ctx context.Context) error {
	r.mu.Lock()
	entries := r.entries
	r.entries = nil
	r.renew()
	r.mu.Unlock()
	done := make(chan struct{})
	go func() {
		for _, e := range entries {
			e.pool.close()
			e.pool.done.Wait()
		}
		close(done)
	}()
	var errs error
	select {
	case <-done:
	case <-ctx.Done():
		errs = fmt.Errorf("plugins have not been told everything: %w", ctx.Err())
	}
	for _, e := range entries {
		errs = errors.Join(errs, e.close())
	}
	return errs
}

// AddView makes chains of the plugins that a listener names, in that order,
// and gives their number for Snapshot.View. auth are those of auth_on_register
// and on_auth, authz those of auth_on_publish and auth_on_subscribe; nil stands
// for all plugins.
func (r *Registry) AddView(auth, authz []string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, list := range map[string][]string{"auth_plugins": auth, "authz_plugins": authz} {
		for i, name := range list {
			if slices.Contains(list[:i], name) {
				return 0, fmt.Errorf("duplicate plugin in %s chain: %s", key, name)
			}
			if r.find(name) < 0 {
				return 0, fmt.Errorf("unknown or disabled plugin %s in %s chain", name, key)
			}
		}
	}
	for i, v := range r.views { // listeners come and go, their chains stay
		if same(v.auth, auth) && same(v.authz, authz) {
			return i + 1, nil
		}
	}
	r.views = append(r.views, lists{auth, authz})
	r.renew()
	return len(r.views), nil
}

func same(a, b []string) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

// Plugin gives an enabled plugin, nil if there is none of that name.
func (r *Registry) Plugin(name string) Plugin {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.find(name); i >= 0 {
		return r.entries[i].plugin
	}
	return nil
}

// Info is what there is to know of an enabled plugin.
type Info struct {
	Name             string
	Hooks            []Name
	Waiting, Running int    // calls
	Waits            uint64 // requests that were not answered at once
	Events           uint64 // told beside the loops
	Dropped          uint64 // of them, because too many waited
	Panics           uint64
	Timeouts         uint64
	Overloads        uint64 // requests refused because too many waited
}

// Plugins gives the enabled plugins in the order of the chains.
func (r *Registry) Plugins() []Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Info, 0, len(r.entries))
	for _, e := range r.entries {
		i := Info{Name: e.name, Hooks: e.hooks.names(), Waits: e.stats.waits.Load(), Events: e.stats.events.Load(),
			Dropped: e.stats.dropped.Load(), Panics: e.stats.panics.Load(), Timeouts: e.stats.timeouts.Load(), Overloads: e.stats.overloads.Load()}
		i.Waiting, i.Running = e.pool.load()
		out = append(out, i)
	}
	return out
}

// names are the hooks that a plugin has.
func (h *Hooks) names() (out []Name) {
	for n, has := range [...]bool{
		AuthOnRegister: has(h.AuthOnRegister), AuthOnRegisterM5: has(h.AuthOnRegisterM5),
		AuthOnPublish: has(h.AuthOnPublish), AuthOnPublishM5: has(h.AuthOnPublishM5),
		AuthOnSubscribe: has(h.AuthOnSubscribe), AuthOnSubscribeM5: has(h.AuthOnSubscribeM5), OnAuthM5: has(h.OnAuthM5),
		OnRegister: hasEvent(h.OnRegister), OnRegisterM5: hasEvent(h.OnRegisterM5),
		OnPublish: hasEvent(h.OnPublish), OnPublishM5: hasEvent(h.OnPublishM5),
		OnSubscribe: hasEvent(h.OnSubscribe), OnSubscribeM5: hasEvent(h.OnSubscribeM5),
		OnUnsubscribe: has(h.OnUnsubscribe), OnUnsubscribeM5: has(h.OnUnsubscribeM5),
		OnTopicUnsubscribed: hasEvent(h.OnTopicUnsubscribed), OnDeliver: has(h.OnDeliver), OnDeliverM5: has(h.OnDeliverM5),
		OnOfflineMessage: hasEvent(h.OnOfflineMessage), OnClientWakeup: hasEvent(h.OnClientWakeup),
		OnClientOffline: hasEvent(h.OnClientOffline), OnClientGone: hasEvent(h.OnClientGone),
		OnSessionExpired: hasEvent(h.OnSessionExpired), OnMessageDrop: hasEvent(h.OnMessageDrop), OnConfigChange: hasEvent(h.OnConfigChange),
	} {
		if has {
			out = append(out, Name(n))
		}
	}
	return out
}

func has[R, M any](a Asked[R, M]) bool { return a.Now != nil || a.Wait != nil }
func hasEvent[E any](t Told[E]) bool   { return t.Now != nil || t.Wait != nil }

// linesPerSecond bounds the log lines about one plugin.
const linesPerSecond = 5

// complain logs what a plugin does wrong.
func (e *entry) complain(text string, args ...any) {
	e.linesMu.Lock()
	if now := time.Now().Unix(); now != e.second {
		e.second, e.lines = now, 0
	}
	e.lines++
	tooMany := e.lines > linesPerSecond
	e.linesMu.Unlock()
	if !tooMany {
		e.log.Warn(text, args...)
	}
}
