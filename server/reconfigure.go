package server

import (
	"context"
	"errors"
	"fmt"

	"vernemq/codec"
	"vernemq/server/config"
	"vernemq/server/session"
)

// errStopping tells that the broker is on its way out.
var errStopping = errors.New("broker stopped")

// await waits until something is done.
func (b *Broker) await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-b.stopping:
		return errStopping
	}
}

// Reconfigure puts another configuration in force. When it returns, clients
// that are connected follow it too, but for what they were told when they
// connected, and so do the plugins. What is read at start only stays as it is.
func (b *Broker) Reconfigure(ctx context.Context, c *config.Config) error {
	b.changes.Lock()
	defer b.changes.Unlock()
	old := b.config.Swap(c)
	plugins := b.reconfigurePlugins(old, c)
	r := renewal{config: c, known: map[session.Limits]*session.Limits{}, made: map[made]*session.Limits{}}
	for _, l := range b.Listeners() {
		li := l.Options().Tag.(*listener)
		limits := limitsOf(c, li.config)
		limits.Chains, limits.Anonymous = li.limits.Load().Chains, li.config.AnonymousOverride || c.AllowAnonymous
		li.limits.Store(r.intern(limits))
		li.anonymous.Store(li.config.AnonymousOverride || c.AllowAnonymous)
	}
	// Who connects from here on has the new limits; the others are visited.
	err := b.walk(ctx, func(_ *loop, c *client) {
		c.session.Adopt(c.login.change(r.of(&c.session)))
		for _, a := range c.others() {
			a.session.Adopt(a.login.change(r.of(&a.session)))
		}
	}, never, always)
	if err != nil {
		err = fmt.Errorf("not all clients follow the new settings yet: %w", err)
	}
	return errors.Join(plugins, err)
}

// renewal makes the limits that sessions follow after a change. Sessions with
// equal limits share them.
type renewal struct {
	config *config.Config
	known  map[session.Limits]*session.Limits
	made   map[made]*session.Limits
}

// made is what new limits are made of.
type made struct {
	old  *session.Limits
	told bool
}

func (r *renewal) intern(l *session.Limits) *session.Limits {
	if same := r.known[*l]; same != nil {
		return same
	}
	r.known[*l] = l
	return l
}

// of gives the new limits of a session, but for those that plugins want for it
// (login.own). Of what it follows now only that stays which is its listener's, or
// which the client was told.
func (r *renewal) of(s *session.Session) *session.Limits {
	from := made{s.Limits(), s.Online() && s.Version() == codec.V5}
	if l := r.made[from]; l != nil {
		return l
	}
	next := limitsOf(r.config, &config.Listener{})
	next.Lifetime, next.Chains = from.old.Lifetime, from.old.Chains
	next.Anonymous = from.old.Anonymous || r.config.AllowAnonymous
	if from.told {
		next = next.Keep(from.old.Told())
	}
	next = r.intern(next)
	r.made[from] = next
	return next
}
