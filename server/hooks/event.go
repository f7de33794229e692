package hooks

import "context"

// topic is what an event chain has to know of its hook.
type topic[E any] struct {
	name  Name
	clone func(*E) *E
	size  func(*E) int
	key   func(*E) uint64
}

// Event are the plugins of a hook that only watches, in their order. It never
// changes. A nil one has no plugins.
type Event[E any] struct {
	*topic[E]
	links []eventLink[E]
}

type eventLink[E any] struct {
	*entry
	Told[E]
}

// Tell tells all plugins. e is valid during the call only.
func (v *Event[E]) Tell(e *E) {
	if v == nil {
		return
	}
	var kept *E
	for i := range v.links {
		l := &v.links[i]
		if l.Now != nil {
			v.now(l, e)
			continue
		}
		if kept == nil {
			kept = v.clone(e)
		}
		v.later(l, kept)
	}
}

func (v *Event[E]) now(l *eventLink[E], e *E) {
	defer v.contain(l)
	l.Now(e)
}

func (v *Event[E]) later(l *eventLink[E], e *E) {
	ok := l.pool.submit(v.key(e), job{kind: notice, size: v.size(e), run: func() {
		if l.ctx.Err() != nil {
			return
		}
		ctx, cancel := context.WithTimeout(l.ctx, l.bounds.Timeout)
		defer cancel()
		defer v.contain(l)
		l.Wait(ctx, e)
	}})
	l.stats.events.Add(1)
	if !ok && l.ctx.Err() == nil {
		l.stats.dropped.Add(1)
		l.complain("events are dropped: too many wait for the plugin", "hook", v.name.String())
	}
}

func (v *Event[E]) contain(l *eventLink[E]) {
	if p := recover(); p != nil {
		l.panicked(v.name, p)
	}
}
