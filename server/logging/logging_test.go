package logging

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vernemq/server/config"
)

// logged opens a log, lets use write to it, closes it and gives what the
// console got.
func logged(t *testing.T, c config.Log, use func(*Log, *slog.Logger)) string {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var b bytes.Buffer
	l, err := Open(c, &b)
	if err != nil {
		t.Fatal(err)
	}
	use(l, l.Logger())
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	return b.String()
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func TestText(t *testing.T) {
	say := func(_ *Log, log *slog.Logger) {
		log.Debug("not seen")
		log.With("loop", 1).Warn("client stopped", "client", "a b", "cause", "x\ny=1", "empty", "")
	}
	for simple, want := range map[bool]string{
		false: `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 \[warning\] client stopped loop=1 client="a b" cause="x\\ny=1" empty=""\n$`,
		true:  `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 warning: client stopped loop=1 client="a b" cause="x\\ny=1" empty=""\n$`,
	} {
		if got := logged(t, config.Log{Console: "console", Level: "info", Lowest: "all", Simple: simple}, say); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%q", got)
		}
	}
}

// TestForgery lets a client name hold line breaks: one record stays one line.
func TestForgery(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		got := logged(t, config.Log{Console: "console", ConsoleFormat: format, Lowest: "all"}, func(_ *Log, log *slog.Logger) {
			log.Info("bad\nmessage", "client", "a\n2026-11-22T09:42:03.134049+00:00 [error] forged\u2028x")
		})
		if strings.Count(got, "\n") != 1 {
			t.Errorf("%s: %q", format, got)
		}
	}
}

func TestJSON(t *testing.T) {
	got := logged(t, config.Log{Console: "console", ConsoleFormat: "json", Level: "debug", Lowest: "all"}, func(l *Log, _ *slog.Logger) {
		l.Module("http").Error("failed", "n", 3, "ok", true, "who", "x", "msg", "not this")
	})
	var m map[string]any
	if err := json.Unmarshal([]byte(got), &m); err != nil {
		t.Fatal(err)
	}
	if m["level"] != "error" || m["msg"] != "failed" || m["n"] != 3.0 || m["ok"] != true || m["who"] != "x" || m["time"].(float64) < 1e15 || m["module"] != "http" {
		t.Errorf("%v", m)
	}
}

// TestPlaces sends lines of all levels to all files.
func TestPlaces(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	path := func(name string) string { return filepath.Join(dir, name) }
	c := config.Log{Console: "both", Level: "warning", Lowest: "all", File: config.LogFile{Path: path("console.log")}, Error: config.LogFile{Path: path("error.log"), JSON: true},
		Crash: config.LogFile{Path: path("crash.log")}, CrashMessage: 200}
	console := logged(t, c, func(l *Log, log *slog.Logger) {
		log.Info("quiet")
		log.Warn("loud")
		log.Error("louder")
		log.Log(t.Context(), 16, "an alert")
		log.Error("panic contained", "panic", "boom", "stack", "goroutine 1\n\tmain.go:3\n"+strings.Repeat("more\n", 100))
		want := []Place{{"crash", "error", "file", path("crash.log")}, {"consolefile", "warning", "file", path("console.log")},
			{"console", "warning", "standard_io", "-"}, {"default", "error", "file", path("error.log")}}
		if got := l.Places(); len(got) != 4 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != want[3] {
			t.Errorf("%v", got)
		}
	})
	file, errors, crash := contents(t, path("console.log")), contents(t, path("error.log")), contents(t, path("crash.log"))
	if file != console || strings.Contains(file, "quiet") || strings.Count(file, "\n") != 4 || !strings.Contains(file, "[alert] an alert") {
		t.Errorf("console.log: %q", file)
	}
	if strings.Contains(errors, "loud\"") || strings.Count(errors, "\n") != 3 || !strings.Contains(errors, `"level":"alert"`) {
		t.Errorf("error.log: %q", errors)
	}
	if !regexp.MustCompile(`^\S+ \[error\] panic contained panic=boom\n    goroutine 1\n    \tmain.go:3\n    more`).MatchString(crash) || len(crash) > 210 || !strings.HasSuffix(crash, "…\n") {
		t.Errorf("crash.log: %q", crash)
	}
}

func TestOpenFails(t *testing.T) {
	for want, c := range map[string]config.Log{
		"/proc/nope/x.log": {Console: "file", File: config.LogFile{Path: "/proc/nope/x.log"}},
		"rfc5424":          {Syslog: &config.Syslog{Host: "127.0.0.1", Protocol: "tls"}},
		"certificates":     {Syslog: &config.Syslog{Host: "127.0.0.1", Protocol: "tls", RFC5424: true, CAFile: "/nope"}},
	} {
		if _, err := Open(c, os.Stdout); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestLevels changes levels while the log is in use.
func TestLevels(t *testing.T) {
	got := logged(t, config.Log{Console: "console", Level: "info", Lowest: "all"}, func(l *Log, log *slog.Logger) {
		http := l.Module("http")
		set := func(name, level, want string) {
			err := l.SetLevel(name, level)
			if text := ""; err != nil {
				text = err.Error()
				if text != want {
					t.Errorf("%s %s: %q", name, level, text)
				}
			} else if want != "" {
				t.Errorf("%s %s: no error", name, level)
			}
		}
		log.Debug("one")
		set("console", "debug", "")
		log.Debug("two")
		set("console", "warning", "")
		log.Info("three")
		set("http", "debug", "")
		http.Debug("four")
		log.Debug("five")
		set("console", "none", "")
		log.Error("six")
		set("nosuch", "info", "Unknown logger: nosuch")
		set("console", "loud", `Invalid value: "loud"`)
	})
	var lines []string
	for _, l := range strings.Split(strings.TrimSpace(got), "\n") {
		_, text, _ := strings.Cut(l, "+00:00 ")
		lines = append(lines, text)
	}
	want := `[info] Changed log level for Logger "console" to "debug"|[debug] two|[debug] http: four`
	if strings.Join(lines, "|") != want {
		t.Errorf("%s", strings.Join(lines, "|"))
	}
}

// TestLowest holds that log.level counts for everything, and off is off.
func TestLowest(t *testing.T) {
	if got := logged(t, config.Log{Console: "console", Level: "debug", Lowest: "error"}, func(_ *Log, log *slog.Logger) { log.Warn("x") }); got != "" {
		t.Error(got)
	}
	logged(t, config.Log{Console: "off", Lowest: "all"}, func(_ *Log, log *slog.Logger) {
		if log.Enabled(t.Context(), 100) {
			t.Error("off is on")
		}
	})
}

// TestRepeats writes the same line again and again: some come through, then
// their number.
func TestRepeats(t *testing.T) {
	got := logged(t, config.Log{Console: "console", Lowest: "all"}, func(_ *Log, log *slog.Logger) {
		for i := range 100 {
			log.Warn("cannot authenticate", "client", "x", "peer", i)
			log.Info("client connected", "client", "x")
		}
		log.Warn("cannot authenticate", "client", "y", "peer", 1)
	})
	if n := strings.Count(got, "client=x peer"); n != sameLines+1 || !strings.Contains(got, "client=x peer=99 repeated=95\n") {
		t.Errorf("%d lines: %s", n, got)
	}
	if strings.Count(got, "client=y") != 1 || strings.Count(got, "client connected") != 100 {
		t.Error("other lines are missing")
	}
}

// TestRepeatsOfModule counts the lines of a module with a level of its own by
// that level.
func TestRepeatsOfModule(t *testing.T) {
	got := logged(t, config.Log{Console: "console", Level: "error", Lowest: "all"}, func(l *Log, _ *slog.Logger) {
		log := l.Module("http")
		if err := l.SetLevel("http", "warning"); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			log.Warn("request refused")
		}
	})
	if n := strings.Count(got, "request refused"); n != sameLines+1 || !strings.Contains(got, "request refused repeated=15\n") {
		t.Errorf("%d lines: %s", n, got)
	}
}

// stuck is a console that nobody reads until release.
type stuck struct {
	release chan struct{}
	mu      sync.Mutex
	b       bytes.Buffer
}

func (s *stuck) Write(b []byte) (int, error) {
	<-s.release
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

// TestStuckConsole logs more than fits while nobody reads: who logs does not
// wait, and afterwards the log says how much is missing.
func TestStuckConsole(t *testing.T) {
	s := &stuck{release: make(chan struct{})}
	l, err := Open(config.Log{Console: "console", Lowest: "all"}, s)
	if err != nil {
		t.Fatal(err)
	}
	log, start := l.Logger(), time.Now()
	const lines = 50000
	for i := range lines {
		log.Info("a line that is long enough to fill the queue soon", "number", i)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("who logs waited %v", d)
	}
	close(s.release)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := s.b.String()
	if n := strings.Count(got, "\n"); n < 1000 || n >= lines || !strings.Contains(got, "log lines were lost") || s.b.Len() > 3*queueBytes {
		t.Errorf("%d lines, %d bytes", n, len(got))
	}
}

func BenchmarkWarn(b *testing.B) {
	l, err := Open(config.Log{Console: "console", Lowest: "all"}, &bytes.Buffer{})
	if err != nil {
		b.Fatal(err)
	}
	log := l.Logger()
	b.ReportAllocs()
	for b.Loop() {
		log.Warn("client stopped", "mountpoint", "", "client", "device-0000001", "peer", "127.0.0.1:50000", "cause", "connection closed")
	}
	l.Close()
}
