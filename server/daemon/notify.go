package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notify tells systemd about the state of the service, if it asked for that
// with NOTIFY_SOCKET: "READY=1", "STOPPING=1" and others. It never fails the
// service: without anybody who listens it does nothing.
func Notify(state ...string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if path[0] == '@' { // of the abstract namespace
		path = "\x00" + path[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(strings.Join(state, "\n")))
}

// Reloading is the state of a service that reads its files again; "READY=1"
// ends it.
func Reloading() []string {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // cannot fail
	return []string{"RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000)}
}

// Watchdog tells systemd, as often as it wants, that the service is alive, as
// long as alive says so. It returns when ctx ends, or at once if nobody asked.
func Watchdog(ctx context.Context, alive func(context.Context) bool) {
	every, ok := watchdogInterval()
	if !ok {
		return
	}
	t := time.NewTicker(every / 2)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if c, cancel := context.WithTimeout(ctx, every/2); alive(c) {
			cancel()
			Notify("WATCHDOG=1")
		} else {
			cancel()
		}
	}
}

// watchdogInterval is what systemd expects of this process.
func watchdogInterval() (time.Duration, bool) {
	n, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || n <= 0 {
		return 0, false
	}
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0, false
	}
	return time.Duration(n) * time.Microsecond, true
}

// Supervised tells that systemd started this process and waits to hear of it.
func Supervised() bool { return os.Getenv("NOTIFY_SOCKET") != "" }
