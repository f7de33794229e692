package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// vmqAdmin builds vmq-admin once and returns its path.
var vmqAdmin = sync.OnceValues(func() (string, error) {
	path := filepath.Join(tempRoot, "vmq-admin")
	out, err := exec.Command("go", "build", "-o", path, "vernemq/cmd/vmq-admin").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot build vmq-admin: %w\n%s", err, out)
	}
	return path, nil
})

// adminCommand is vmq-admin for a broker; its output goes to a buffer.
func (b *broker) adminCommand(t testing.TB, args ...string) (cmd *exec.Cmd, out, errOut *bytes.Buffer) {
	t.Helper()
	oursOnly(t, "vmq-admin")
	path, err := vmqAdmin()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(path, append([]string{"--base", b.base, "--config", filepath.Join(b.base, "test.conf")}, args...)...)
	out, errOut = new(bytes.Buffer), new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, errOut
	cmd.WaitDelay = time.Second
	return cmd, out, errOut
}

// admin runs vmq-admin to its end.
func (b *broker) admin(t testing.TB, args ...string) result {
	t.Helper()
	cmd, out, errOut := b.adminCommand(t, args...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("vmq-admin %v: %v", args, err)
	}
	return result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// done runs a line that must succeed, and gives what it prints.
func (b *broker) done(t testing.TB, line string) string {
	t.Helper()
	r := b.admin(t, strings.Fields(line)...)
	if r.code != 0 || r.err != "" {
		t.Errorf("vmq-admin %s: %v", line, r)
	}
	return r.out
}

// TestAdminSessions shows and ends real clients.
func TestAdminSessions(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		c := b.connect(t, connect{v: 5, id: "dash-1", flags: 0x80, rest: join("alice")})
		c.subscribe(1, "alerts/+")
		off := b.connect(t, connect{v: 4, id: "off-1", keep: true})
		off.subscribe(1, "sensors/#")
		off.leave()
		pub := b.connect(t, connect{v: 4, id: "pub"})
		pub.pub(publish{topic: "sensors/a", payload: "21.5", qos: 1})
		pub.pub(publish{topic: "sensors/hall", payload: "19.0", qos: 1, retain: true})
		b.connect(t, connect{v: 4, id: "second"})

		out := b.done(t, "session show --client_id --user --is_online --protocol --order-by=client_id --format=csv")
		want := "client_id,is_online,protocol,user\r\ndash-1,true,5,alice\r\noff-1,false,null,null\r\npub,true,4,undefined\r\nsecond,true,4,undefined\r\n"
		if out != want {
			t.Errorf("%q", out)
		}
		table := regexp.MustCompile(`^(\+-+){6}\+\n\| client_id \| is_online \| mountpoint \| peer_host \| peer_port \| user  \|\n(\+-+){6}\+\n\| dash-1    \| true      \|            \| 127\.0\.0\.1 \| \d+ +\| alice \|\n(\+-+){6}\+\n$`)
		if out = b.done(t, "session show --client_id=dash-1"); !table.MatchString(out) {
			t.Errorf("%s", out)
		}
		if out = b.done(t, "session show --client_id=off-1 --offline_messages --topic --format=json"); out != `{"table":[{"offline_messages":2,"topic":"sensors/#"}],"type":"table"}` {
			t.Error(out)
		}
		if out = b.done(t, "session show --client_id=off-1 --payload --routing_key --msg_qos --format=csv"); !strings.Contains(out, "1,21.5,sensors/a\r\n") {
			t.Error(out)
		}
		if out = b.done(t, "retain show --topic=sensors/hall --format=csv"); out != "payload,topic\r\n19.0,sensors/hall\r\n" {
			t.Errorf("%q", out)
		}
		if out = b.done(t, "session unsubscribe client-id=dash-1 topic=alerts/+"); out != "Done\n" {
			t.Error(out)
		}
		if out = b.done(t, "session show --client_id=dash-1 --topic"); out != "" {
			t.Error(out)
		}
		if out = b.done(t, "session disconnect client-id=dash-1"); out != "Done\n" {
			t.Error(out)
		}
		c.closed(0x98)
		b.done(t, "session disconnect clients client-ids=off-1,pub --cleanup")
		b.done(t, "session disconnect batch count=10")
		eventually(t, "nobody is left", func() bool { return b.done(t, "session show") == "" })
		b.done(t, "retain delete --topic=sensors/hall")
		if out = b.done(t, "retain show"); out != "" {
			t.Error(out)
		}
		if out = b.done(t, "node status --format=csv"); !strings.Contains(out, "num_online,0\r\nnum_offline,0\r\n") {
			t.Error(out)
		}
	}, "max_inflight_messages=20")
}

// TestAdminNobody asks where no broker is, and one that dies while it answers.
func TestAdminNobody(t *testing.T) {
	t.Parallel()
	b, _ := node(t, "nodename = n@127.0.0.1")
	for _, args := range [][]string{{"session", "show"}, {}, {"--help"}, {"nosuch"}} {
		if r := b.admin(t, args...); r.code != 1 || r.out != "" || r.err != "Node 'n@127.0.0.1' not responding to pings.\n" {
			t.Errorf("%v: %v", args, r)
		}
	}
	if r := b.admin(t, "-rpctimeout", "soon", "session", "show"); r.code != 1 || strings.Count(r.err, "\n") != 1 {
		t.Error(r)
	}
	b = launch(t, &broker{loops: 1, settings: []string{"max_inflight_messages=20"}})
	cmd, out, errOut := b.adminCommand(t, "trace", "client", "client-id=x")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	pipe, err := os.Create(filepath.Join(b.base, "out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = pipe
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the trace runs", func() bool {
		text, _ := os.ReadFile(pipe.Name())
		return strings.Contains(string(text), "No sessions found")
	})
	b.kill()
	if err := cmd.Wait(); err == nil || strings.Count(errOut.String(), "\n") != 1 || !strings.Contains(errOut.String(), "ended in the middle") {
		t.Errorf("%v, %q, %q", err, out, errOut)
	}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
}

// TestAdminGuard lets only the broker's user in.
func TestAdminGuard(t *testing.T) {
	t.Parallel()
	b := launch(t, &broker{loops: 1, settings: []string{"max_inflight_messages=20"}})
	socket := filepath.Join(b.base, "data", "vernemq.sock")
	if st, err := os.Stat(socket); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	// Somebody else may come as far as the socket.
	for dir := filepath.Dir(socket); len(dir) >= len(b.base); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(b.base), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(tempRoot, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd, out, errOut := b.adminCommand(t, "session", "show")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := cmd.Run(); err == nil || !strings.Contains(errOut.String(), "permission denied") || strings.Count(errOut.String(), "\n") != 1 {
		t.Errorf("%v, %q, %q", err, out, errOut)
	}
}

// TestAdminLarge shows thousands of sessions to somebody who wants the first
// line, and to somebody who reads slowly.
func TestAdminLarge(t *testing.T) {
	t.Parallel()
	b := launch(t, &broker{loops: 2, settings: []string{"max_inflight_messages=20"}})
	const n = 3000
	for i := range n {
		c := b.connect(t, connect{v: 4, id: fmt.Sprintf("client-%05d", i), keep: true})
		c.leave()
	}
	if out := b.done(t, "session show --limit=100000 --client_id --format=csv"); strings.Count(out, "\r\n") != n+1 {
		t.Errorf("%d lines", strings.Count(out, "\n"))
	}
	var pages []string
	after := ""
	for {
		out := b.done(t, "session show --client_id --order-by=client_id --limit=1000 --format=csv"+after)
		rows := strings.Split(strings.TrimSuffix(out, "\r\n"), "\r\n")[1:]
		if out == "" || len(rows) == 0 {
			break
		}
		pages = append(pages, rows...)
		after = " --after=" + rows[len(rows)-1]
		if len(rows) < 1000 {
			break
		}
	}
	for i := range n {
		if i >= len(pages) || pages[i] != fmt.Sprintf("client-%05d", i) {
			t.Fatalf("row %d of %d is wrong", i, len(pages))
		}
	}
	cmd, _, errOut := b.adminCommand(t, "session", "show", "--limit=100000")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	_, _ = io.ReadFull(r, make([]byte, 100))
	r.Close() // as head does
	_ = cmd.Wait()
	if errOut.Len() > 0 {
		t.Errorf("%q", errOut)
	}
	b.done(t, "session disconnect batch count=100000 --is_online=false --cleanup")
	if out := b.done(t, "session show"); out != "" {
		t.Error(out)
	}
}
