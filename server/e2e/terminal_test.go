package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vernemq/server/daemon"
)

// terminal is a shell in tmux.
type terminal struct {
	t      *testing.T
	socket string
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	oursOnly(t, "vmq-admin")
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed")
	}
	// The path of a socket may not be long.
	dir, err := os.MkdirTemp("", "tmux")
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t, filepath.Join(dir, "s")}
	t.Cleanup(func() {
		_ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() // our own, by its socket
		os.RemoveAll(dir)
	})
	x.tmux("-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "50", "bash", "--norc", "--noprofile")
	x.shows("bash") // its prompt, of root or not
	return x
}

func (x *terminal) tmux(args ...string) string {
	x.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", x.socket}, args...)...).CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (x *terminal) keys(keys ...string) { x.tmux(append([]string{"send-keys"}, keys...)...) }

// shows waits until something stands on the screen.
func (x *terminal) shows(want string) {
	x.t.Helper()
	screen := ""
	defer func() {
		if x.t.Failed() {
			x.t.Logf("the screen:\n%s", screen)
		}
	}()
	eventually(x.t, want, func() bool {
		screen = x.tmux("capture-pane", "-p")
		return strings.Contains(screen, want)
	})
}

// TestTerminal completes a command line, shows a table and traces a client
// until Ctrl-C, as an operator would.
func TestTerminal(t *testing.T) {
	t.Parallel()
	x := newTerminal(t)
	b := launch(t, &broker{loops: 1, settings: []string{"max_inflight_messages=20"}})
	path, err := vmqAdmin()
	if err != nil {
		t.Fatal(err)
	}
	x.keys(fmt.Sprintf("PATH=%s:$PATH VERNEMQ_BASE=%s; export VERNEMQ_BASE; source <(vmq-admin completion bash); clear", filepath.Dir(path), b.base), "Enter")
	x.keys("vmq-admin sess", "Tab", "unsu", "Tab", "cl", "Tab")
	x.shows("vmq-admin session unsubscribe client-id=")
	x.keys("C-u", "vmq-admin set max_infl", "Tab")
	x.shows("vmq-admin set max_inflight_messages=")
	x.keys("12", "Enter")
	x.shows(`max_inflight_messages set to "12"`)

	b.connect(t, connect{v: 4, id: "seen"})
	x.keys("clear; vmq-admin session show --client_id --is_onl", "Tab", "Enter")
	x.shows("| client_id | is_online |")
	if raw := x.tmux("capture-pane", "-p", "-e"); !strings.Contains(raw, "\x1b[1mclient_id") {
		t.Errorf("the header is not bold on a terminal: %q", raw)
	}

	x.keys("clear; vmq-admin trace client client-id=traced", "Enter")
	x.shows(`No sessions found for client "traced"`)
	c := b.connect(t, connect{v: 5, id: "traced"})
	x.shows("CONNECT(c: traced, v: 5, u: undefined, p: pw_no_print, cs: true, ka: 0)")
	c.subscribe(1, "a")
	x.shows("SUBACK(m1, reason_codes:[1])")
	x.keys("C-c")
	x.shows("Done.")
	x.keys("echo exit $?", "Enter")
	x.shows("exit 0")
	c.quiet()
}

// TestTerminalGoes ends a node in order when the terminal goes that it runs in.
func TestTerminalGoes(t *testing.T) {
	t.Parallel()
	x := newTerminal(t)
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	b, flags := node(t)
	x.keys(fmt.Sprintf("%s console %s", path, strings.Join(flags, " ")), "Enter")
	x.shows("node started")
	c := b.connect(t, connect{v: 5, id: "c"})
	x.tmux("kill-server")
	c.closed(0x8B)
	eventually(t, "the data directory is free", func() bool { return daemon.Free(filepath.Join(b.base, "data")) })
}
