package tuning

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// TestProfileSuffices applies the profile of each host to its files: then no
// setting of the kernel is low, and none is lower than before.
func TestProfileSuffices(t *testing.T) {
	for _, c := range hosts {
		for _, n := range []int64{1, 999, 10_000, 250_000, 1_000_000, MaxConnections} {
			for _, full := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %d %t", c.name, n, full), func(t *testing.T) {
					p := c.plan
					p.Connections = n
					h, err := readHost(t, c.name)
					if err != nil {
						t.Fatal(err)
					}
					files := hostFS(t, c.name)
					apply(t, files, Sysctl(h, p, full))
					after, err := Read(files, "self")
					if err != nil {
						t.Fatal(err)
					}
					after.PageSize = h.PageSize
					for _, i := range Judge(after, p).Items {
						if i.value != "" && (i.Verdict == Low || full && i.Verdict != OK) {
							t.Errorf("afterwards: %+v", i)
						}
					}
				})
			}
		}
	}
}

// apply does what sysctl would with a file.
func apply(t *testing.T, files fstest.MapFS, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(strings.TrimPrefix(line, "-"), " = ")
		if !ok {
			t.Fatalf("not a setting: %q", line)
		}
		path := "proc/sys/" + strings.ReplaceAll(key, ".", "/")
		if old := files[path]; old != nil && key != "vm.swappiness" && key != "vm.overcommit_memory" {
			notLower(t, key, string(old.Data), value)
		}
		files[path] = &fstest.MapFile{Data: []byte(value + "\n")}
	}
}

func notLower(t *testing.T, key, old, value string) {
	t.Helper()
	o, v := strings.Fields(old), strings.Fields(value)
	for i := range o {
		before, err1 := strconv.ParseInt(o[i], 10, 64)
		now, err2 := strconv.ParseInt(v[i], 10, 64)
		if err1 != nil || err2 != nil || now < before {
			t.Errorf("%s: %q becomes %q", key, old, value)
		}
	}
}

// TestUnitVerified lets systemd read the unit, where it is installed.
func TestUnitVerified(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	h, err := readHost(t, "bare-metal")
	if err != nil {
		t.Fatal(err)
	}
	for name, u := range map[string]Unit{
		"vernemq":    {Executable: "/bin/true", Base: "/", Data: "/var/lib/vernemq", Logs: "/var/log/vernemq"},
		"vernemq-at": {Executable: "/bin/true", Base: "/srv/100% mqtt $HOME", Config: `/srv/"x y"\z.conf`, Set: []string{"a=b c"}, Data: "/srv/100% mqtt $HOME/data", Logs: "/srv/log"},
	} {
		text, err := u.Write(h, Plan{Connections: 1_000_000, Sockets: 63})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name+".service")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput()
		if err != nil || strings.Contains(string(out), path) {
			t.Errorf("%v: %s\n%s", err, out, text)
		}
	}
}

func TestUnitProtects(t *testing.T) {
	for _, c := range []struct{ base, home, tmp string }{
		{"/", "yes", "yes"}, {"/srv/mqtt", "yes", "yes"}, {"/home/a/mqtt", "no", "yes"}, {"/root", "no", "yes"}, {"/tmp/x", "yes", "no"}, {"/homestead", "yes", "yes"},
	} {
		u := Unit{Executable: "/usr/bin/vernemq", Base: c.base, Data: c.base + "/data", Logs: c.base + "/log"}
		if u.ProtectHome() != c.home || u.PrivateTmp() != c.tmp {
			t.Errorf("%s: ProtectHome=%s PrivateTmp=%s", c.base, u.ProtectHome(), u.PrivateTmp())
		}
	}
	if u := (Unit{Base: "/", Others: []string{"/tmp/mqtt.sock"}}); u.PrivateTmp() != "no" {
		t.Error("a unix socket is hidden from its clients")
	}
}

// TestProfilePorts: a range of ports is made larger, not another one.
func TestProfilePorts(t *testing.T) {
	for found, want := range map[string]string{"40000 65535": "32768 65535", "1024 20000": "1024 60999", "32768 33000": "32768 60999"} {
		files := hostFS(t, hosts[0].name)
		files["proc/sys/net/ipv4/ip_local_port_range"] = &fstest.MapFile{Data: []byte(found)}
		h, err := Read(files, "self")
		if err != nil {
			t.Fatal(err)
		}
		if s := Sysctl(h, hosts[0].plan, false); !strings.Contains(s, "\nnet.ipv4.ip_local_port_range = "+want+"\n") {
			t.Errorf("%s: %s", found, s)
		}
	}
}
