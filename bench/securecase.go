package bench

import (
	"context"
)

// secured connects idle clients over TLS and lets them rest; they come back
// with their sessions; then messages flow beside them.
func (r *runner) secured(ctx context.Context) error {
	if err := r.hold(ctx); err != nil {
		return err
	}
	if _, err := r.all(command{Op: opDrop, Group: idle}); err != nil {
		return err
	}
	a, err := r.connectAll(ctx, idle, r.load.Clients, false)
	r.run.Again = a
	if err != nil {
		return err
	}
	if r.load.TLS.Resume && a.Resumed < a.Connected {
		r.notef("of %d TLS sessions the broker resumed %d", a.Connected, a.Resumed)
	}
	first := r.run.Connect
	r.run.Connect = nil // of the group that connects now
	err = r.flow(ctx)
	r.run.Connect = first
	return err
}
