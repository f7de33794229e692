package tuning

import (
	"errors"
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
)

// found says what a file holds instead of what was wanted.
func found(s, wanted string) error {
	s = strings.TrimSpace(s)
	if len(s) > 60 {
		s = s[:60] + "..."
	}
	return fmt.Errorf("found %q, wanted %s", s, wanted)
}

// parseNumbers reads exactly n whole numbers that are not negative.
func parseNumbers(s string, n int) ([]int64, error) {
	f := strings.Fields(s)
	if len(f) != n {
		return nil, errors.New("")
	}
	out := make([]int64, n)
	for i, w := range f {
		v, err := strconv.ParseUint(w, 10, 64)
		if err != nil {
			return nil, err
		}
		// file-max may be the largest number of 64 bits.
		out[i] = int64(min(v, uint64(Unlimited)))
	}
	return out, nil
}

func parseNumber(s string) (Value, error) {
	v, err := parseNumbers(s, 1)
	if err != nil {
		return Unknown, found(s, "a whole number")
	}
	return Value(v[0]), nil
}

// parseTriple reads settings such as tcp_mem and file-nr.
func parseTriple(s string) (TCPMemory, error) {
	v, err := parseNumbers(s, 3)
	if err != nil {
		return TCPMemory{}, found(s, "three whole numbers")
	}
	return TCPMemory{v[0], v[1], v[2]}, nil
}

func parsePorts(s string) ([2]Value, error) {
	v, err := parseNumbers(s, 2)
	if err != nil || v[0] > v[1] || v[1] > 65535 {
		return [2]Value{Unknown, Unknown}, found(s, "the first and the last port")
	}
	return [2]Value{Value(v[0]), Value(v[1])}, nil
}

var openFilesLine = regexp.MustCompile(`(?m)^Max open files +(\d+|unlimited) +(\d+|unlimited) +files *$`)

// parseLimits reads the soft and hard limit of open files of /proc/PID/limits.
func parseLimits(s string) (v [2]Value, err error) {
	m := openFilesLine.FindStringSubmatch(s)
	if m == nil {
		return v, found(s, "a line of Max open files")
	}
	for i := range v {
		if m[i+1] == "unlimited" {
			v[i] = Unlimited
		} else if v[i], err = parseNumber(m[i+1]); err != nil {
			return v, err
		}
	}
	return v, nil
}

var allowedLine = regexp.MustCompile(`(?m)^Cpus_allowed:\s*([0-9a-f,]+)\s*$`)

// parseCores counts the processors that /proc/PID/status allows: a mask in
// hexadecimal, in groups.
func parseCores(s string) (Value, error) {
	m := allowedLine.FindStringSubmatch(s)
	if m == nil {
		return Unknown, found(s, "a line of Cpus_allowed")
	}
	n := 0
	for _, digit := range strings.ReplaceAll(m[1], ",", "") {
		v, _ := strconv.ParseUint(string(digit), 16, 4) // the expression lets nothing else through
		n += bits.OnesCount64(v)
	}
	if n == 0 {
		return Unknown, found(m[0], "at least one processor")
	}
	return Value(n), nil
}

var (
	memTotalLine  = regexp.MustCompile(`(?m)^MemTotal:\s+(\d{1,15}) kB$`)
	swapTotalLine = regexp.MustCompile(`(?m)^SwapTotal:\s+(\d{1,15}) kB$`)
)

// parseMeminfo reads the memory and swap space in bytes.
func parseMeminfo(s string) ([2]Value, error) {
	v := [2]Value{Unknown, Unknown}
	for i, line := range []*regexp.Regexp{memTotalLine, swapTotalLine} {
		if m := line.FindStringSubmatch(s); m != nil {
			n, err := strconv.ParseInt(m[1], 10, 64)
			if err != nil {
				return v, found(m[0], "a whole number")
			}
			v[i] = Value(n << 10)
		}
	}
	if v[0] == Unknown {
		return v, found(s, "a line of MemTotal")
	}
	return v, nil
}

var chosen = regexp.MustCompile(`\[(always|madvise|never)\]`)

// parseChoice reads a setting that shows its choice in brackets.
func parseChoice(s string) (string, error) {
	m := chosen.FindStringSubmatch(s)
	if m == nil {
		return "", found(s, "one of [always], [madvise] and [never]")
	}
	return m[1], nil
}
