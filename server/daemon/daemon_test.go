package daemon

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	l, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(dir); err == nil || !strings.Contains(err.Error(), "already running: process ") {
		t.Errorf("second claim: %v", err)
	}
	l.Release()
	if l, err = Acquire(dir); err != nil {
		t.Fatalf("after release: %v", err)
	}
	l.Release()
	if _, err := Acquire("/proc/nope"); err == nil {
		t.Error("an impossible directory can be claimed")
	}
}

// TestControl asks over a socket whose path is longer than a socket's may be.
func TestControl(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Ask(dir, "ping"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody there: %v", err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	c, err := Serve(dir, log, Handlers{Answer: func(r string) string { return "got " + r }})
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, "vernemq.sock"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", st, err)
	}
	if a, err := Ask(dir, "ping"); err != nil || a != "got ping" {
		t.Errorf("%q, %v", a, err)
	}
	if a, err := Ask(dir, strings.Repeat("x", maxRequest+1)); err == nil {
		t.Errorf("a request that is too long is answered: %q", a)
	}
	c.Close()
	if _, err := os.Stat(filepath.Join(dir, "vernemq.sock")); err == nil {
		t.Error("the socket is left behind")
	}
	if _, err := Ask(dir, "ping"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
	// A socket that a killed node left behind is no obstacle.
	if err := os.WriteFile(filepath.Join(dir, "vernemq.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = Serve(dir, log, Handlers{Answer: func(string) string { return "" }}); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestPanic has a command that goes wrong: it has no answer, others have one.
func TestPanic(t *testing.T) {
	dir := t.TempDir()
	c, err := Serve(dir, slog.New(slog.DiscardHandler), Handlers{
		Answer: func(string) string { return "yes" },
		Stream: func(net.Conn, []byte) { panic("wrong") },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn, err := DialAdmin(SocketPath(dir), []byte("x\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if b, err := io.ReadAll(conn); len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
	if a, err := Ask(dir, "ping"); err != nil || a != "yes" {
		t.Errorf("%q, %v", a, err)
	}
}

// TestMasses refuses more commands than it answers at a time, in words, and
// answers again when one has ended.
func TestMasses(t *testing.T) {
	dir := t.TempDir()
	inside, leave := make(chan struct{}), make(chan struct{})
	c, err := Serve(dir, slog.New(slog.DiscardHandler), Handlers{
		Answer: func(string) string { return "yes" },
		Stream: func(net.Conn, []byte) { inside <- struct{}{}; <-leave },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := DialAdmin(SocketPath(dir), make([]byte, maxRequest)); err == nil || !strings.Contains(err.Error(), "command line is too long") {
		t.Errorf("a line of %d bytes: %v", maxRequest, err)
	}
	for range mostConnections {
		conn, err := DialAdmin(SocketPath(dir), []byte("x\n"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		<-inside
	}
	if a, err := Ask(dir, "ping"); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many: %q, %v", a, err)
	}
	close(leave)
	for range 1000 {
		if _, err = Ask(dir, "ping"); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("no answer any more: %v", err)
}
