package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// notifyEnv tells a process started by Spawn on which descriptor its parent
// waits.
const notifyEnv = "VERNEMQ_NOTIFY_FD"

const ready = "ready"

// Spawn starts this program again in the background with other arguments and
// waits until it calls Ready or fails. Its standard output and error go to
// output from then on; the error has what it printed until it failed.
func Spawn(args []string, output string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o750); err != nil {
		return fmt.Errorf("cannot make the log directory: %w", err)
	}
	out, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", output, err)
	}
	defer out.Close()
	start, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("cannot seek in %s: %w", output, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot make a pipe: %w", err)
	}
	defer r.Close()
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{w} // descriptor 3
	cmd.Env = append(os.Environ(), notifyEnv+"=3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return fmt.Errorf("cannot start in the background: %w", err)
	}
	said, err := io.ReadAll(r) // until the child is ready or gone
	if err == nil && string(said) == ready {
		return cmd.Process.Release()
	}
	cmd.Wait()
	return errors.New(printedSince(output, start))
}

// printedSince is what stands in a file behind an offset, as a reason.
func printedSince(path string, start int64) string {
	b, err := os.ReadFile(path)
	if err == nil && int64(len(b)) > start {
		if text := strings.TrimSpace(string(bytes.ToValidUTF8(b[start:], []byte("?")))); text != "" {
			return text
		}
	}
	return "the node ended without a word"
}

// Ready tells the process that called Spawn, if there is one, that all is
// well.
func Ready() {
	if os.Getenv(notifyEnv) == "" {
		return
	}
	os.Unsetenv(notifyEnv)
	f := os.NewFile(3, "notify")
	_, _ = f.WriteString(ready) // a parent that is gone does not matter
	f.Close()
}
