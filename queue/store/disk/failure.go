package disk

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// ErrClosed is what a batch gets that is handed over to a closed store.
var ErrClosed = errors.New("the store is closed")

// failure is what has gone wrong.
type failure struct {
	log  *slog.Logger
	note func(path string, err error) // of damage; may be nil

	mu      sync.Mutex
	err     error         // of the disk: no more writes
	corrupt error         // a file has wrong data
	closed  chan struct{} // closed when err is set
}

func newFailure(log *slog.Logger) *failure {
	return &failure{log: log, closed: make(chan struct{})}
}

// set notes the first failure of the disk.
func (f *failure) set(what string, err error) {
	f.mu.Lock()
	first := f.err == nil
	if first {
		f.err = fmt.Errorf("the store has failed: %s: %w", what, err)
		close(f.closed)
	}
	f.mu.Unlock()
	if first {
		f.log.Error("the store has failed and writes nothing any more", "what", what, "cause", err.Error())
	}
}

// damage notes that a file has wrong data.
func (f *failure) damage(path string, err error) {
	f.mu.Lock()
	first := f.corrupt == nil
	if first {
		f.corrupt = fmt.Errorf("file %s of the store is corrupt: %w", path, err)
	}
	f.mu.Unlock()
	if first {
		f.log.Error("a file of the store is corrupt", "file", path, "cause", err.Error())
		if f.note != nil {
			f.note(path, err)
		}
	}
}

func (f *failure) disk() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *failure) damaged() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.corrupt != nil
}

func (f *failure) any() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	return f.corrupt
}

// panicked makes an error of what Pebble has panicked with.
func panicked(p any) error {
	if err, ok := p.(error); ok {
		return err
	}
	return fmt.Errorf("%v", p)
}

// pebbleLog writes Pebble's log, and turns what would end the process into a
// failure. Pebble goes on after Fatalf, but can no longer change the disk.
type pebbleLog struct{ fail *failure }

func (l pebbleLog) Infof(format string, args ...any) {
	l.fail.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.fail.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

func (l pebbleLog) Fatalf(format string, args ...any) {
	l.fail.set("pebble", fmt.Errorf(format, args...))
}
