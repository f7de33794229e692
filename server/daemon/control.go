package daemon

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// The control socket is a unix socket in the data directory that only the
// broker's user may open. A request is one line. The answer is one line too,
// but for requests that begin with "admin ".
const (
	socketName     = "vernemq.sock"
	controlTimeout = 5 * time.Second
	acceptPause    = 100 * time.Millisecond // after a failure
	maxRequest     = 256 << 10
)

// ErrNotRunning tells that no broker answers in a data directory.
var ErrNotRunning = errors.New("node is not running")

// ErrBusy tells that the broker closed a connection before it read the request:
// it answers mostConnections at a time.
var ErrBusy = fmt.Errorf("the node has ended, or answers %d commands already", mostConnections)

// Control answers requests on the control socket.
type Control struct {
	listener net.Listener
	log      *slog.Logger
	done     chan struct{}
	places   chan struct{} // one is taken for each connection
	handlers Handlers
}

// Handlers answer requests. They are called from many goroutines.
type Handlers struct {
	// Answer gives the line that answers a line.
	Answer func(request string) string
	// Stream answers what follows "admin ", on the connection, which is closed
	// when it returns.
	Stream func(conn net.Conn, request []byte)
}

// Serve opens the control socket of a data directory on which the caller has
// the Lock.
func Serve(dataDir string, log *slog.Logger, h Handlers) (*Control, error) {
	path := filepath.Join(dataDir, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot remove the old control socket: %w", err)
	}
	short, done, err := shortPath(dataDir)
	if err != nil {
		return nil, err
	}
	defer done()
	l, err := net.Listen("unix", short)
	if err != nil {
		return nil, fmt.Errorf("cannot open the control socket %s: %w", path, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // short is gone by then
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("cannot protect the control socket: %w", err)
	}
	c := &Control{listener: l, log: log, done: make(chan struct{}), places: make(chan struct{}, mostConnections), handlers: h}
	go c.accept(path)
	return c, nil
}

func (c *Control) accept(path string) {
	defer close(c.done)
	defer os.Remove(path)
	for {
		conn, err := c.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // there are no descriptors, for a while
			c.log.Error("control socket failed", "cause", err.Error())
			time.Sleep(acceptPause)
			continue
		}
		select {
		case c.places <- struct{}{}:
			go c.serve(conn)
		default: // somebody asks in masses
			conn.Close()
		}
	}
}

func (c *Control) serve(conn net.Conn) {
	defer func() { <-c.places }()
	defer conn.Close()
	defer func() { // a command that goes wrong must not end the node
		if p := recover(); p != nil {
			c.log.Error("command panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	conn.SetDeadline(time.Now().Add(controlTimeout))
	line, err := bufio.NewReader(io.LimitReader(conn, maxRequest)).ReadString('\n')
	if err != nil {
		return
	}
	if request, ok := strings.CutPrefix(line, adminWord); ok && c.handlers.Stream != nil {
		conn.SetDeadline(time.Time{})
		c.handlers.Stream(conn, []byte(request))
		return
	}
	fmt.Fprintln(conn, c.handlers.Answer(strings.TrimSpace(line)))
}

// Close closes the socket and removes it.
func (c *Control) Close() {
	c.listener.Close()
	<-c.done
}

// Ask sends a request to the broker that runs on a data directory.
// ErrNotRunning tells that there is none.
func Ask(dataDir, request string) (string, error) {
	short, done, err := shortPath(dataDir)
	if err != nil {
		return "", unreachable(err)
	}
	defer done()
	conn, err := net.DialTimeout("unix", short, controlTimeout)
	if err != nil {
		return "", unreachable(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(controlTimeout))
	if _, err := fmt.Fprintln(conn, request); err != nil {
		return "", unasked(err)
	}
	answer, err := bufio.NewReader(io.LimitReader(conn, maxRequest)).ReadString('\n')
	if errors.Is(err, syscall.ECONNRESET) {
		return "", ErrBusy
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the node's answer: %w", err)
	}
	return strings.TrimSpace(answer), nil
}

// unreachable is the error when the control socket cannot be opened.
func unreachable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot reach the node: %w: only the broker's user and root may", fs.ErrPermission)
	}
	return fmt.Errorf("cannot reach the node: %w", err)
}

// unasked is the error when a request cannot be written.
func unasked(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return ErrBusy
	}
	return fmt.Errorf("cannot ask the node: %w", err)
}

// shortPath gives the control socket's path through an open descriptor of its
// directory: a unix socket's path may not be longer than 107 bytes, a data
// directory's may.
func shortPath(dataDir string) (path string, done func(), err error) {
	return shortPathTo(dataDir, socketName)
}

func shortPathTo(dataDir, name string) (path string, done func(), err error) {
	dir, err := os.Open(dataDir)
	if err != nil {
		return "", nil, fmt.Errorf("cannot open the data directory: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), name), func() { dir.Close() }, nil
}
