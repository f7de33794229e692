package daemon

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
)

// scarce is a listener without a descriptor for the first connections.
type scarce struct {
	net.Listener
	failures atomic.Int32
}

func (s *scarce) Accept() (net.Conn, error) {
	if s.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "unix", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return s.Listener.Accept()
}

// TestOutOfDescriptors answers again when descriptors are there again.
func TestOutOfDescriptors(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	s := &scarce{Listener: l}
	s.failures.Store(3)
	c := &Control{listener: s, log: slog.New(slog.DiscardHandler), done: make(chan struct{}), places: make(chan struct{}, mostConnections),
		handlers: Handlers{Answer: func(string) string { return "yes" }}}
	go c.accept(filepath.Join(dir, socketName))
	if a, err := Ask(dir, "ping"); err != nil || a != "yes" {
		t.Errorf("%q, %v", a, err)
	}
	c.Close()
	if _, err := Ask(dir, "ping"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}
