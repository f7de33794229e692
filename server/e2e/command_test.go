package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// result is what a command did.
type result struct {
	out, err string
	code     int
}

func (r result) all() string { return r.out + r.err }

func (r result) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", r.code, r.out, r.err)
}

// vernemq runs our program to its end. Only our program has these commands.
func vernemq(t *testing.T, args ...string) result {
	t.Helper()
	oursOnly(t, "other commands")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(2*patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	r := result{}
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		r.code = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("vernemq %v: %v", args, err)
	}
	r.out, r.err = out.String(), pressure.ReplaceAllString(errOut.String(), "")
	return r
}

// pressure is what the library for metrics says at the start of each program
// on a kernel without pressure files.
var pressure = regexp.MustCompile(`(?m)^.* INFO: metrics: disable exposing PSI metrics .*\n`)

// node writes a configuration of its own and returns the flags that name it.
func node(t *testing.T, lines ...string) (b *broker, flags []string) {
	t.Helper()
	b = &broker{base: t.TempDir(), port: freePort()}
	file := filepath.Join(b.base, "test.conf")
	text := b.config() + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return b, []string{"--config", file, "--base", b.base}
}

func with(command string, flags []string, more ...string) []string {
	return append(append(strings.Fields(command), flags...), more...)
}

func TestCommandVersion(t *testing.T) {
	t.Parallel()
	r := vernemq(t, "version")
	if r.code != 0 || !regexp.MustCompile(`^\S+\n$`).MatchString(r.out) || r.err != "" {
		t.Errorf("vernemq version: %v", r)
	}
}

func TestCommandChkconfig(t *testing.T) {
	t.Parallel()
	_, good := node(t)
	if r := vernemq(t, with("chkconfig", good)...); r.code != 0 || !strings.HasPrefix(r.out, "config is OK\n") {
		t.Errorf("a good file: %v", r)
	}
	for name, bad := range map[string]string{
		"unknown key": "no.such.key = 1", "no number": "max_inflight_messages = many",
		"no flag": "allow_anonymous = yes", "no value": "retry_interval =", "no equals": "retry_interval",
		"no address": "listener.tcp.other = 127.0.0.1",
	} {
		b, flags := node(t, "retry_interval = 20", bad)
		r := vernemq(t, with("chkconfig", flags)...)
		line := 1 + strings.Count(b.config(), "\n") + 1
		if r.code != 1 || !namesPlace(r.all(), flags[1], line) || strings.Contains(r.out, "OK") {
			t.Errorf("%s: want exit 1 and %s line %d, got %v", name, flags[1], line, r)
		}
	}
	r := vernemq(t, "chkconfig", "--config", filepath.Join(t.TempDir(), "none.conf"), "--base", t.TempDir())
	if r.code != 1 || !strings.Contains(r.all(), "none.conf") {
		t.Errorf("no file: %v", r)
	}
}

// namesPlace says whether a text names a line of a file, as FILE:N or line N.
func namesPlace(text, file string, line int) bool {
	place := regexp.MustCompile(fmt.Sprintf(`(%s:%d\b|\bline %d\b)`, regexp.QuoteMeta(filepath.Base(file)), line, line))
	return strings.Contains(text, filepath.Base(file)) && place.MatchString(text)
}

// A misspelt key is fatal and comes with keys that may have been meant.
func TestCommandUnknownKey(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"chkconfig", "console", "start"} {
		b, flags := node(t, "max_inflight_message = 3")
		r := vernemq(t, with(command, flags)...)
		for _, want := range []string{"max_inflight_message", "Did you mean", "max_inflight_messages"} {
			if !strings.Contains(r.all(), want) {
				t.Errorf("%s: no %q in %v", command, want, r)
			}
		}
		line := 1 + strings.Count(b.config(), "\n")
		if r.code != 1 || !namesPlace(r.all(), flags[1], line) {
			t.Errorf("%s: want exit 1 and line %d, got %v", command, line, r)
		}
	}
	_, flags := node(t)
	if r := vernemq(t, with("chkconfig", flags, "--set", "retry_intervall=3")...); r.code != 1 || !strings.Contains(r.all(), "retry_interval") {
		t.Errorf("--set of an unknown key: %v", r)
	}
}

func TestCommandStartStop(t *testing.T) {
	t.Parallel()
	b, flags := node(t)
	if r := vernemq(t, with("ping", flags)...); r.code != 1 || strings.Contains(r.out, "pong") {
		t.Errorf("ping of no node: %v", r)
	}
	if r := vernemq(t, with("stop", flags)...); r.code != 1 {
		t.Errorf("stop of no node: %v", r)
	}
	r := vernemq(t, with("start", flags)...)
	t.Cleanup(func() { vernemq(t, with("stop", flags)...) })
	if r.code != 0 {
		t.Fatalf("start: %v", r)
	}
	// Started means that clients can connect, without any waiting.
	c := b.connect(t, connect{v: 5, id: "first"})
	if r := vernemq(t, with("ping", flags)...); r.code != 0 || r.out != "pong\n" {
		t.Errorf("ping: %v", r)
	}
	for _, command := range []string{"start", "console"} {
		if r := vernemq(t, with(command, flags)...); r.code != 1 || !strings.Contains(r.all(), "already running") {
			t.Errorf("%s of a running node: %v", command, r)
		}
	}
	c.quiet() // which leaves the running one alone
	if r := vernemq(t, with("stop", flags)...); r.code != 0 || r.out != "ok\n" {
		t.Errorf("stop: %v", r)
	}
	c.closed(0x8B)
	if l, err := net.Listen("tcp", b.addr()); err != nil {
		t.Errorf("the port is not free after stop: %v", err)
	} else {
		l.Close()
	}
	if r := vernemq(t, with("ping", flags)...); r.code != 1 {
		t.Errorf("ping after stop: %v", r)
	}
	if r := vernemq(t, with("start", flags)...); r.code != 0 {
		t.Errorf("start after stop: %v", r)
	}
	b.connect(t, connect{v: 4, id: "second"}).quiet()
}

// A node that was killed leaves nothing that keeps the next from starting.
func TestCommandStartAfterCrash(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		b.kill()
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		b.works(t)
	}, "max_inflight_messages=20")
}

func TestCommandPortInUse(t *testing.T) {
	t.Parallel()
	b, flags := node(t)
	l, err := net.Listen("tcp", b.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, command := range []string{"console", "start"} {
		r := vernemq(t, with(command, flags)...)
		if r.code != 1 || !strings.Contains(r.all(), b.addr()) ||
			!regexp.MustCompile(`eaddrinuse|(already )?in use`).MatchString(r.all()) {
			t.Errorf("%s: want exit 1 and %s in use, got %v", command, b.addr(), r)
		}
		if strings.Contains(r.all(), "goroutine ") {
			t.Errorf("%s: a stack trace: %v", command, r)
		}
	}
}

func TestCommandConfig(t *testing.T) {
	t.Parallel()
	b, flags := node(t, "max_inflight_messages = 7", "retry_interval = 30", "retry_interval = 31")
	r := vernemq(t, with("config effective", flags, "--set", "max_client_id_size=50")...)
	if r.code != 0 {
		t.Fatalf("config effective: %v", r)
	}
	for _, want := range []string{
		"allow_anonymous = on", "max_inflight_messages = 7", "retry_interval = 31", "max_client_id_size = 50",
		"max_online_messages = 1000", fmt.Sprintf("listener.tcp.default = 127.0.0.1:%d", b.port),
	} {
		if !strings.Contains("\n"+r.out, "\n"+want+"\n") {
			t.Errorf("config effective has no line %q", want)
		}
	}
	r = vernemq(t, with("config describe", flags, "max_inflight_messages")...)
	for _, want := range []string{"max_inflight_messages", "20", "7"} { // name, default, value set
		if r.code != 0 || !strings.Contains(r.out, want) {
			t.Errorf("config describe: no %s in %v", want, r)
		}
	}
	if r := vernemq(t, with("config describe", flags, "nosuch")...); !strings.Contains(r.all(), "'nosuch' not found") {
		t.Errorf("config describe nosuch: %v", r)
	}
	if r := vernemq(t, with("config describe", flags)...); r.code != 1 || !strings.Contains(r.all(), "requires a variable name") {
		t.Errorf("config describe without a key: %v", r)
	}
}

// Files included later win, as packages rely on it.
func TestCommandInclude(t *testing.T) {
	t.Parallel()
	b, flags := node(t, "retry_interval = 30", "include conf.d/*.conf")
	dir := filepath.Join(b.base, "conf.d")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a.conf", "retry_interval = 40 # more\r\n")
	if r := vernemq(t, with("config effective", flags)...); !strings.Contains(r.out, "retry_interval = 40\n") {
		t.Errorf("the included file does not win: %v", r)
	}
	write("b.conf", "# fine\nretry_intervall = 1\n")
	if r := vernemq(t, with("chkconfig", flags)...); r.code != 1 || !namesPlace(r.all(), "b.conf", 2) {
		t.Errorf("want b.conf line 2, got %v", r)
	}
}
