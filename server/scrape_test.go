package server

import (
	"io"
	"testing"
	"time"

	"vernemq/server/metrics"
)

// scrape says what Prometheus' reading costs, and how long the loops wait for
// it: what is posted to them meanwhile is done within the longest wait.
func scrape(t *testing.T, b *Broker) {
	t.Helper()
	stop, waits := make(chan struct{}), make(chan time.Duration)
	go func() {
		longest := time.Duration(0)
		for done := make(chan struct{}, 1); ; {
			select {
			case <-stop:
				waits <- longest
				return
			default:
			}
			start := time.Now()
			b.loops[0].reactor.Post(func() { done <- struct{}{} })
			<-done
			longest = max(longest, time.Since(start))
			time.Sleep(100 * time.Microsecond) // the loop is not to be busy with this
		}
	}()
	const times = 50
	begin, start := metrics.CPUTime(), time.Now()
	for range times {
		if err := b.Metrics().WritePrometheus(io.Discard, "", "VerneMQ@127.0.0.1"); err != nil {
			t.Fatal(err)
		}
	}
	cpu, took := (metrics.CPUTime()-begin)/times, time.Since(start)/times
	close(stop)
	t.Logf("a scrape takes %v, %v of CPU; a loop answered within %v", took.Round(time.Microsecond), cpu.Round(time.Microsecond), (<-waits).Round(time.Microsecond))
	if limit := 20 * time.Millisecond; cpu > limit {
		t.Errorf("a scrape takes %v of CPU, want at most %v", cpu, limit)
	}
}
