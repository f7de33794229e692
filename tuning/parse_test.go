package tuning

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseTriple(t *testing.T) {
	for _, c := range []struct {
		text string
		want TCPMemory
		fail bool
	}{
		{"4096\t131072\t6291456\n", TCPMemory{4096, 131072, 6291456}, false},
		{"0 0 18446744073709551615", TCPMemory{0, 0, int64(Unlimited)}, false},
		{"4096 131072", TCPMemory{}, true},
		{"4096 x 1", TCPMemory{}, true},
		{"4096 -1 1", TCPMemory{}, true},
		{"1 2 3 4", TCPMemory{}, true},
	} {
		if got, err := parseTriple(c.text); got != c.want || (err != nil) != c.fail {
			t.Errorf("%q: %v, %v", c.text, got, err)
		}
	}
}

// FuzzNumbers holds the parsers of numbers to what they promise: a value that
// is not negative and says the same when it is written again, or an error that
// tells what was found.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"4096\t131072\t6291456\n", "1", "1 2", "-1 0 0", "0x1 2 3", "", "\x00", "18446744073709551615 1 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseTriple(s)
		told(t, err)
		if err == nil {
			again, err := parseTriple(fmt.Sprintf("%d %d %d", m.Min, m.Default, m.Max))
			if err != nil || again != m || min(m.Min, m.Default, m.Max) < 0 {
				t.Errorf("%q: %v, then %v, %v", s, m, again, err)
			}
		}
		p, err := parsePorts(s)
		told(t, err)
		if err == nil && (p[0] < 0 || p[1] < p[0] || p[1] > 65535) {
			t.Errorf("%q: ports %v", s, p)
		}
		n, err := parseNumber(s)
		told(t, err)
		if err == nil && n < 0 {
			t.Errorf("%q: %d", s, n)
		}
		for _, parse := range []func(string) ([2]Value, error){parseLimits, parseMeminfo} {
			v, err := parse(s)
			told(t, err)
			if err == nil && v[0] < 0 {
				t.Errorf("%q: %v", s, v)
			}
		}
		if n, err := parseCores(s); err == nil && n < 1 {
			t.Errorf("%q: %d cores", s, n)
		}
		if c, err := parseChoice(s); err == nil && !strings.Contains(s, "["+c+"]") {
			t.Errorf("%q: %s", s, c)
		}
	})
}

// FuzzCgroup does so with the files of control groups, and keeps paths below
// the mount.
func FuzzCgroup(f *testing.F) {
	for _, s := range []string{"0::/a/b\n", "7:memory:/docker/4f2a\n4:cpu,cpuacct:/\n", "max 100000", "150000 100000", "max", "-1", "1:x:/../..\n", "9223372036854771712"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		g, err := parseGroup(s)
		told(t, err)
		for _, p := range append([]string{g.unified}, g.controllers["memory"]) {
			list := upward("m", p)
			for i, dir := range list {
				if dir != "m" && !strings.HasPrefix(dir, "m/") || strings.Contains(dir+"/", "/../") {
					t.Errorf("%q: %q leads out of the mount", s, dir)
				}
				if i > 0 && len(dir) >= len(list[i-1]) {
					t.Errorf("%q: %q does not lead upward", s, list)
				}
			}
		}
		for _, parse := range []func(string) (Value, error){parseMaximum, parseCPU, parseQuota} {
			v, err := parse(s)
			told(t, err)
			if err == nil && v < 0 {
				t.Errorf("%q: %d", s, v)
			}
		}
	})
}

func told(t *testing.T, err error) {
	if err != nil && (!strings.Contains(err.Error(), "found ") || !strings.Contains(err.Error(), ", wanted ") || len(err.Error()) > 400) {
		t.Errorf("an error that does not tell: %v", err)
	}
}
