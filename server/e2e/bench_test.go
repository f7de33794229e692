package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// loadTool builds vmq-bench once and returns its path.
var loadTool = sync.OnceValues(func() (string, error) {
	path := filepath.Join(tempRoot, "vmq-bench")
	out, err := exec.Command("go", "build", "-o", path, "vernemq/cmd/vmq-bench").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot build vmq-bench: %w\n%s", err, out)
	}
	return path, nil
})

// TestLoad runs small loads of vmq-bench, which checks that nothing is lost,
// doubled or out of order.
func TestLoad(t *testing.T) {
	oursOnly(t, "mosquitto 2.0.11 does not deliver all of a fan-in")
	tool, err := loadTool()
	if err != nil {
		t.Fatal(err)
	}
	b := startBroker(t, 2, "max_inflight_messages=1000", "max_online_messages=100000", "max_offline_messages=10000")
	for _, args := range []string{
		"p2p-1K-1K-1K-1K --scale 0.1 --warm 100ms",
		"sharedsub-1K-5-1K-1K --scale 0.1 --warm 100ms",
		"fanout-1-1K-1-1K --scale 0.1 --rate 10 --warm 100ms",
		"conn-tcp-10K-100 --scale 0.02 --connect-rate 500",
		"pairs --qos 2 --v 5 --window 500 --workers 2 --warm 100ms",
		"fanin --qos 1 --window 2000 --warm 100ms",
		"fanout --subs 50 --qos 0 --rate 100 --warm 100ms",
		"reconnect-storm -n 300",
		"offline-burst --pubs 50 --subs 50 --burst 50",
		"retained-flood --pubs 2 --subs 5 --burst 100",
		"slow-consumer --rate 100 --subs 5 --warm 100ms",
	} {
		t.Run(strings.ReplaceAll(args, " ", "_"), func(t *testing.T) {
			page := filepath.Join(t.TempDir(), "report.html")
			args := append(strings.Fields("run "+args), "--addr", fmt.Sprintf("127.0.0.1:%d", b.port), "--pid", fmt.Sprint(b.cmd.Process.Pid),
				"--duration", "500ms", "--quiet", "--html", page)
			out, err := exec.Command(tool, args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if info, err := os.Stat(page); err != nil || info.Size() < 1000 {
				t.Errorf("no report: %v", err)
			}
		})
	}
}

// TestLoadOfDyingBroker: a load whose broker is killed says so, with a report
// of what came before.
func TestLoadOfDyingBroker(t *testing.T) {
	tool, err := loadTool()
	if err != nil {
		t.Fatal(err)
	}
	b := startBroker(t, 1)
	cmd := exec.Command(tool, "run", "pairs", "--rate", "1000", "--duration", "1m", "--addr", fmt.Sprintf("127.0.0.1:%d", b.port),
		"--pid", fmt.Sprint(b.cmd.Process.Pid))
	var out strings.Builder
	cmd.Stdout = &out
	progress, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := progress.Read(make([]byte, 1)); err != nil { // the first line of progress
		t.Fatal(err)
	}
	b.kill()
	if cmd.Wait() == nil || !strings.Contains(out.String(), "the broker ended all connections") || !strings.Contains(out.String(), "delivered") {
		t.Error(out.String())
	}
}
