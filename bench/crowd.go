package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Stay connects clients of a load, calls during while they are connected and
// rest, and lets them go: idle clients for Hold, subscribers for other kinds.
func Stay(ctx context.Context, l Load, during func() error) (*Connect, error) {
	if err := l.Check(1); err != nil {
		return nil, err
	}
	r := &runner{load: l, began: time.Now(), moved: time.Now(), run: &Run{Started: time.Now()}}
	defer r.closeEngines()
	if err := r.prepare(); err != nil {
		return nil, err
	}
	g, n := idle, l.Clients
	if l.messages() {
		g, n = subscribers, l.Subscribers
	}
	c, err := r.connectAll(ctx, g, n, false)
	if err != nil {
		return c, err
	}
	if c.Failed > 0 {
		return c, errors.New(r.run.Failures[0])
	}
	if err := during(); err != nil {
		return c, err
	}
	if err := r.look(); err != nil {
		return c, err
	}
	if n := r.total.Lost; n > 0 {
		return c, fmt.Errorf("the broker ended %d connections (first: %s)", n, r.cause)
	}
	return c, nil
}

// Memory is the resident memory of a process in bytes.
func Memory(pid int) (int64, error) { return process(pid).memory() }
