package admin

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// Single is the cluster of a node that knows no other.
type Single struct {
	Node string
	// Suspend stops the listeners for MQTT. End ends the clients and stops the
	// broker.
	Suspend, End func(context.Context) error

	synced atomic.Bool
}

var (
	errSelf        = errors.New("self_join")
	errUnreachable = errors.New("not_reachable")
)

// Members is this node alone.
func (s *Single) Members() []Member { return []Member{{s.Node, true}} }

// Join reaches nobody.
func (s *Single) Join(_ context.Context, node string) error {
	if node == s.Node {
		return errSelf
	}
	return errUnreachable
}

// Leave takes this node out of service: there is nobody who could take its
// queues.
func (s *Single) Leave(ctx context.Context, _ string, o LeaveOptions, _ func(string)) error {
	if err := s.Suspend(ctx); err != nil || !o.Kill {
		return err
	}
	return s.End(ctx)
}

// History is that of a node without replicated data.
func (s *Single) History() string { return "not_swc" }

// Synced tells that nothing was synchronised, until FlagSynced says otherwise.
func (s *Single) Synced() (out []Partition) {
	for _, n := range []int{1, 10, 2, 3, 4, 5, 6, 7, 8, 9} {
		out = append(out, Partition{fmt.Sprintf("meta%d", n), s.synced.Load()})
	}
	return out
}

// FlagSynced takes the data as synchronised.
func (s *Single) FlagSynced() error {
	s.synced.Store(true)
	return nil
}
