package tuning

import "fmt"

// judgeMachine judges memory and processors.
func judgeMachine(h *Host, p Plan) []Item {
	need := p.Memory(h)
	memory := Item{Name: "memory", Found: size(h.Memory), Wanted: size(Value(need)), Verdict: h.Memory.verdict(need),
		Reason: fmt.Sprintf("%s for idle connections in broker and kernel, %s for their data. Beyond, the kernel kills the broker (OOM).", size(Value(p.idleMemory())), size(Value(p.bufferBytes(h))))}
	return []Item{
		memory.remedy("more memory, fewer connections, or smaller buffer_sizes"),
		judgeCores(h, p),
		judgeOvercommit(h),
		judgeSwap(h),
		judgeHugePages(h),
	}
}

func judgeCores(h *Host, p Plan) Item {
	n := p.Cores()
	i := Item{Name: "cores", Found: h.Cores.String(), Wanted: Value(n).String(), Verdict: h.Cores.verdict(n),
		Reason: fmt.Sprintf("After a failure all clients come back, %d in a second; accepting them takes half of the processor time. With less, coming back takes longer and clients time out.", p.ConnectRate())}
	if m := h.CgroupMilliCores; m != Unknown && m != Unlimited {
		i.Found += fmt.Sprintf(" (cgroup allows %.1f)", float64(m)/1000)
		if int64(m) < 1000*n {
			i.Verdict = Low
		}
	}
	return i.remedy("processors: %d; CPUQuota=%d%% in the unit, or none", n, 100*n)
}

func judgeOvercommit(h *Host) Item {
	i := Item{Name: "vm.overcommit_memory", Found: h.Overcommit.String(), Wanted: "0 or 1", Verdict: OK,
		Reason: "With 2 the kernel counts memory that Go has mapped and does not use; the broker ends with \"cannot allocate memory\" while memory is free."}
	value := "0"
	switch h.Overcommit {
	case Unknown:
		i.Verdict = NotKnown
	case 0, 1:
		value = h.Overcommit.String()
	default:
		i.Verdict = Low
	}
	return i.set(value)
}

// swappinessMost is the largest value that suits a host with swap space.
const swappinessMost = 10

func judgeSwap(h *Host) Item {
	i := Item{Name: "vm.swappiness", Found: h.Swappiness.String(), Wanted: "at most 10", Verdict: OK,
		Reason: "How willingly the kernel swaps. The garbage collector reads the whole heap: parts of it on disk stop the broker for seconds. Without swap space it does not matter."}
	value := Value(swappinessMost)
	switch {
	case h.Swappiness == Unknown:
		i.Verdict = NotKnown
	case h.Swap > 0 && h.Swappiness > swappinessMost:
		i.Verdict = Low
	default:
		value = h.Swappiness
	}
	switch {
	case h.Swappiness == Unknown:
	case h.Swap == 0:
		i.Found += " (no swap space)"
	case h.Swap != Unknown:
		i.Found += fmt.Sprintf(" (swap space %s)", size(h.Swap))
	}
	return i.set(value.String())
}

func judgeHugePages(h *Host) Item {
	const file = "/sys/kernel/mm/transparent_hugepage/enabled"
	i := Item{Name: "transparent huge pages", Found: h.HugePages, Wanted: "madvise or never", Verdict: OK,
		Reason: "With always, the kernel backs sparsely used memory with pages of 2 MiB: the resident memory of the broker grows without use, and may reach a limit."}
	switch h.HugePages {
	case "":
		i.Found, i.Verdict = Unknown.String(), NotKnown
	case "always":
		i.Verdict = Low
	}
	return i.remedy("echo madvise > %s; to stay, in /etc/tmpfiles.d/vernemq.conf: w %s - - - - madvise", file, file)
}

// judgeGroup judges the limits of the control group, where there is one with
// limits.
func judgeGroup(h *Host, p Plan) (out []Item) {
	if need := p.Memory(h); h.CgroupMemory != Unknown {
		i := Item{Name: "cgroup " + h.cgroupMemoryFile, Found: size(h.CgroupMemory), Wanted: size(Value(need)), Verdict: h.CgroupMemory.verdict(need),
			Reason: "Memory of this control group (service, container), the kernel's memory for its sockets included. Beyond, the kernel kills the broker (OOM, \"Memory cgroup out of memory\")."}
		out = append(out, i.remedy("MemoryMax=%d in the unit; a container: --memory %d", need, need))
	}
	if need := p.Tasks(h); h.CgroupPids != Unknown {
		i := Item{Name: "cgroup pids.max", Found: h.CgroupPids.String(), Wanted: Value(need).String(), Verdict: h.CgroupPids.verdict(need),
			Reason: "Threads of this control group. Beyond, Go cannot start a thread and ends the broker (\"failed to create new OS thread\")."}
		out = append(out, i.remedy("TasksMax=%d in the unit; a container: --pids-limit %d", need, need))
	}
	return out
}

// Contradictions are the limits that a configuration does not fit in, a line
// for each: those of which clients feel something as soon as many are
// connected. Memory is judged for idle connections.
func Contradictions(h *Host, p Plan) (lines []string) {
	say := func(i Item) {
		lines = append(lines, fmt.Sprintf("%s is %s, but max_connections allows %d connections, which want %s: %s Remedy: %s",
			i.Name, i.Found, p.Connections, i.Wanted, i.Reason, i.Remedy))
	}
	for _, i := range Judge(h, p).low() {
		switch i.Name {
		case "RLIMIT_NOFILE", "fs.file-max", "net.core.somaxconn", "net.ipv4.tcp_mem", "net.core.rmem_max", "net.core.wmem_max":
			say(i)
		}
	}
	need := p.idleMemory()
	for _, i := range judgeGroup(h, p) {
		if i.Name == "cgroup "+h.cgroupMemoryFile && h.CgroupMemory.verdict(need) == Low {
			i.Wanted = size(Value(need)) + " when all are idle"
			say(i)
		}
	}
	return lines
}
