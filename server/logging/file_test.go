package logging

import (
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vernemq/server/config"
)

// TestRotation writes lines of a known length and looks at the files: none is
// too large, the youngest lines are there, in order and whole.
func TestRotation(t *testing.T) {
	for _, compress := range []bool{false, true} {
		for keep := range 4 {
			path := filepath.Join(t.TempDir(), "x.log")
			f, err := openFile(config.LogFile{Path: path, Size: 100, Keep: keep, Compress: compress}, false)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < 95; i += 5 {
				var lines [][]byte
				for k := range 5 {
					lines = append(lines, fmt.Appendf(nil, "line %04d\n", i+k))
				}
				if err := f.write(lines); err != nil {
					t.Fatal(err)
				}
			}
			f.close()
			var all string
			for i := keep - 1; i >= -1; i-- {
				name := path
				if i >= 0 {
					name = fmt.Sprintf("%s.%d", path, i)
				}
				text := unpacked(t, name)
				if len(text) > 100 || len(text) == 0 {
					t.Errorf("%s has %d bytes", name, len(text))
				}
				all += text
			}
			want := ""
			for i := 90 - 10*keep; i < 95; i++ {
				want += fmt.Sprintf("line %04d\n", i)
			}
			if all != want {
				t.Errorf("keep %d: got %q", keep, all)
			}
			if there, _ := filepath.Glob(path + "*"); len(there) != keep+1 {
				t.Errorf("keep %d: %v", keep, there)
			}
		}
	}
}

func unpacked(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path + ".gz")
	if err != nil {
		return contents(t, path)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestLongLine holds that a line longer than the limit is written whole, alone.
func TestLongLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	f, err := openFile(config.LogFile{Path: path, Size: 10, Keep: 5}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.write([][]byte{[]byte("a\n"), []byte(strings.Repeat("b", 50) + "\n"), []byte("c\n")}); err != nil {
		t.Fatal(err)
	}
	f.close()
	if contents(t, path+".1") != "a\n" || len(contents(t, path+".0")) != 51 || contents(t, path) != "c\n" {
		t.Error("the lines are not where they should be")
	}
}

// TestRotationByTime moves the clock over midnight.
func TestRotationByTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crash.log")
	f, err := openFile(config.LogFile{Path: path, Keep: 5, Time: "$D0"}, false)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	f.now = func() time.Time { return now }
	for i := range 4 {
		if err := f.write([][]byte{fmt.Appendf(nil, "day %d\n", i/2)}); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			now = now.Add(24 * time.Hour)
		}
	}
	f.close()
	if contents(t, path+".0") != "day 0\nday 0\n" || contents(t, path) != "day 1\nday 1\n" {
		t.Errorf("%q %q", contents(t, path+".0"), contents(t, path))
	}
}

// TestMovedAway lets logrotate move the file: the log goes on in a new one, on
// request at once.
func TestMovedAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.log")
	logged(t, config.Log{Console: "file", Lowest: "all", File: config.LogFile{Path: path}}, func(l *Log, log *slog.Logger) {
		log.Info("first")
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end) && !strings.Contains(contents(t, path), "first"); time.Sleep(time.Millisecond) {
		}
		if err := os.Rename(path, path+".old"); err != nil {
			t.Fatal(err)
		}
		l.Reopen()
		log.Info("second")
	})
	if old, now := contents(t, path+".old"), contents(t, path); !strings.Contains(old, "first") || strings.Contains(old, "second") || !strings.Contains(now, "second") {
		t.Errorf("%q %q", old, now)
	}
	f, err := openFile(config.LogFile{Path: path}, false)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	later := time.Now().Add(2 * time.Second)
	f.now = func() time.Time { return later }
	if err := f.write([][]byte{[]byte("third\n")}); err != nil || contents(t, path) != "third\n" {
		t.Errorf("%v", err)
	}
	f.close()
}

// TestSchedule compares with a search hour by hour.
func TestSchedule(t *testing.T) {
	var specs []string
	for h := range 24 {
		specs = append(specs, fmt.Sprintf("$D%d", h), fmt.Sprintf("$W%dD%d", h%7, h), fmt.Sprintf("$M%dD%d", h+5, h))
	}
	rapid.Check(t, func(t *rapid.T) {
		spec := rapid.SampledFrom(specs).Draw(t, "spec")
		from := time.Unix(rapid.Int64Range(1.7e9, 1.9e9).Draw(t, "from"), 0).UTC()
		x, ok := parseSchedule(spec)
		if !ok {
			t.Fatal("not parsed")
		}
		want := from.Truncate(time.Hour).Add(time.Hour)
		for want.Hour() != x.hour || x.weekday >= 0 && int(want.Weekday()) != x.weekday || x.day > 0 && want.Day() != x.day {
			want = want.Add(time.Hour)
		}
		if got := x.next(from); !got.Equal(want) {
			t.Fatalf("%s after %s is %s, want %s", spec, from, got, want)
		}
	})
	for spec, want := range map[string]schedule{"$D0": {0, -1, 0}, "$W5D16": {16, 5, 0}, "$M1D23": {23, -1, 1}} {
		if got, _ := parseSchedule(spec); got != want {
			t.Errorf("%s: %v", spec, got)
		}
	}
	if _, ok := parseSchedule(""); ok {
		t.Error("nothing is a schedule")
	}
	if !slices.IsSortedFunc(levels, func(a, b slog.Level) int { return int(a - b) }) {
		t.Error("levels are not in order")
	}
}
