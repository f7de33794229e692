package webhooks

import (
	"context"

	"vernemq/server/hooks"
)

// call is how one hook is asked by HTTP.
type call[R, M any] struct {
	hook  hooks.Name
	body  func(*R, *endpoint) any
	parse func(reply, *endpoint, *R) (*M, error)
	key   func([]byte, *R) []byte // of hooks whose answers may be kept, else nil
	keep  func(*M) *M             // what of the modifiers is kept
}

// kept is an answer in the cache.
type kept struct {
	endpoint  *endpoint
	modifiers any // *M, nil for none
}

// asked gives the functions of a hook that decides, none without endpoints.
func asked[R, M any](p *Plugin, c call[R, M]) hooks.Asked[R, M] {
	list := p.registered[c.hook]
	if len(list) == 0 {
		return hooks.Asked[R, M]{}
	}
	a := hooks.Asked[R, M]{Wait: func(ctx context.Context, r *R) hooks.Answer[M] { return ask(ctx, p, &c, list, r) }}
	if c.key != nil {
		// Only the first endpoint: what comes before an answer is never kept.
		first := list[0]
		a.Now = func(r *R) hooks.Answer[M] {
			if !first.caches.Load() {
				return hooks.Answer[M]{Result: hooks.Later}
			}
			return fromCache(p, &c, first, r)
		}
	}
	return a
}

// fromCache answers with what an endpoint has said before.
func fromCache[R, M any](p *Plugin, c *call[R, M], e *endpoint, r *R) hooks.Answer[M] {
	k, ok := p.cache.Get(keyOf(e, r, c.key))
	if !ok || k.endpoint != e {
		return hooks.Answer[M]{Result: hooks.Later}
	}
	e.figures.hits.Add(1)
	p.totals[c.hook].hits.Add(1)
	m, _ := k.modifiers.(*M)
	return hooks.Answer[M]{Result: hooks.OK, Modifiers: m}
}

// ask asks the endpoints one after the other.
func ask[R, M any](ctx context.Context, p *Plugin, c *call[R, M], list []*endpoint, r *R) hooks.Answer[M] {
	for i, e := range list {
		if c.key != nil {
			if i > 0 && e.caches.Load() {
				if a := fromCache(p, c, e, r); a.Result == hooks.OK {
					return a
				}
			}
			e.figures.misses.Add(1)
			p.totals[c.hook].misses.Add(1)
		}
		if a := askOne(ctx, p, c, e, r); a.Result != hooks.Next {
			return a
		}
	}
	return hooks.Answer[M]{}
}

func askOne[R, M any](ctx context.Context, p *Plugin, c *call[R, M], e *endpoint, r *R) hooks.Answer[M] {
	body, err := encode(c.body(r, e))
	if err != nil {
		return fail[M](p, e, err)
	}
	text, age, err := e.post(ctx, &p.totals[c.hook], body)
	if err != nil {
		return fail[M](p, e, err)
	}
	answer, says, cause, err := parseReply(text)
	if err != nil {
		return malformed[M](p, e, err)
	}
	switch says {
	case hooks.Next:
		return hooks.Answer[M]{}
	case hooks.Failed:
		e.failed(p)
		p.log.Debug("endpoint refuses", "hook", c.hook.String(), "endpoint", shown(e.URL), "cause", cause)
		return hooks.Refuse[M](cause)
	}
	m, err := c.parse(answer, e, r)
	if err != nil {
		return malformed[M](p, e, err)
	}
	if age > 0 && c.key != nil {
		k := kept{endpoint: e}
		if m != nil {
			k.modifiers = c.keep(m)
		}
		p.cache.Put(keyOf(e, r, c.key), k, age)
		e.caches.Store(true)
	}
	return hooks.Answer[M]{Result: hooks.OK, Modifiers: m}
}

// malformed counts an answer that cannot be used.
func malformed[M any](p *Plugin, e *endpoint, err error) hooks.Answer[M] {
	e.failed(p)
	return fail[M](p, e, err)
}

// failed counts an answer that is an error.
func (e *endpoint) failed(p *Plugin) {
	e.figures.errors.Add(1)
	p.totals[e.Hook].errors.Add(1)
}

func fail[M any](p *Plugin, e *endpoint, err error) hooks.Answer[M] {
	p.complain(e, err)
	return hooks.Refuse[M](err.Error())
}

// told gives the function of a hook that only watches, none without endpoints.
func told[E any](p *Plugin, hook hooks.Name, body func(*E, *endpoint) any) hooks.Told[E] {
	list := p.registered[hook]
	if len(list) == 0 {
		return hooks.Told[E]{}
	}
	return hooks.Told[E]{Wait: func(ctx context.Context, x *E) {
		for _, e := range list {
			text, err := encode(body(x, e))
			if err == nil {
				_, _, err = e.post(ctx, &p.totals[hook], text)
			}
			if err != nil {
				p.complain(e, err)
			}
		}
	}}
}
