package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hostFiles is a host that suffices for 1000 connections.
var hostFiles = map[string]string{
	"proc/self/limits":            "Max open files            1024                 4096                 files\n",
	"proc/self/status":            "Cpus_allowed:\t3\n",
	"proc/meminfo":                "MemTotal: 4000000 kB\nSwapTotal: 0 kB\n",
	"proc/sys/net/core/somaxconn": "4096\n",
	"proc/sys/net/ipv4/tcp_mem":   "10000 20000 30000\n",
}

// hostRoot makes an image of /, with one file changed if there is one.
func hostRoot(t *testing.T, path, content string) string {
	t.Helper()
	root := t.TempDir()
	put := func(path, content string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for p, c := range hostFiles {
		put(p, c)
	}
	if path != "" {
		put(path, content)
	}
	return root
}

func TestTuningCheck(t *testing.T) {
	t.Parallel()
	good := hostRoot(t, "", "")
	garbage := hostRoot(t, "proc/sys/net/ipv4/tcp_mem", "a lot\n")
	for _, c := range []struct {
		line string
		code int
		want []string // parts of the output
	}{
		{"--root " + good + " --connections 1000", 0, []string{"RLIMIT_NOFILE", "4096 (soft 1024)", "2257", "1000 connections: ", " 0 low"}},
		{"--root " + good + " --connections 4000", 1, []string{"-> LimitNOFILE=5257 in the unit", "EMFILE", "1 low"}},
		{"--root " + good + " --connections 1000 --buffers 8192,4096", 0, []string{"net.core.wmem_max"}},
		{"--root " + garbage + " --connections 1000", 2, []string{`/proc/sys/net/ipv4/tcp_mem: found "a lot", wanted three whole numbers`, "net.core.somaxconn"}},
		{"--root " + t.TempDir() + " --connections 1000", 2, []string{"cannot read the limits", "proc/self"}},
		{"--root " + good + " --pid 77 --connections 1000", 2, []string{"cannot read the limits", "proc/77"}},
		{"--connections 0", 2, []string{"cannot judge for 0 connections: the number must be from 1 to 100000000"}},
		{"--connections -3", 2, []string{"-3 connections"}},
		{"--connections 100000001", 2, []string{"100000001 connections", "from 1 to 100000000"}},
		{"--connections many", 2, []string{`invalid value "many"`}},
		{"--connections 10 --buffers 4", 2, []string{"--buffers 4: two whole numbers"}},
		{"--connections 10 --buffers -1,4", 2, []string{"a buffer of -1 bytes"}},
		{"--conections 10", 2, []string{"flag provided but not defined: -conections"}},
		{"--connections 10 now", 2, []string{`unexpected argument "now": try vernemq tuning check --help`}},
		{"--base " + t.TempDir(), 2, []string{"vernemq.conf", "give --connections N"}},
		{"--connections 10 --config /none.conf", 2, []string{"/none.conf"}},
	} {
		r := vernemq(t, append([]string{"tuning", "check"}, strings.Fields(c.line)...)...)
		for _, want := range c.want {
			if !strings.Contains(r.all(), want) {
				t.Errorf("%s: %q is missing in %v", c.line, want, r)
			}
		}
		if r.code != c.code {
			t.Errorf("%s: want exit %d, got %v", c.line, c.code, r)
		}
	}
	if r := vernemq(t, "tuning"); r.code != 1 || !strings.Contains(r.err, "a command is missing") {
		t.Errorf("tuning alone: %v", r)
	}
}

// The connections come from the listeners, their buffers, too.
func TestTuningConfigured(t *testing.T) {
	t.Parallel()
	_, flags := node(t, "listener.tcp.max_connections = 300", "listener.tcp.more = 127.0.0.1:1", "listener.tcp.more.buffer_sizes = 8000,9000,0")
	r := vernemq(t, with("tuning check", flags, "--json", "--root", hostRoot(t, "", ""))...)
	var report struct {
		Connections int
		Verdict     string
		Items       []struct{ Name, Found, Wanted, Verdict, Reason, Remedy string }
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != 0 || report.Connections != 600 || report.Verdict != "ok" {
		t.Fatalf("%v: %v", err, r)
	}
	wanted := map[string]string{}
	for _, i := range report.Items {
		wanted[i.Name] = i.Wanted
	}
	if wanted["net.core.wmem_max"] != "8000" || wanted["net.core.rmem_max"] != "9000" {
		t.Errorf("%v", wanted)
	}
	_, flags = node(t, "listener.tcp.max_connections = infinity")
	r = vernemq(t, with("tuning check", flags, "--root", hostRoot(t, "", ""))...)
	if r.code != 1 || !strings.Contains(r.err, "listener default has no max_connections and counts as 1000000") {
		t.Errorf("no limit: %v", r)
	}
}

func TestTuningProfile(t *testing.T) {
	t.Parallel()
	root, dir := hostRoot(t, "proc/sys/net/core/somaxconn", "128\n"), filepath.Join(t.TempDir(), "new")
	line := []string{"tuning", "profile", "--root", root, "--connections", "60000", "--output"}
	run := func(more ...string) result { return vernemq(t, append(append([]string(nil), line...), more...)...) }
	r := run(dir)
	conf, unit := filepath.Join(dir, "90-vernemq.conf"), filepath.Join(dir, "vernemq.service")
	if r.code != 0 || r.out != conf+"\n"+unit+"\n" {
		t.Fatalf("%v", r)
	}
	contains(t, conf, "\nnet.core.somaxconn = 2000\n", "\n# net.core.netdev_max_backlog = 1200\n")
	contains(t, unit, "\nLimitNOFILE=61257\n", " console --base /\n", " stop --base /\n", "Type=notify", "WatchdogSec=60", "OOMScoreAdjust=")
	if err := os.Remove(unit); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := run(dir); r.code != 1 || !strings.Contains(r.err, "--force") {
		t.Errorf("over a file: %v", r)
	}
	contains(t, conf, "mine")
	if _, err := os.Stat(unit); err == nil {
		t.Error("half of a profile was written")
	}
	if r := run(dir, "--force"); r.code != 0 {
		t.Errorf("with --force: %v", r)
	}
	contains(t, conf, "somaxconn = 2000")
	if r := run("/dev/null/x"); r.code != 1 || !strings.Contains(r.err, "cannot ") || !strings.Contains(r.err, "/dev/null") {
		t.Errorf("no directory: %v", r)
	}
	if r := run("-", "--full"); r.code != 0 || !strings.Contains(r.out, "\nnet.ipv4.tcp_mem = ") || !strings.Contains(r.out, "\n[Service]\n") {
		t.Errorf("to standard output: %v", r)
	}
}

// The unit of a node below --base has its paths.
func TestTuningUnit(t *testing.T) {
	t.Parallel()
	b, flags := node(t, "listener.tcp.max_connections = 300", "platform_data_dir = ./elsewhere")
	r := vernemq(t, with("tuning profile", flags, "--set", "retry_interval=7")...)
	for _, want := range []string{
		" console --base " + b.base + " --config " + flags[1] + " --set retry_interval=7\n",
		"\nReadWritePaths=-" + b.base + "/elsewhere\n", "\nReadWritePaths=-" + b.base + "/log\n",
	} {
		if r.code != 0 || !strings.Contains(r.out, want) {
			t.Errorf("%q is missing in %v", want, r)
		}
	}
}

func contains(t *testing.T, path string, parts ...string) {
	t.Helper()
	b, err := os.ReadFile(path)
	for _, p := range parts {
		if err != nil || !strings.Contains(string(b), p) {
			t.Errorf("%s: %q is missing (%v) in:\n%s", path, p, err, b)
		}
	}
}

// A broker says at its start that the host does not suffice for its
// configuration, and runs.
func TestTuningWarnings(t *testing.T) {
	oursOnly(t, "warnings about limits")
	t.Parallel()
	b := startBroker(t, 1, "listener.tcp.max_connections=90000000")
	for end := time.Now().Add(patience); !strings.Contains(string(b.log()), "node started") && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	log := string(b.log())
	for _, want := range []string{
		"RLIMIT_NOFILE is ", "net.core.somaxconn is ", "but max_connections allows 90000000 connections", "Remedy: ",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is missing in:\n%s", want, log)
		}
	}
	b.works(t)
}
