// Package tuning reads what the kernel and the process have, judges whether it
// suffices for a number of connections, and writes a profile that does. It
// changes nothing on the running system and imports nothing of the broker.
//
// The formulas are in plan.go, with units and sources; docs/tuning.md explains
// them to an operator.
package tuning

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
)

// Value is a number of the kernel that is not negative, or Unknown or Unlimited.
type Value int64

const (
	Unknown   Value = -1 // there is no such file
	Unlimited Value = math.MaxInt64
)

// TCPMemory is one of the settings net.ipv4.tcp_rmem and tcp_wmem (bytes of
// buffer that a TCP socket has at least, at first and at most) or tcp_mem
// (pages of all sockets: below the first nothing is done, from the second on
// sockets are kept short, from the third on they get nothing). All are 0 when
// the setting is unknown.
type TCPMemory struct{ Min, Default, Max int64 }

func (m TCPMemory) known() bool { return m.Max > 0 }

// Host is what a machine and a process on it have.
type Host struct {
	PageSize int64 // bytes

	FilesSoft, FilesHard        Value // RLIMIT_NOFILE
	NrOpen, FileMax, FilesInUse Value
	Somaxconn, SynBacklog       Value
	SynCookies, NetdevBacklog   Value
	TCPMem, Receive, Send       TCPMemory
	ReceiveMax, SendMax         Value // bytes that a program may ask for, net.core.rmem_max and wmem_max
	Orphans, TimeWait           Value
	Conntrack, ConntrackCount   Value // entries; Unknown when the module is not loaded
	PortsFrom, PortsTo          Value // of outgoing connections
	Overcommit, Swappiness      Value
	Memory, Swap                Value  // bytes
	Cores                       Value  // that the process may run on
	HugePages                   string // always, madvise or never; "" is unknown
	Cgroup                      int    // version, 0 = none found
	CgroupMemory, CgroupPids    Value  // bytes, tasks
	CgroupMilliCores            Value  // thousandths of a core
	cgroupMemoryFile            string
}

// ErrNothing tells that a root directory holds none of the files.
var ErrNothing = errors.New("cannot read the kernel's settings: no file of /proc found")

// ThisHost reads the machine that the program runs on. See Read.
func ThisHost() (*Host, error) { return Read(os.DirFS("/"), "self") }

// Read reads the files below root, an image of /. process is a process id, or
// self. What has no file is unknown. The error names every file that cannot be
// read or has content that makes no sense; the host then has the others.
func Read(root fs.FS, process string) (*Host, error) {
	r := &reader{root: root}
	h := &Host{PageSize: int64(os.Getpagesize())}
	r.process(h, "proc/"+process)
	r.files(h)
	r.network(h)
	r.memory(h)
	r.cgroup(h, "proc/"+process+"/cgroup")
	if r.found == 0 && len(r.errs) == 0 {
		return h, ErrNothing
	}
	return h, errors.Join(r.errs...)
}

// ReceiveBuffer reads only net.ipv4.tcp_rmem, which is 0 where there is none.
func ReceiveBuffer(root fs.FS) (TCPMemory, error) {
	r := &reader{root: root}
	m := r.triple(tcpReceive)
	return m, errors.Join(r.errs...)
}

const tcpReceive = "proc/sys/net/ipv4/tcp_rmem"

// reader reads files below a root and keeps what goes wrong.
type reader struct {
	root  fs.FS
	found int
	errs  []error
}

// text is the content of a file, false when there is none.
func (r *reader) text(name string) (string, bool) {
	b, err := fs.ReadFile(r.root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("cannot read a limit: %w", err))
		return "", false
	}
	r.found++
	return string(b), true
}

// wrong keeps an error about the content of a file.
func (r *reader) wrong(name string, err error) {
	r.errs = append(r.errs, fmt.Errorf("cannot read /%s: %w", name, err))
}

// read parses a file. What is unknown is returned as missing.
func read[T any](r *reader, name string, missing T, parse func(string) (T, error)) T {
	s, ok := r.text(name)
	if !ok {
		return missing
	}
	v, err := parse(s)
	if err != nil {
		r.wrong(name, err)
		return missing
	}
	return v
}

func (r *reader) number(name string) Value { return read(r, name, Unknown, parseNumber) }

func (r *reader) triple(name string) TCPMemory { return read(r, name, TCPMemory{}, parseTriple) }

func (r *reader) process(h *Host, dir string) {
	limits := read(r, dir+"/limits", [2]Value{Unknown, Unknown}, parseLimits)
	h.FilesSoft, h.FilesHard = limits[0], limits[1]
	h.Cores = read(r, dir+"/status", Unknown, parseCores)
}

func (r *reader) files(h *Host) {
	h.NrOpen = r.number("proc/sys/fs/nr_open")
	h.FileMax = r.number("proc/sys/fs/file-max")
	h.FilesInUse = read(r, "proc/sys/fs/file-nr", Unknown, func(s string) (Value, error) {
		m, err := parseTriple(s)
		return Value(m.Min), err
	})
}

func (r *reader) network(h *Host) {
	const core, ipv4, netfilter = "proc/sys/net/core/", "proc/sys/net/ipv4/", "proc/sys/net/netfilter/"
	h.Somaxconn = r.number(core + "somaxconn")
	h.NetdevBacklog = r.number(core + "netdev_max_backlog")
	h.ReceiveMax, h.SendMax = r.number(core+"rmem_max"), r.number(core+"wmem_max")
	h.SynBacklog = r.number(ipv4 + "tcp_max_syn_backlog")
	h.SynCookies = r.number(ipv4 + "tcp_syncookies")
	h.TCPMem = r.triple(ipv4 + "tcp_mem")
	h.Receive, h.Send = r.triple(tcpReceive), r.triple(ipv4+"tcp_wmem")
	h.Orphans, h.TimeWait = r.number(ipv4+"tcp_max_orphans"), r.number(ipv4+"tcp_max_tw_buckets")
	h.Conntrack = r.number(netfilter + "nf_conntrack_max")
	h.ConntrackCount = r.number(netfilter + "nf_conntrack_count")
	ports := read(r, ipv4+"ip_local_port_range", [2]Value{Unknown, Unknown}, parsePorts)
	h.PortsFrom, h.PortsTo = ports[0], ports[1]
}

func (r *reader) memory(h *Host) {
	m := read(r, "proc/meminfo", [2]Value{Unknown, Unknown}, parseMeminfo)
	h.Memory, h.Swap = m[0], m[1]
	h.Overcommit = r.number("proc/sys/vm/overcommit_memory")
	h.Swappiness = r.number("proc/sys/vm/swappiness")
	h.HugePages = read(r, "sys/kernel/mm/transparent_hugepage/enabled", "", parseChoice)
}
