package tuning

import (
	"math"
	"path"
	"strconv"
	"strings"
)

// group is the place of a process in the hierarchies of control groups.
type group struct {
	unified     string            // its path in version 2, "" = none
	controllers map[string]string // controller to path in version 1
}

// parseGroup reads /proc/PID/cgroup: lines of NUMBER:CONTROLLERS:PATH, the
// version 2 one with the number 0 and no controllers.
func parseGroup(s string) (group, error) {
	g := group{controllers: map[string]string{}}
	for line := range strings.Lines(s) {
		line = strings.TrimSuffix(line, "\n")
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 || !strings.HasPrefix(f[2], "/") {
			return group{}, found(line, "NUMBER:CONTROLLERS:PATH")
		}
		if f[0] == "0" && f[1] == "" {
			g.unified = f[2]
			continue
		}
		for c := range strings.SplitSeq(f[1], ",") {
			g.controllers[c] = f[2]
		}
	}
	return g, nil
}

// upward lists a directory and those above it up to the mount. Limits of all
// hold. A container may see the path that its group has on the host, which does
// not exist in it; then the mount itself is its group. A path that leads out of
// the mount (/../x, seen from another namespace) is cut.
func upward(mount, dir string) (out []string) {
	for dir = path.Clean("/" + dir); dir != "/"; dir = path.Dir(dir) {
		out = append(out, mount+dir)
	}
	return append(out, mount)
}

// unlimitedFrom is the number of bytes from which version 1 means no limit: it
// shows the largest number of pages in bytes.
const unlimitedFrom = 1 << 60

// parseMaximum reads memory.max, pids.max and their likes of version 1.
func parseMaximum(s string) (Value, error) {
	if strings.TrimSpace(s) == "max" {
		return Unlimited, nil
	}
	v, err := parseNumber(s)
	if err != nil {
		return Unknown, found(s, "a whole number or max")
	}
	if v >= unlimitedFrom {
		return Unlimited, nil
	}
	return v, nil
}

// parseCPU reads cpu.max of version 2: QUOTA PERIOD in microseconds. It gives
// thousandths of a core.
func parseCPU(s string) (Value, error) {
	const wanted = "QUOTA PERIOD, or max PERIOD"
	f := strings.Fields(s)
	if len(f) != 2 {
		return Unknown, found(s, wanted)
	}
	period, err := strconv.ParseInt(f[1], 10, 32)
	if err != nil || period <= 0 {
		return Unknown, found(s, wanted)
	}
	if f[0] == "max" {
		return Unlimited, nil
	}
	quota, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil || quota <= 0 || quota > math.MaxInt64/1000 {
		return Unknown, found(s, wanted)
	}
	return Value(quota * 1000 / period), nil
}

// parseQuota reads cpu.cfs_quota_us of version 1; -1 is no limit.
func parseQuota(s string) (Value, error) {
	if strings.TrimSpace(s) == "-1" {
		return Unlimited, nil
	}
	v, err := parseNumber(s)
	if err != nil || v > math.MaxInt64/1000 {
		return Unknown, found(s, "microseconds or -1")
	}
	return v, nil
}

// lowest is the smallest of what is known, Unknown when nothing is.
func lowest(a, b Value) Value {
	if a == Unknown || b != Unknown && b < a {
		return b
	}
	return a
}

// cgroup reads the limits of the process's control group. The root group of
// version 2 has no files of limits: nothing bounds it, and all stays unknown.
func (r *reader) cgroup(h *Host, file string) {
	h.CgroupMemory, h.CgroupPids, h.CgroupMilliCores = Unknown, Unknown, Unknown
	g := read(r, file, group{}, parseGroup)
	if g.unified == "" && len(g.controllers) == 0 {
		return
	}
	h.Cgroup, h.cgroupMemoryFile = 2, "memory.max"
	if p, ok := g.controllers["memory"]; ok {
		h.Cgroup, h.cgroupMemoryFile = 1, "memory.limit_in_bytes"
		for _, dir := range upward("sys/fs/cgroup/memory", p) {
			h.CgroupMemory = lowest(h.CgroupMemory, read(r, dir+"/memory.limit_in_bytes", Unknown, parseMaximum))
		}
	}
	if p, ok := g.controllers["pids"]; ok {
		for _, dir := range upward("sys/fs/cgroup/pids", p) {
			h.CgroupPids = lowest(h.CgroupPids, read(r, dir+"/pids.max", Unknown, parseMaximum))
		}
	}
	if p, ok := g.controllers["cpu"]; ok {
		r.quota(h, p)
	}
	for _, mount := range []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"} {
		for _, dir := range upward(mount, g.unified) {
			h.CgroupMemory = lowest(h.CgroupMemory, read(r, dir+"/memory.max", Unknown, parseMaximum))
			h.CgroupPids = lowest(h.CgroupPids, read(r, dir+"/pids.max", Unknown, parseMaximum))
			h.CgroupMilliCores = lowest(h.CgroupMilliCores, read(r, dir+"/cpu.max", Unknown, parseCPU))
		}
	}
}

// quota reads the processor time of version 1. Its controller is mounted by
// its own name or together with cpuacct.
func (r *reader) quota(h *Host, p string) {
	for _, mount := range []string{"sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"} {
		for _, dir := range upward(mount, p) {
			q := read(r, dir+"/cpu.cfs_quota_us", Unknown, parseQuota)
			period := r.number(dir + "/cpu.cfs_period_us")
			if q != Unlimited && period <= 0 {
				q = Unknown
			}
			if q != Unlimited && q != Unknown {
				q = q * 1000 / period
			}
			h.CgroupMilliCores = lowest(h.CgroupMilliCores, q)
		}
	}
}
