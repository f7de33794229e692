package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// broker is a broker process, ours or another one.
type broker struct {
	loops    int
	port     int
	base     string   // --base, holds everything the process writes
	settings []string // key=value in our configuration's words
	conf     string   // configuration file; "" makes one
	wrap     []string // command in front of the broker's, for example prlimit

	written int // bytes of the log when the process was started
	cmd     *exec.Cmd
	exited  chan struct{} // closed once the process has ended
	result  error         // of Wait, valid after exited
}

// startBroker starts a broker that ends with the test.
func startBroker(t *testing.T, loops int, settings ...string) *broker {
	t.Helper()
	return launch(t, &broker{loops: loops, settings: settings})
}

func launch(t *testing.T, b *broker) *broker {
	t.Helper()
	b.base = t.TempDir()
	if mosquitto() {
		for _, s := range b.settings {
			if _, ok := mosquittoSetting(s); !ok {
				t.Skipf("not on mosquitto: it has no setting %s", s)
			}
		}
	}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("end of the broker's log:\n%s", b.tail())
		}
	})
	return b
}

// start starts the process and waits until it accepts connections. A broker
// that is started again keeps its port and files.
func (b *broker) start() error {
	if err := b.launch(); err != nil {
		return err
	}
	return b.awaitListener()
}

// launch starts the process.
func (b *broker) launch() error {
	path, err := program()
	if err != nil {
		return err
	}
	if b.port == 0 {
		b.port = freePort()
	}
	args, err := b.command(path)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(b.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	b.written = len(b.log())
	args = append(append([]string(nil), b.wrap...), args...)
	b.cmd = exec.Command(args[0], args[1:]...)
	b.cmd.Dir = b.base
	b.cmd.Stdout, b.cmd.Stderr = log, log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // if the tests crash
	if err := b.cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the broker: %w", err)
	}
	exited := make(chan struct{})
	b.exited = exited
	go func(cmd *exec.Cmd) {
		b.result = cmd.Wait()
		close(exited)
	}(b.cmd)
	return nil
}

func (b *broker) awaitListener() error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if b.ended() {
			return fmt.Errorf("the broker ended while starting: %v\n%s", b.result, b.tail())
		}
		if c, err := net.Dial("tcp", b.addr()); err == nil {
			c.Close()
			// Another program may have taken the port meanwhile.
			if mosquitto() || slices.Contains(b.settings, "log.console=file") || bytes.Contains(b.log()[b.written:], []byte("listening")) {
				return nil
			}
		}
	}
	b.kill()
	return fmt.Errorf("the broker does not accept connections\n%s", b.tail())
}

// command writes the configuration and returns the command line.
func (b *broker) command(path string) ([]string, error) {
	conf := filepath.Join(b.base, "test.conf")
	if mosquitto() {
		lines := fmt.Sprintf("user root\nlistener %d 127.0.0.1\nallow_anonymous true\n"+
			"persistence true\npersistence_location %s/\nlog_dest stdout\n", b.port, b.base)
		for _, s := range b.settings {
			line, _ := mosquittoSetting(s)
			lines += line + "\n"
		}
		return []string{path, "-c", conf}, os.WriteFile(conf, []byte(lines), 0o644)
	}
	args := []string{path, "console", "--config", conf, "--base", b.base,
		"--set", fmt.Sprintf("reactor.loops=%d", b.loops)}
	for _, s := range b.settings {
		args = append(args, "--set", s)
	}
	if b.conf != "" {
		args[3] = b.conf
		return args, nil
	}
	return args, os.WriteFile(conf, []byte(b.config()), 0o644)
}

func (b *broker) config() string {
	return fmt.Sprintf("allow_anonymous = on\nplugins.vmq_acl = off\nplugins.vmq_passwd = off\n"+
		"listener.tcp.default = 127.0.0.1:%d\n"+
		"listener.tcp.allowed_protocol_versions = 3,4,5,131,132\n"+
		"max_client_id_size = 100\n"+
		"log.console = console\n", b.port)
}

// mosquittoSetting translates one of our settings, if mosquitto has it.
func mosquittoSetting(s string) (line string, ok bool) {
	key, value, _ := strings.Cut(s, "=")
	switch key {
	case "max_inflight_messages":
		return "max_inflight_messages " + value, true
	case "max_offline_messages":
		return "max_queued_messages " + value, true
	case "topic_alias_max_client": // 10 is what it has
		return "", value == "10"
	case "allow_anonymous":
		return "allow_anonymous " + strconv.FormatBool(value == "on"), true
	}
	return "", false
}

func (b *broker) addr() string    { return fmt.Sprintf("127.0.0.1:%d", b.port) }
func (b *broker) logFile() string { return filepath.Join(b.base, "console.out") }

func (b *broker) ended() bool {
	select {
	case <-b.exited:
		return true
	default:
		return false
	}
}

// stop ends the process with SIGTERM and says what was wrong with its life.
func (b *broker) stop() error {
	return errors.Join(b.terminate(), b.checkLog())
}

func (b *broker) terminate() error {
	if b.cmd == nil || b.cmd.ProcessState != nil && b.ended() {
		return nil
	}
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-b.exited:
		if b.result != nil {
			return fmt.Errorf("the broker did not exit with 0 after SIGTERM: %w", b.result)
		}
		return nil
	case <-time.After(10 * time.Second):
		// SIGQUIT makes a Go program print what its goroutines wait for.
		_ = b.cmd.Process.Signal(syscall.SIGQUIT)
		time.Sleep(200 * time.Millisecond)
		b.kill()
		return errors.New("the broker was still there 10 s after SIGTERM")
	}
}

// kill ends the process as a crash would.
func (b *broker) kill() {
	_ = b.cmd.Process.Kill()
	<-b.exited
}

func (b *broker) log() []byte {
	out, _ := os.ReadFile(b.logFile())
	return out
}

func (b *broker) checkLog() error {
	log := b.log()
	for _, bad := range []string{"panic", "DATA RACE"} {
		if i := bytes.Index(log, []byte(bad)); i >= 0 {
			return fmt.Errorf("the broker's log contains %q:\n%.6000s", bad, log[max(0, i-300):])
		}
	}
	return nil
}

// tail returns the end of the broker's log.
func (b *broker) tail() string {
	log := b.log()
	return string(log[max(0, len(log)-4000):])
}

// rss returns the resident memory of the broker in bytes.
func (b *broker) rss(t testing.TB) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.cmd.Process.Pid))
	if err != nil {
		t.Fatalf("cannot read the broker's memory: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kb int64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatalf("cannot read VmRSS: %v", err)
	}
	return kb << 10
}

// cpu returns the processor time the broker has used.
func (b *broker) cpu(t testing.TB) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.cmd.Process.Pid))
	if err != nil {
		t.Fatalf("cannot read the broker's CPU time: %v", err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

var ports sync.Map // that were given

// freePort returns a port nobody listens on, below the range the kernel gives
// to outgoing connections, so that none of the many test clients takes it. No
// port is given twice: its broker may just be starting again.
func freePort() int {
	for {
		port := 10000 + rand.IntN(20000)
		if _, given := ports.LoadOrStore(port, true); given {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
}
