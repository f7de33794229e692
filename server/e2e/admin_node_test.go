package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAdminSettings changes settings of a running node: the clients that are
// connected follow at once, and a reload keeps what was set.
func TestAdminSettings(t *testing.T) {
	t.Parallel()
	b := launch(t, &broker{loops: 2, settings: []string{"max_online_messages=500"}})
	sub := b.connect(t, connect{v: 4, id: "sub"})
	sub.subscribe(1, "t")
	pub := b.connect(t, connect{v: 4, id: "pub"})
	if out := b.done(t, "set max_inflight_messages=1"); out != "max_inflight_messages set to \"1\"\n" {
		t.Error(out)
	}
	for i := range 3 {
		pub.pub(publish{topic: "t", payload: strconv.Itoa(i), qos: 1})
	}
	first := sub.recv()
	sub.quiet() // the window is full
	b.done(t, "set max_inflight_messages=5")
	sub.recv()
	sub.recv()
	_ = first

	conf := filepath.Join(b.base, "test.conf")
	text := b.config() + "max_inflight_messages = 7\nmax_client_id_size = 33\ntopic_max_depth = 4\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	hangup := func() {
		if err := b.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangup()
	show := "show max_client_id_size max_inflight_messages max_online_messages queue_type --origin --format=csv"
	line := strings.Count(text, "\n")
	want := fmt.Sprintf("node,variable,value,origin\r\nVerneMQ@127.0.0.1,max_client_id_size,33,%s:%d\r\nVerneMQ@127.0.0.1,max_inflight_messages,5,set\r\n"+
		"VerneMQ@127.0.0.1,max_online_messages,500,--set max_online_messages\r\nVerneMQ@127.0.0.1,queue_type,fifo,default\r\n", conf, line-1)
	eventually(t, "the file is read again", func() bool { return b.done(t, show) == want })
	eventually(t, "the log says what needs a restart", func() bool { return bytes.Contains(b.log(), []byte("keys=topic_max_depth")) })
	if err := os.WriteFile(conf, []byte(text+"max_client_id_size = many\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	hangup()
	eventually(t, "the log says what is wrong", func() bool {
		return bytes.Contains(b.log(), []byte(fmt.Sprintf("test.conf:%d: Error transforming datatype for: max_client_id_size", line+1)))
	})
	if out := b.done(t, show); out != want {
		t.Errorf("after a bad file: %s", out)
	}
	b.done(t, "config reset app=vmq_server")
	if out := b.done(t, "show max_inflight_messages --format=csv"); !strings.Contains(out, ",7\r\n") {
		t.Error(out)
	}
	if r := b.admin(t, "set", "max_inflight_messages=many"); r.code != 1 || !strings.Contains(r.out, "cannot be converted") {
		t.Error(r)
	}
	pub.pub(publish{topic: "other", payload: "x", qos: 1}) // nobody was disturbed
	if err := os.WriteFile(conf, []byte(b.config()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestAdminTrace watches a client with vmq-admin, until the input ends.
func TestAdminTrace(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		id := unique("traced")
		cmd, _, errOut := b.adminCommand(t, "trace", "client", "client-id="+id, "--trunc-payload=4", "--no-time", "--rate-max=1000")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "out")
		out, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		text := func() string { s, _ := os.ReadFile(file); return string(s) }
		eventually(t, "the trace runs", func() bool { return strings.Contains(text(), "No sessions found") })
		c := b.connect(t, connect{v: 4, id: id, flags: 0xC0, rest: join("bob", "secret"), will: &will{topic: "w", payload: "bye", qos: 1}})
		c.subscribe(2, "tr/"+id)
		c.pub(publish{topic: "tr/" + id, payload: "hello", qos: 0})
		c.recv()
		c.leave()
		eventually(t, "the session ends", func() bool { return strings.Contains(text(), "stopped") })
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v, %s", err, errOut)
		}
		lines := strings.Split(text(), "\n")
		pid := strings.Fields(lines[1])[4]
		got := strings.NewReplacer(pid, "P", id, "ID").Replace(text())
		want := `No sessions found for client "ID"
New session with PID P found for client "ID"
P MQTT RECV: CID: "ID" CONNECT(c: ID, v: 4, u: bob, p: pw_no_print, cs: 1, ka: 0)
    with LWT(wr: 0, wq: 1, wt: w) with payload:
    bye
P MQTT SEND: CID: "ID" CONNACK(sp: 0, rc: 0)
P MQTT RECV: CID: "ID" SUBSCRIBE(m1) with topics:
    q:2, t: "tr/ID"
P MQTT SEND: CID: "ID" SUBACK(m1, qt[2])
P MQTT RECV: CID: "ID" PUBLISH(d0, q0, r0, m0, "tr/ID") with payload:
    hell (truncated)
P MQTT SEND: CID: "ID" PUBLISH(d0, q0, r0, m0, "tr/ID") with payload:
    hell (truncated)
P MQTT RECV: CID: "ID" DISCONNECT()
P Trace session for ID stopped
Done.
`
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// TestAdminStop stops and starts the broker within its process.
func TestAdminStop(t *testing.T) {
	t.Parallel()
	b := launch(t, &broker{loops: 1, settings: []string{"max_inflight_messages=20"}})
	c := b.connect(t, connect{v: 5, id: "c"})
	key := strings.TrimSpace(b.done(t, "api-key create"))
	if out := b.done(t, "node stop"); out != "Done\n" {
		t.Error(out)
	}
	c.closed(0x8B)
	for _, line := range []string{"session show", "node status", "retain show", "listener show", "metrics show", "trace client client-id=x"} {
		if r := b.admin(t, strings.Fields(line)...); r.code != 1 || r.out != "broker stopped\n" {
			t.Errorf("%s: %v", line, r)
		}
	}
	b.done(t, "set max_inflight_messages=3")
	b.done(t, "node start")
	if out := b.done(t, "show max_inflight_messages --format=csv"); !strings.Contains(out, ",3\r\n") {
		t.Error(out)
	}
	b.connect(t, connect{v: 5, id: "c"}).quiet()
	if out := b.done(t, "listener show --format=csv"); !strings.Contains(out, fmt.Sprintf("mqtt,running,127.0.0.1,%d,,10000,1,", b.port)) {
		t.Error(out)
	}
	if out := b.done(t, "api-key show --format=csv"); !strings.Contains(out, key[:6]+"…,mgmt,never,false") || strings.Contains(out, key) {
		t.Error(out)
	}
}

// TestLogReopen moves the log away: after SIGHUP there is a new one.
func TestLogReopen(t *testing.T) {
	t.Parallel()
	b, flags := node(t, "log.console = file")
	if r := vernemq(t, with("start", flags)...); r.code != 0 {
		t.Fatal(r)
	}
	defer vernemq(t, with("stop", flags)...)
	log := filepath.Join(b.base, "log", "console.log")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(vernemq(t, with("getpid", flags)...).out))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new log", func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), "configuration reloaded")
	})
	if out := b.done(t, "log level logger=consolefile level=error"); out != "Done\n" {
		t.Error(out)
	}
	if out := b.done(t, "log show config --format=csv"); !strings.Contains(out, "consolefile,error,file,"+log) {
		t.Error(out)
	}
}

// TestLifecycle restarts a node and asks for its process.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	b, flags := node(t, "nodename = n@127.0.0.1", "platform_data_dir = ./elsewhere")
	for _, command := range []string{"getpid", "restart", "stop", "ping"} {
		if r := vernemq(t, with(command, flags)...); r.code != 1 || r.err != "Node 'n@127.0.0.1' not responding to pings.\n" {
			t.Errorf("%s: %v", command, r)
		}
	}
	if r := vernemq(t, with("start", flags)...); r.code != 0 || r.out != "" {
		t.Fatal(r)
	}
	first := vernemq(t, with("getpid", flags)...).out
	stillThere(t, b, flags)
	if r := vernemq(t, with("restart", flags)...); r.code != 0 || r.out != "ok\n" {
		t.Error(r)
	}
	if second := vernemq(t, with("getpid", flags)...).out; second == first || second == "" {
		t.Errorf("process %s after %s", second, first)
	}
	if r := vernemq(t, with("stop", flags)...); r.code != 0 || r.out != "ok\n" {
		t.Error(r)
	}
	if r := vernemq(t, "config"); r.code != 1 || !strings.HasPrefix(r.out, "Valid commands for vernemq config are:\n") {
		t.Error(r)
	}
}

// stillThere spoils the configuration of a node and mends it again: meanwhile
// the node answers, and a restart stops nothing that could not start again.
func stillThere(t *testing.T, b *broker, flags []string) {
	t.Helper()
	file := flags[1]
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(good, "max_inflight_messages = many\nnonsense\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	line := bytes.Count(good, []byte("\n")) + 1
	if r := vernemq(t, with("restart", flags)...); r.code != 1 || r.out != "" || !namesPlace(r.err, file, line) || !namesPlace(r.err, file, line+1) {
		t.Errorf("restart with a bad file: %v", r)
	}
	if r := vernemq(t, with("ping", flags)...); r.code != 0 || r.out != "pong\n" {
		t.Errorf("ping with a bad file: %v", r)
	}
	if r := vernemq(t, with("ping", flags, "now")...); r.code != 1 || !strings.Contains(r.err, `unexpected argument "now"`) {
		t.Errorf("ping with a word too many: %v", r)
	}
	b.done(t, "cluster show")
	if err := os.WriteFile(file, good, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestSystemd runs `vernemq start` as a service: it stays in the foreground and
// tells when it is ready, alive, reloading and stopping.
func TestSystemd(t *testing.T) {
	t.Parallel()
	oursOnly(t, "systemd")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	await := func(want string) {
		t.Helper()
		_ = socket.SetReadDeadline(time.Now().Add(patience))
		for buf := make([]byte, 4096); ; {
			n, err := socket.Read(buf)
			if err != nil {
				t.Fatalf("no %s: %v", want, err)
			}
			if strings.HasPrefix(string(buf[:n]), want) {
				return
			}
		}
	}
	_, flags := node(t)
	cmd := exec.Command(path, with("start", flags)...)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(dir, "notify"), "WATCHDOG_USEC=100000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	await("READY=1")
	await("WATCHDOG=1")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await("RELOADING=1\nMONOTONIC_USEC=")
	await("READY=1")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await("STOPPING=1")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
