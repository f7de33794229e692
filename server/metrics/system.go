package metrics

import (
	"bytes"
	"fmt"
	"os"
	"runtime/metrics"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// System reads what VerneMQ tells of the Erlang machine from the nearest that
// Go and the kernel have.
type System struct {
	start time.Time
	code  uint64 // bytes of program text

	utilization atomic.Uint64 // percent
	sampled     time.Time     // of the latest Sample; its goroutine only
	cpu         time.Duration // then
}

// NewSystem begins to measure.
func NewSystem() *System {
	now := time.Now()
	return &System{start: now, code: programText(), sampled: now, cpu: CPUTime()}
}

// Uptime is the time since the node was started.
func (s *System) Uptime() time.Duration { return time.Since(s.start) }

// Utilization is the CPU time between the latest two samples, in percent of all
// processors that the node may use.
func (s *System) Utilization() uint64 { return s.utilization.Load() }

// Sample measures the utilization since the last time. One goroutine calls it,
// about once a second.
func (s *System) Sample(now time.Time) {
	cpu := CPUTime()
	if d := now.Sub(s.sampled); d > 0 {
		procs := read("/sched/gomaxprocs:threads")[0]
		s.utilization.Store(min(uint64(100*(cpu-s.cpu)/d)/max(procs, 1), 100))
	}
	s.sampled, s.cpu = now, cpu
}

// CPUTime is the CPU time that the process has used.
func CPUTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail with this argument
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// read reads values of runtime/metrics. Unlike runtime.ReadMemStats it stops
// nobody.
func read(names ...string) []uint64 {
	samples := make([]metrics.Sample, len(names))
	for i, n := range names {
		samples[i].Name = n
	}
	metrics.Read(samples)
	out := make([]uint64, len(names))
	for i, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			out[i] = s.Value.Uint64()
		}
	}
	return out
}

// Emit is a Source.
func (s *System) Emit(emit Emit) {
	v := read("/memory/classes/total:bytes", "/memory/classes/heap/released:bytes", "/memory/classes/heap/objects:bytes", "/memory/classes/heap/stacks:bytes",
		"/gc/heap/frees:bytes", "/gc/cycles/total:gc-cycles", "/sched/goroutines:goroutines", "/sched/goroutines/runnable:goroutines", "/sched/gomaxprocs:threads")
	total, used := v[0]-v[1], v[2]+v[3]
	emit("vm_memory_total", total)
	emit("vm_memory_processes", used)
	emit("vm_memory_processes_used", used)
	emit("vm_memory_system", total-min(used, total))
	emit("vm_memory_code", s.code)
	emit("system_words_reclaimed_by_gc", v[4]/8)
	emit("system_gc_count", v[5])
	emit("system_process_count", v[6])
	emit("system_run_queue", v[7])
	utilization := s.Utilization()
	emit("system_utilization", utilization)
	for i := range min(v[8], maxSchedulers) {
		emit("system_utilization_scheduler_"+strconv.FormatUint(i+1, 10), utilization)
	}
	cpu := CPUTime()
	emit("system_reductions", uint64(cpu.Microseconds()))
	emit("system_exact_reductions", uint64(cpu.Microseconds()))
	emit("system_runtime", uint64(cpu.Milliseconds()))
	emit("system_wallclock", uint64(s.Uptime().Milliseconds()))
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // as above
	emit("system_context_switches", uint64(u.Nvcsw+u.Nivcsw))
}

// maxSchedulers is the number of processors that have a metric each. Go does
// not tell them apart, so each has the mean.
const maxSchedulers = 256

// schedulerFamilies are those of the processors that there are.
func schedulerFamilies() (fs []Family) {
	for i := range min(read("/sched/gomaxprocs:threads")[0], maxSchedulers) {
		fs = append(fs, Family{Name: fmt.Sprintf("system_utilization_scheduler_%d", i+1), Type: GaugeType,
			Help: "The same as system_utilization: Go does not tell processors apart."})
	}
	return fs
}

// programText is the size of the program's code, 0 when it is not known.
func programText() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(b)
	if err != nil || len(fields) < 4 {
		return 0
	}
	pages, _ := strconv.ParseUint(string(fields[3]), 10, 64)
	return pages * uint64(os.Getpagesize())
}
