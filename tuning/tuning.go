// Package tuning reads the limits of the kernel that bound what a broker can
// hold, and judges whether they suffice.
package tuning

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// TCPMemory is one of the kernel's settings net.ipv4.tcp_rmem and tcp_wmem:
// bytes of buffer that a TCP socket has at least, at first and at most.
type TCPMemory struct{ Min, Default, Max int }

// The files of the settings.
const (
	TCPReceive = "/proc/sys/net/ipv4/tcp_rmem"
	TCPSend    = "/proc/sys/net/ipv4/tcp_wmem"
)

// ReadTCPMemory reads such a setting.
func ReadTCPMemory(path string) (TCPMemory, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return TCPMemory{}, fmt.Errorf("cannot read a kernel setting: %w", err)
	}
	var v [3]int
	f := strings.Fields(string(b))
	for i := range v {
		if len(f) != len(v) {
			return TCPMemory{}, fmt.Errorf("cannot read %s: %d values instead of 3", path, len(f))
		}
		if v[i], err = strconv.Atoi(f[i]); err != nil {
			return TCPMemory{}, fmt.Errorf("cannot read %s: %w", path, err)
		}
	}
	return TCPMemory{v[0], v[1], v[2]}, nil
}

// OpenFiles is the number of descriptors that this process may open.
func OpenFiles() (int, error) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, fmt.Errorf("cannot read the limit of open files: %w", err)
	}
	return int(min(r.Cur, 1<<31-1)), nil
}

// filesBesides is what the broker opens besides connections: loops, store,
// logs.
const filesBesides = 256

// JudgeOpenFiles says what is wrong with a limit of open files for a number of
// connections, or nothing.
func JudgeOpenFiles(limit, connections int) string {
	if limit >= connections+filesBesides {
		return ""
	}
	return fmt.Sprintf("at most %d files may be open, but the listeners allow %d connections: raise the limit (ulimit -n, LimitNOFILE) to %d or lower max_connections",
		limit, connections, connections+filesBesides)
}
