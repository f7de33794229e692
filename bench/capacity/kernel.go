package capacity

import (
	"fmt"
	"os"
	"strings"
)

const page = 4096 // bytes; slabs and sockstat count in pages

// kernelReader says how the kernel's memory is read, and reads it in bytes.
// Objects in use are exact to some 100 KB. Without root only whole slabs
// are seen, those that are kept empty included.
func kernelReader() (read func() (float64, error), source string) {
	if _, err := os.ReadFile("/proc/slabinfo"); err == nil {
		return func() (float64, error) { return kernelMemory("/proc/slabinfo", slabs) },
			"objects in use of /proc/slabinfo and pages of /proc/net/sockstat; half of both ends of connections on this machine"
	}
	return func() (float64, error) { return kernelMemory("/proc/meminfo", meminfo) },
		"Slab of /proc/meminfo (whole slabs: less sure) and pages of /proc/net/sockstat; half of both ends of connections on this machine"
}

func kernelMemory(file string, parse func(string) (float64, error)) (float64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("cannot read the kernel's memory: %w", err)
	}
	n, err := parse(string(b))
	if err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", file, err)
	}
	s, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0, fmt.Errorf("cannot read the memory of sockets: %w", err)
	}
	return n + buffers(string(s)), nil
}

// slabs sums objects in use, each with its share of the slab's waste.
func slabs(s string) (sum float64, err error) {
	found := false
	for line := range strings.Lines(s) {
		var name string
		var active, all, size, objects, pages float64
		if n, _ := fmt.Sscan(line, &name, &active, &all, &size, &objects, &pages); n == 6 && objects > 0 {
			found = true
			sum += active * pages * page / objects
		}
	}
	if !found {
		return 0, fmt.Errorf("there is no cache in it")
	}
	return sum, nil
}

func meminfo(s string) (float64, error) {
	for line := range strings.Lines(s) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "Slab: %f kB", &kib); n == 1 {
			return kib * 1024, nil
		}
	}
	return 0, fmt.Errorf("there is no Slab in it")
}

// buffers is the data of TCP sockets: "TCP: inuse 4 orphan 0 tw 0 alloc 6 mem 171".
func buffers(s string) float64 {
	for line := range strings.Lines(s) {
		f := strings.Fields(line)
		if len(f) > 2 && f[0] == "TCP:" && f[len(f)-2] == "mem" {
			var pages float64
			fmt.Sscan(f[len(f)-1], &pages) // 0 when it is no number
			return pages * page
		}
	}
	return 0
}
