package hooks

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"vernemq/codec"
)

// shape is what a chain has to know of its hook.
type shape[R, M any] struct {
	name  Name
	clone func(*R) *R
	size  func(*R) int
	key   func(*R) uint64 // calls with the same one keep their order, 0 for none
	check func(*M, *R, limits) error
}

// Chain are the plugins of a hook that decides, in their order. It never
// changes. A nil chain has no plugins.
type Chain[R, M any] struct {
	*shape[R, M]
	limits limits
	links  []link[R, M]
}

type link[R, M any] struct {
	*entry
	Asked[R, M]
}

// Name is the hook of the chain.
func (c *Chain[R, M]) Name() Name { return c.name }

// Ask asks the plugins as long as they answer at once. With the answer Later,
// Wait goes on, from the place that is given.
func (c *Chain[R, M]) Ask(r *R) (a Answer[M], from int) {
	if c == nil {
		return refuse[M](Nobody), 0
	}
	return c.ask(r, 0)
}

func (c *Chain[R, M]) ask(r *R, from int) (a Answer[M], at int) {
	at = from
	defer func() {
		if p := recover(); p != nil {
			c.links[at].panicked(c.name, p)
			a = refuse[M](panicked)
		}
	}()
	for ; at < len(c.links); at++ {
		l := &c.links[at]
		if l.Now == nil {
			return Answer[M]{Result: Later}, at
		}
		switch a = l.Now(r); {
		case a.Result == Next:
		case a.Result == Later && l.Wait != nil:
			return Answer[M]{Result: Later}, at
		default:
			return c.settle(l, r, a), at
		}
	}
	return refuse[M](Exhausted), at
}

// settle checks the answer that ends a chain.
func (c *Chain[R, M]) settle(l *link[R, M], r *R, a Answer[M]) Answer[M] {
	switch a.Result {
	case OK:
		if a.Modifiers == nil {
			answer := Answer[M]{Result: OK}
			if l == &c.links[0] {
				answer.Lasts = a.Lasts
			}
			return answer
		}
		if err := c.check(a.Modifiers, r, c.limits); err != nil {
			l.complain("can't validate modifier", "hook", c.name.String(), "cause", err.Error())
			return Refuse[M]("invalid_modifier: " + err.Error())
		}
		return Answer[M]{Result: OK, Modifiers: a.Modifiers}
	case Failed:
		if a.Refusal == nil {
			return refuse[M](unspecified)
		}
		if x := a.Refusal; !codec.ValidText([]byte(x.Reason)) || !codec.ValidText([]byte(x.ServerReference)) {
			l.complain("can't tell the client why", "hook", c.name.String(), "cause", "reason is no text of at most 65,535 bytes")
			mute := *x
			mute.Reason, mute.ServerReference = "", ""
			return Answer[M]{Result: Failed, Refusal: &mute}
		}
		return Answer[M]{Result: Failed, Refusal: a.Refusal}
	}
	return refuse[M](unanswered)
}

// Wait goes on where Ask has stopped, with a copy of the request. done is
// called once, in another goroutine; if ctx ends first it may be called with a
// refusal that nobody waits for.
func (c *Chain[R, M]) Wait(ctx context.Context, r *R, from int, done func(Answer[M])) {
	w := &wait[R, M]{Chain: c, ctx: ctx, r: c.clone(r), at: from, done: done}
	w.submit()
}

// wait is a request on its way through the slow part of a chain.
type wait[R, M any] struct {
	*Chain[R, M]
	ctx  context.Context
	r    *R
	at   int
	done func(Answer[M])
}

// submit has the plugin at w.at asked.
func (w *wait[R, M]) submit() {
	l := &w.links[w.at]
	ctx, cancel := context.WithTimeout(w.ctx, l.bounds.Timeout)
	stopClosed := context.AfterFunc(l.ctx, cancel) // the plugin is disabled
	var over atomic.Bool                           // somebody has the answer
	stopTimer := context.AfterFunc(ctx, func() {
		if over.Swap(true) {
			return
		}
		if w.ctx.Err() == nil && l.ctx.Err() == nil {
			l.stats.timeouts.Add(1)
			l.complain("plugin does not answer in time", "hook", w.name.String())
		}
		w.done(refuse[M](overdue))
	})
	end := func() { stopTimer(); stopClosed(); cancel() }
	l.stats.waits.Add(1)
	ok := l.pool.submit(w.key(w.r), job{size: w.size(w.r), run: func() {
		defer end()
		var a Answer[M]
		if ctx.Err() == nil {
			a = w.call(ctx, l)
		}
		if ctx.Err() != nil { // what it said came too late
			a = refuse[M](overdue)
		}
		if !over.Swap(true) { // end may keep the timer from saying so, even if its time is over
			w.answered(l, a)
		}
	}})
	if !ok && !over.Swap(true) {
		end()
		if l.ctx.Err() == nil {
			l.stats.overloads.Add(1)
			l.complain("too many requests wait for the plugin", "hook", w.name.String())
		}
		w.done(refuse[M](overloaded))
	}
}

// call asks the plugin and contains its panic.
func (w *wait[R, M]) call(ctx context.Context, l *link[R, M]) (a Answer[M]) {
	defer func() {
		if p := recover(); p != nil {
			l.panicked(w.name, p)
			a = refuse[M](panicked)
		}
	}()
	return l.Wait(ctx, w.r)
}

// answered goes on with the next plugin, or ends.
func (w *wait[R, M]) answered(l *link[R, M], a Answer[M]) {
	if a.Result != Next {
		w.done(w.settle(l, w.r, a))
		return
	}
	a, w.at = w.ask(w.r, w.at+1)
	if a.Result == Later {
		w.submit()
		return
	}
	w.done(a)
}

// panicked counts and logs the panic of a plugin.
func (e *entry) panicked(n Name, p any) {
	e.stats.panics.Add(1)
	e.complain("plugin panicked", "hook", n.String(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
}
