package admin

import (
	"context"
	"errors"
)

// Single is the cluster of a node that knows no other.
type Single struct {
	Node string
	// Suspend stops the listeners for MQTT. End ends the clients and stops the
	// broker.
	Suspend, End func(context.Context) error
}

var (
	errSelf  = errors.New("self_join")
	errAlone = errors.New("clustering is not available in this version")
)

// Members is this node alone.
func (s *Single) Members() []Member { return []Member{{s.Node, true}} }

// Join joins nobody.
func (s *Single) Join(_ context.Context, node string) error {
	if node == s.Node {
		return errSelf
	}
	return errAlone
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

// Synced fails: there is no replicated data.
func (s *Single) Synced() ([]Partition, error) { return nil, errAlone }

// FlagSynced fails for the same reason.
func (s *Single) FlagSynced() error { return errAlone }
