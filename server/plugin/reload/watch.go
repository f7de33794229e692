package reload

import (
	"context"
	"sync"
)

// Watch runs what keeps a file up to date in the background, one at a time.
type Watch struct {
	mu     sync.Mutex
	cancel context.CancelFunc // nil when nothing runs
	ended  chan struct{}
}

// Start runs f until Stop, or until something else is started.
func (w *Watch) Start(f func(context.Context)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	w.cancel, w.ended = cancel, ended
	go func() {
		defer close(ended)
		f(ctx)
	}()
}

// Stop ends what runs and waits for it.
func (w *Watch) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop()
}

func (w *Watch) stop() {
	if w.cancel != nil {
		w.cancel()
		<-w.ended
		w.cancel = nil
	}
}
