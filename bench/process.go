package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a running broker as the kernel shows it.
type process int

// usage is what a process has used since it began.
type usage struct {
	cpu      time.Duration // user and kernel mode
	memory   int64         // resident bytes now
	switches int64         // context switches of the threads that live
	calls    int64         // read and write calls; 0 when not readable
	written  int64         // bytes written to disks; 0 when not readable
}

func (p process) usage() (u usage, err error) {
	if u.cpu, err = p.cpu(); err == nil {
		u.memory, err = p.memory()
	}
	if err != nil {
		if _, gone := os.Stat(p.file("")); errors.Is(gone, os.ErrNotExist) {
			return u, fmt.Errorf("there is no process %d", int(p))
		}
		return u, err
	}
	u.switches = p.switches()
	u.calls = p.calls()
	u.written, _ = field(p.file("io"), "write_bytes:") // as calls
	return u, nil
}

// cpu reads the process's CPU clock, which counts nanoseconds where /proc has
// hundredths of a second.
func (p process) cpu() (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED of the kernel's posix-timers.h
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^int(p)<<3|schedClock), &ts); err != nil {
		return 0, fmt.Errorf("cannot read the CPU time of process %d: %w", int(p), err)
	}
	return time.Duration(ts.Nano()), nil
}

// memory is the resident memory in bytes.
func (p process) memory() (int64, error) {
	n, err := field(p.file("status"), "VmRSS:")
	if err != nil {
		return 0, fmt.Errorf("cannot read the memory of process %d: %w", int(p), err)
	}
	return n << 10, nil
}

func (p process) file(name string) string { return filepath.Join("/proc", strconv.Itoa(int(p)), name) }

// field reads a number of a file that has lines of name and number.
func field(file, name string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}

// switches are those of all threads; one that ends takes its own along.
func (p process) switches() (n int64) {
	tasks, _ := filepath.Glob(p.file("task/*/status")) // the pattern is right
	for _, t := range tasks {
		voluntary, _ := field(t, "voluntary_ctxt_switches:") // 0 for a thread that has just ended
		forced, _ := field(t, "nonvoluntary_ctxt_switches:")
		n += voluntary + forced
	}
	return n
}

// calls counts what /proc/PID/io does, which only the process's user may read.
func (p process) calls() int64 {
	r, err := field(p.file("io"), "syscr:")
	if err != nil {
		return 0
	}
	w, _ := field(p.file("io"), "syscw:")
	return r + w
}
