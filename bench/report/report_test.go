package report

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vernemq/bench"
	"vernemq/bench/hist"
)

// result is a result with so many runs, whose figures grow from run to run.
func result(t *testing.T, runs int, factor float64) *bench.Result {
	t.Helper()
	s, err := bench.Find("pairs")
	if err != nil {
		t.Fatal(err)
	}
	s.Load.Addr, s.Load.Rate = "127.0.0.1:1883", 1000
	r := bench.NewResult(s.Load, 0)
	for i := range runs {
		h := new(hist.Histogram)
		for v := range int64(1000) {
			h.Record(v * 1000)
		}
		m := bench.Messages{Offered: 1000, Sent: 5000, Delivered: 5000, SentRate: 1000, Rate: 1000, CPU: factor * (1 + float64(i)/10),
			Latency: bench.Latency{P50: 0.5, P99: 1, Count: h.Count(), Histogram: h}}
		run := &bench.Run{Started: time.Unix(0, 0), Seconds: 5, Flow: &m, Broker: &bench.Usage{CPUPercent: 50, MemoryTo: 1 << 20}}
		for second := range 5 {
			run.Series = append(run.Series, bench.Sample{Second: float64(second), Phase: "measure", Sent: 1000, Delivered: 1000, P99: 1, Memory: 1 << 20})
		}
		r.Runs = append(r.Runs, run)
	}
	return r
}

func TestText(t *testing.T) {
	r := result(t, 2, 1)
	var b bytes.Buffer
	Text(&b, r)
	for _, want := range []string{"pairs at 127.0.0.1:1883", "open loop at 1000 messages/s", "run 2", "p99.9", "[1 … 1.1]", "passed"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, &b)
		}
	}
	r.Runs[1].Failures = []string{"3 messages were lost"}
	b.Reset()
	Text(&b, r)
	if !strings.Contains(b.String(), "FAILED (run 2): 3 messages were lost") || strings.Contains(b.String(), "passed") {
		t.Error(b.String())
	}
	b.Reset()
	Brief(&b, r)
	if lines := strings.Count(b.String(), "\n"); lines != 2 || !strings.Contains(b.String(), " cpu_us_per_msg=1.1 ") {
		t.Error(b.String())
	}
}

// TestHTML: the page asks for nothing from outside and escapes what it shows.
func TestHTML(t *testing.T) {
	r := result(t, 2, 1)
	r.Runs[0].Failures = []string{"<script>alert(1)</script>"}
	r.Runs[0].Steps = []*bench.Step{{Messages: *r.Runs[0].Flow, Held: true}, {Messages: bench.Messages{Offered: 1250}, Broken: "too slow"}}
	r.Runs[0].Knee = r.Runs[0].Steps[0]
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"<svg", "Latency by percentile", "Messages per second", "Broker memory", "Latency by load", "prefers-color-scheme: dark", "The knee is 1000", "too slow"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, bad := range []string{"http:", "https:", "src=", "<script", "@import", "url(", "NaN", "Inf"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
}

func TestEmptyRun(t *testing.T) {
	r := result(t, 1, 1)
	r.Runs = []*bench.Run{{Failures: []string{"cannot connect"}}}
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	Text(&b, r)
	Brief(&b, r)
}

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for name, r := range map[string]*bench.Result{"a": result(t, 3, 1), "b": result(t, 3, 2)} {
		file := filepath.Join(dir, name+".json")
		if err := r.Write(file); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	a, err := bench.Read(filepath.Join(dir, "a.json"))
	if err != nil {
		t.Fatal(err, files)
	}
	b, err := bench.Read(filepath.Join(dir, "b.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Compare(&out, a, b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "broker, µs of CPU per delivery") {
			if f := strings.Fields(line); strings.Join(f[6:], " ") != "1.1 2.2 2.000 1.667 … 2.400" {
				t.Errorf("%q", f)
			}
		}
	}
	b.Load.Scenario = "fanout"
	if err := Compare(&out, a, b); err == nil {
		t.Error("different scenarios are compared")
	}
	if _, err := bench.Read(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there is read")
	}
}

func TestTicks(t *testing.T) {
	for _, most := range []float64{0, 0.003, 1, 99, 12345, 3e9} {
		ts := niceTicks(most, 5)
		if last := ts[len(ts)-1].at; last < most || len(ts) < 2 || len(ts) > 7 {
			t.Errorf("%v: %v", most, ts)
		}
	}
}

// TestCompareFailed: figures of a run that failed are not shown without a word.
func TestCompareFailed(t *testing.T) {
	result := func(failures ...string) *bench.Result {
		return &bench.Result{Load: bench.Load{Scenario: "pairs"}, Runs: []*bench.Run{{Failures: failures}, {}}}
	}
	var b strings.Builder
	if err := Compare(&b, result(), result("7 messages were lost")); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); !strings.Contains(s, "(2 runs)") || !strings.Contains(s, "(2 runs, 1 failed)") {
		t.Error(s)
	}
}

// TestBriefCounts: a count is whole.
func TestBriefCounts(t *testing.T) {
	var b strings.Builder
	Brief(&b, &bench.Result{Runs: []*bench.Run{{Flow: &bench.Messages{Sent: 1_234_567, Delivered: 1_234_566, Lost: 1, Rate: 41152.2}}}})
	if s := b.String(); !strings.Contains(s, " sent=1234567 delivered=1234566 ") || !strings.Contains(s, " msgs_per_s=41152.2 ") || !strings.Contains(s, " p50_ms=0 ") {
		t.Error(s)
	}
}
