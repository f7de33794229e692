package tuning

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// hostFS reads a host of testdata: a comment, then files, each behind a line of
// == and its path.
func hostFS(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for i, part := range strings.Split("\n"+string(b), "\n== ") {
		if path, content, _ := strings.Cut(part, "\n"); i > 0 {
			files[path] = &fstest.MapFile{Data: []byte(content + "\n")}
		}
	}
	return files
}

// readHost reads such a host with the pages of x86.
func readHost(t testing.TB, name string) (*Host, error) {
	t.Helper()
	h, err := Read(hostFS(t, name), "self")
	h.PageSize = 4096
	return h, err
}

func TestGarbage(t *testing.T) {
	h, err := readHost(t, "garbage")
	if err == nil {
		t.Fatal("garbage makes sense")
	}
	for _, want := range []string{
		`/proc/self/limits: found "Max open files  many  files", wanted a line of Max open files`,
		`/proc/self/status: found "Cpus_allowed:\t0", wanted at least one processor`,
		`/proc/self/cgroup: found "no colons here", wanted NUMBER:CONTROLLERS:PATH`,
		`/proc/sys/fs/nr_open: found "-1", wanted a whole number`,
		`/proc/sys/fs/file-nr: found "1 2", wanted three whole numbers`,
		`/proc/sys/net/core/somaxconn: found "", wanted a whole number`,
		`/proc/sys/net/ipv4/tcp_mem: found "1 2 three", wanted three whole numbers`,
		`/proc/sys/net/ipv4/tcp_rmem: found "4096 131072"`,
		`/proc/sys/net/ipv4/tcp_wmem: found "` + strings.Repeat("x", 60) + `..."`,
		`/proc/sys/net/ipv4/ip_local_port_range: found "60999 32768", wanted the first and the last port`,
		`/proc/sys/net/netfilter/nf_conntrack_max: found "99999999999999999999999"`,
		`/proc/meminfo: found "MemTotal: lots", wanted a line of MemTotal`,
		`enabled: found "always madvise never", wanted one of`,
	} {
		if !strings.Contains(err.Error(), "cannot read "+want) && !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	if h.FileMax != Unlimited || h.Orphans != 4096 || h.Somaxconn != Unknown || h.TCPMem.known() {
		t.Errorf("%+v", h)
	}
}

func TestNothingThere(t *testing.T) {
	h, err := Read(fstest.MapFS{}, "self")
	if !errors.Is(err, ErrNothing) {
		t.Error(err)
	}
	p := Plan{Connections: 1, Sockets: 1}
	for _, i := range Judge(h, p).Items {
		if i.Verdict != NotKnown && !strings.Contains(i.Name, "conntrack") {
			t.Errorf("%+v", i)
		}
	}
	if s := Contradictions(h, p); len(s) > 0 {
		t.Error(s)
	}
}

// denied is a file system whose files nobody may read.
type denied struct{}

func (denied) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

func TestNotAllowed(t *testing.T) {
	_, err := Read(denied{}, "1")
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "cannot read a limit: open proc/1/limits") {
		t.Error(err)
	}
}

// TestThisHost reads the machine of the test.
func TestThisHost(t *testing.T) {
	h, err := ThisHost()
	if err != nil {
		t.Fatal(err)
	}
	if h.FilesHard < h.FilesSoft || h.FilesSoft <= 0 || h.Cores < 1 || h.Memory < 64<<20 || !h.Receive.known() || h.PageSize < 4096 {
		t.Errorf("%+v", h)
	}
	m, err := ReceiveBuffer(os.DirFS("/"))
	if m != h.Receive || err != nil {
		t.Errorf("%v, %v", m, err)
	}
	if m, err := ReceiveBuffer(fstest.MapFS{}); m.known() || err != nil {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := ReceiveBuffer(fstest.MapFS{tcpReceive: {Data: []byte("x")}}); err == nil {
		t.Error("garbage makes sense")
	}
}

func TestCgroups(t *testing.T) {
	for _, c := range []struct {
		host               string
		version            int
		memory, pids, cpus Value
	}{
		{"container-v1", 1, 512 << 20, 100, 500},
		{"container-v2", 2, 2 << 30, Unlimited, 1500},
		{"small-vm", 2, Unlimited, 2503, Unlimited},
		{"bare-metal", 2, Unlimited, 4096, Unlimited},
	} {
		h, err := readHost(t, c.host)
		if err != nil || h.Cgroup != c.version || h.CgroupMemory != c.memory || h.CgroupPids != c.pids || h.CgroupMilliCores != c.cpus {
			t.Errorf("%s: %v, version %d, memory %d, pids %d, cpu %d", c.host, err, h.Cgroup, h.CgroupMemory, h.CgroupPids, h.CgroupMilliCores)
		}
	}
}

// TestCgroupAbove has limits at several heights: the lowest holds, and both
// versions at once.
func TestCgroupAbove(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	h, err := Read(fstest.MapFS{
		"proc/7/cgroup": file("3:memory:/a/b\n2:cpu:/a\n0::/../c\n"),
		"sys/fs/cgroup/memory/memory.limit_in_bytes":     file("9223372036854771712\n"),
		"sys/fs/cgroup/memory/a/memory.limit_in_bytes":   file("1000\n"),
		"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": file("2000\n"),
		"sys/fs/cgroup/cpu/cpu.cfs_quota_us":             file("-1\n"),
		"sys/fs/cgroup/cpu/cpu.cfs_period_us":            file("100000\n"),
		"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us":           file("300000\n"),
		"sys/fs/cgroup/cpu/a/cpu.cfs_period_us":          file("0\n"),
		"sys/fs/cgroup/unified/c/pids.max":               file("33\n"),
	}, "7")
	if err != nil || h.CgroupMemory != 1000 || h.CgroupPids != 33 || h.CgroupMilliCores != Unlimited {
		t.Errorf("%v: %+v", err, h)
	}
}
