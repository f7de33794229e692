package vernemq

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// budgets are the instructions that the hot paths may take for one operation.
// Time is not steady on shared machines; the number of instructions is, within
// a percent. Each is about a tenth above what was counted. When a change needs
// more, it says why in its commit; when it needs a lot less, it lowers the budget.
var budgets = []struct {
	pkg, benchmark string
	instructions   int
}{
	{"codec", "DecodePublish", 370},
	{"codec", "DecodePublishV5", 1300},
	{"codec", "AppendPublish", 195},
	{"codec", "DecodeConnect", 2000},
	{"queue", "FanOut", 74500}, // to 500 receivers
	{"queue", "Inflight", 310},
	{"trie", "MatchOne", 1370},
	{"server/session", "ExchangeQoS0", 1270},
	{"server/session", "ExchangeQoS1", 2750},
	{"server/session", "ExchangeQoS2", 3800},
}

// TestInstructions counts what the hot paths execute, with valgrind.
func TestInstructions(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short")
	}
	if _, err := exec.LookPath("valgrind"); err != nil {
		t.Skip("valgrind is not installed")
	}
	binaries := map[string]string{}
	for _, x := range budgets {
		if binaries[x.pkg] == "" {
			out := filepath.Join(t.TempDir(), "test")
			if b, err := exec.Command("go", "test", "-c", "-o", out, "./"+x.pkg).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			binaries[x.pkg] = out
		}
	}
	for _, x := range budgets {
		t.Run(x.pkg+"/"+x.benchmark, func(t *testing.T) {
			t.Parallel()
			const few, many = 1000, 11000
			n := (instructions(t, binaries[x.pkg], x.benchmark, many) - instructions(t, binaries[x.pkg], x.benchmark, few)) / (many - few)
			t.Logf("%d instructions, %d are allowed", n, x.instructions)
			if n > x.instructions {
				t.Errorf("%d instructions for one operation, %d are allowed", n, x.instructions)
			}
		})
	}
}

var collected = regexp.MustCompile(`Collected : (\d+)`)

// instructions runs a benchmark n times and counts all that the process
// executes. What is not the benchmark's own is the same for every n: no
// garbage is collected and no goroutine is interrupted.
func instructions(t *testing.T, binary, benchmark string, n int) int {
	cmd := exec.Command("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary,
		"-test.run", "^$", "-test.bench", "^Benchmark"+benchmark+"$", "-test.benchtime", fmt.Sprintf("%dx", n), "-test.cpu", "1")
	cmd.Env = append(os.Environ(), "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	out, err := cmd.CombinedOutput()
	m := collected.FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	count, _ := strconv.Atoi(string(m[1]))
	return count
}
