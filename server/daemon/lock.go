// Package daemon is what makes the broker a well-behaved process: one per data
// directory, reachable by its own command line, started in the background with
// a clear answer.
package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Lock is the claim of a running broker on its data directory. The operating
// system takes it back when the process ends, however it ends.
type Lock struct{ file *os.File }

// Acquire claims the data directory, which is made if it does not exist. The
// error names the process that has it.
func Acquire(dataDir string) (*Lock, error) {
	if err := os.MkdirAll(dataDir, 0o750); err != nil {
		return nil, fmt.Errorf("cannot make the data directory: %w", err)
	}
	path := filepath.Join(dataDir, "vernemq.pid")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("cannot claim the data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("node is already running: process %s has the data directory %s", readPID(f), dataDir)
		}
		return nil, fmt.Errorf("cannot lock %s: %w", path, err)
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot write %s: %w", path, err)
	}
	return &Lock{f}, nil
}

// Free tells that no process has a claim on the data directory. It changes
// nothing.
func Free(dataDir string) bool {
	f, err := os.Open(filepath.Join(dataDir, "vernemq.pid"))
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil
}

func readPID(f *os.File) string {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	if pid := strings.TrimSpace(string(b[:n])); pid != "" {
		return pid
	}
	return "(unknown)"
}

// Release gives the directory free.
func (l *Lock) Release() { l.file.Close() }
