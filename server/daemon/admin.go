package daemon

import (
	"fmt"
	"net"
	"path/filepath"
	"time"
)

// adminWord begins a request whose answer is a stream.
const adminWord = "admin "

// mostConnections is the number of requests that are answered at a time.
const mostConnections = 128

// DialAdmin opens a connection to the broker whose control socket is path, and
// sends a request that Serve hands to its stream function. ErrNotRunning tells
// that there is none.
func DialAdmin(path string, request []byte) (*net.UnixConn, error) {
	if n := len(adminWord) + len(request); n > maxRequest {
		return nil, fmt.Errorf("command line is too long: %d bytes, at most %d are taken", n, maxRequest)
	}
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	short, done, err := shortPathTo(dir, name)
	var conn net.Conn
	if err == nil {
		defer done()
		conn, err = net.DialTimeout("unix", short, controlTimeout)
	}
	if err != nil {
		return nil, unreachable(err)
	}
	_ = conn.SetWriteDeadline(time.Now().Add(controlTimeout))
	if _, err := conn.Write(append([]byte(adminWord), request...)); err != nil {
		conn.Close()
		return nil, unasked(err)
	}
	_ = conn.SetWriteDeadline(time.Time{})
	return conn.(*net.UnixConn), nil
}

// SocketPath is the control socket of a data directory.
func SocketPath(dataDir string) string { return filepath.Join(dataDir, socketName) }
