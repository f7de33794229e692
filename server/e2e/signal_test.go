package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// console starts our program in the foreground with its output on a pipe, and
// waits until it listens.
func console(t *testing.T) (cmd *exec.Cmd, addr string, out *os.File) {
	t.Helper()
	oursOnly(t, "signals")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close()
	dir := t.TempDir()
	conf := filepath.Join(dir, "vernemq.conf")
	text := fmt.Sprintf("listener.tcp.default = %s\nallow_anonymous = on\nlog.console = console\n", addr)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	cmd = exec.Command(path, "console", "--config", conf, "--base", dir)
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("no listener: %v", err)
		}
		if strings.Contains(line, "listening") {
			return cmd, addr, r
		}
	}
}

// TestHangup reads the files again; a node without a terminal goes on.
func TestHangup(t *testing.T) {
	cmd, addr, out := console(t)
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "configuration reloaded") {
		t.Errorf("%q, %v", line, err)
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the node did not end in order: %v", err)
	}
}

// TestBrokenOutput lets nobody read the log any more: clients notice nothing.
func TestBrokenOutput(t *testing.T) {
	cmd, addr, out := console(t)
	out.Close()
	for range 3 { // each costs a line
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte("garbage"))
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, _ = c.Read(make([]byte, 1))
		c.Close()
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the node did not end in order: %v", err)
	}
}

// TestUnknownCommand fails with a reason, and nothing on the standard output.
func TestUnknownCommand(t *testing.T) {
	for want, args := range map[string][]string{
		"a command is missing":      {},
		"unknown command \"bogus\"": {"bogus"},
		"unknown command \"x\"":     {"config", "x"},
		"not defined: -bogus":       {"console", "--bogus"},
		"has no shell":              {"attach"},
		"no Erlang runtime":         {"ertspath"},
		"nothing is generated":      {"config", "generate", "-l", "debug"},
	} {
		if r := vernemq(t, args...); r.code != 1 || !strings.Contains(r.err, want) || r.out != "" {
			t.Errorf("%v: %v", args, r)
		}
	}
}
