package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long a test waits for something that must happen. It only
// costs time when a test fails.
const patience = 15 * time.Second

// other is the command in E2E_BROKER; empty when our own broker is tested.
var other = os.Getenv("E2E_BROKER")

// tempRoot holds the built program and the files of the shared brokers.
var tempRoot string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	// Most tests wait for timers of the protocol, not for the processor.
	if !flagGiven("test.parallel") {
		_ = flag.Set("test.parallel", "16")
	}
	var err error
	if tempRoot, err = os.MkdirTemp("", "vernemq-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, "cannot make a directory:", err)
		return 1
	}
	defer os.RemoveAll(tempRoot)
	code := m.Run()
	for _, s := range shared {
		if s.b == nil {
			continue
		}
		if err := s.b.stop(); err != nil {
			fmt.Fprintf(os.Stderr, "--- FAIL: shared broker of %d loops: %v\n%s\n", s.b.loops, err, s.b.tail())
			code = 1
		}
	}
	return code
}

func flagGiven(name string) (given bool) {
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

// program builds our broker once and returns its path, or E2E_BROKER.
var program = sync.OnceValues(func() (string, error) {
	if other != "" {
		return exec.LookPath(other)
	}
	path := filepath.Join(tempRoot, "vernemq")
	args := []string{"build", "-o", path}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "vernemq/cmd/vernemq")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot build vernemq: %w\n%s", err, out)
	}
	return path, nil
})

// mosquitto says that the broker under test is mosquitto.
func mosquitto() bool {
	return strings.HasPrefix(filepath.Base(other), "mosquitto")
}

// oursOnly skips the test when another broker is tested that rightly differs.
func oursOnly(t testing.TB, reason string) {
	t.Helper()
	if mosquitto() {
		t.Skip("not on mosquitto: " + reason)
	}
}

// shared holds the brokers with default settings, by number of loops.
var shared = map[int]*struct {
	once sync.Once
	b    *broker
	err  error
}{1: {}, 4: {}}

func sharedBroker(t *testing.T, loops int) *broker {
	t.Helper()
	s := shared[loops]
	s.once.Do(func() {
		base := filepath.Join(tempRoot, fmt.Sprintf("shared%d", loops))
		if s.err = os.Mkdir(base, 0o755); s.err != nil {
			return
		}
		b := &broker{loops: loops, base: base}
		if s.err = b.start(); s.err == nil {
			s.b = b
		}
	})
	if s.err != nil {
		t.Fatalf("cannot start the shared broker: %v", s.err)
	}
	if s.b.ended() {
		t.Fatalf("the shared broker has ended\n%s", s.b.tail())
	}
	return s.b
}

// forLoops runs f against a broker of one loop and one of four, in parallel
// with other tests. Without settings these brokers are shared with other tests,
// with settings (key=value) they are the test's own.
func forLoops(t *testing.T, f func(t *testing.T, b *broker), settings ...string) {
	t.Helper()
	t.Parallel()
	eachLoops(t, true, f, settings)
}

// forLoopsAlone is forLoops for heavy tests: nothing else runs meanwhile.
func forLoopsAlone(t *testing.T, f func(t *testing.T, b *broker), settings ...string) {
	t.Helper()
	eachLoops(t, false, f, settings)
}

func eachLoops(t *testing.T, parallel bool, f func(t *testing.T, b *broker), settings []string) {
	t.Helper()
	for _, loops := range []int{1, 4} {
		t.Run(fmt.Sprintf("loops=%d", loops), func(t *testing.T) {
			if parallel {
				t.Parallel()
			}
			if len(settings) == 0 {
				f(t, sharedBroker(t, loops))
			} else {
				f(t, startBroker(t, loops, settings...))
			}
		})
	}
}

var names atomic.Int64

// unique returns a name that no other test uses, for client ids and topics.
func unique(prefix string) string {
	return fmt.Sprintf("%s%d", prefix, names.Add(1))
}

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
