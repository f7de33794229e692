package server

import (
	"context"
	"time"

	"vernemq/reactor"
	"vernemq/server/hooks"
)

// waiting is what a connection is not read for: an answer of plugins, or the
// end of a pause. Its packet stays where it is and comes again.
type waiting struct {
	cancel context.CancelFunc // nil of a pause
	answer any                // hooks.Answer, nil until there is one
}

// ask asks the plugins of a chain. If they need time, the client is not read
// until they have answered, and known is false. The same question is to be
// asked again then.
func ask[R, M any](l *loop, c *reactor.Conn, ch *hooks.Chain[R, M], r *R) (a hooks.Answer[M], known bool) {
	if w := l.waitsFor(c); w != nil {
		if w.answer == nil {
			return a, false
		}
		delete(l.waiting, c)
		if a, known = w.answer.(hooks.Answer[M]); known {
			if l.traces != nil {
				traceAnswer(l, c, r, &a)
			}
			return a, true
		}
	}
	traced := l.traces != nil && ch != nil
	if traced {
		l.traceQuestion(c, ch.Name(), r)
	}
	a, from := ch.Ask(r)
	if a.Result != hooks.Later {
		if traced {
			traceAnswer(l, c, r, &a)
		}
		return a, true
	}
	askLater(l, c, ch, r, from)
	return hooks.Answer[M]{}, false
}

// waitsFor is what a connection waits for, nil if for nothing.
func (l *loop) waitsFor(c *reactor.Conn) *waiting {
	if len(l.waiting) == 0 {
		return nil
	}
	return l.waiting[c]
}

// askLater has plugins asked beside the loops.
func askLater[R, M any](l *loop, c *reactor.Conn, ch *hooks.Chain[R, M], r *R, from int) {
	ctx, cancel := context.WithCancel(context.Background())
	w := &waiting{cancel: cancel}
	l.waiting[c] = w
	stopReading(c)
	start := time.Now()
	ch.Wait(ctx, r, from, func(a hooks.Answer[M]) {
		l.broker.hookTook(ch.Name(), time.Since(start))
		l.reactor.Post(func() {
			cancel()
			if l.waiting[c] == w && w.answer == nil {
				w.answer = a
				c.ResumeRead()
			}
		})
	})
}

// holdsBack tells that a connection is not to be read yet, whoever has resumed
// it.
func (l *loop) holdsBack(c *reactor.Conn) bool {
	if w := l.waitsFor(c); w != nil && w.answer == nil {
		stopReading(c)
		return true
	}
	if s := sessionOf(c); s != nil && s.Spent() {
		c.PauseRead()
		return true
	}
	return false
}

// stopReading does not read a connection. One that is not admitted ends when
// its peer goes; else what has been sent before counts.
func stopReading(c *reactor.Conn) {
	c.PauseRead()
	if _, ok := c.User().(*admission); ok {
		c.AwaitHangup()
	}
}

// used forgets an answer that was there for the packet that was just handled.
// It may not have been looked at: the plugin may be gone.
func (l *loop) used(c *reactor.Conn, w *waiting) {
	if w != nil && l.waiting[c] == w {
		delete(l.waiting, c)
	}
}

// pause does not read a client for a while.
func (l *loop) pause(c *reactor.Conn, d time.Duration) {
	w := &waiting{}
	l.waiting[c] = w
	c.PauseRead()
	time.AfterFunc(d, func() {
		l.reactor.Post(func() {
			if l.waiting[c] == w {
				delete(l.waiting, c)
				c.ResumeRead()
			}
		})
	})
}

// abandon gives up what a connection waits for, as it has ended.
func (l *loop) abandon(c *reactor.Conn) {
	if w := l.waitsFor(c); w != nil {
		if w.cancel != nil {
			w.cancel()
		}
		delete(l.waiting, c)
	}
	if d := l.deliveries[c]; d != nil {
		d.end()
		delete(l.deliveries, c)
	}
	delete(l.exchanges, c)
	delete(l.answering, c)
}
