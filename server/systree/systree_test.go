package systree

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vernemq/server/config"
	"vernemq/server/metrics"
)

// TestTopics compares the topics with those of VerneMQ: all of them, but for
// processors and for parts that do not run.
func TestTopics(t *testing.T) {
	r := metrics.New(nil)
	topics := map[string]bool{}
	for _, m := range Messages("$SYS/n/", r) {
		if m.Payload != "0" || topics[m.Topic] {
			t.Errorf("%+v", m)
		}
		topics[m.Topic] = true
	}
	for _, want := range []string{"$SYS/n/mqtt/publish/received", "$SYS/n/socket/close/timeout", "$SYS/n/mqtt/connack/not/authorized/sent", "$SYS/n/client/expired", "$SYS/n/system/utilization/scheduler/1"} {
		if !topics[want] {
			t.Errorf("%s is missing", want)
		}
	}
	for topic := range topics {
		if strings.Contains(topic, "webhooks") || strings.Contains(topic, "sessions/online") || strings.Contains(topic, "_") {
			t.Errorf("%s should not be there", topic)
		}
	}
	r.Run("metadata store")
	running := len(Messages("$SYS/n/", r)) - len(topics)
	if want := 8*9 + 3; running != want { // eight histograms and three gauges
		t.Errorf("%d more topics, want %d", running, want)
	}
	if got := level("a/b+c#d@h"); got != "a_b_c_d@h" {
		t.Error(got)
	}
}

// TestLive switches it on and off while it runs, and changes the interval.
func TestLive(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var settings atomic.Pointer[config.Systree]
	set := func(enabled bool, interval time.Duration) {
		settings.Store(&config.Systree{Enabled: enabled, Interval: interval, QoS: 1})
	}
	set(true, time.Hour)
	rounds := make(chan int, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		Run(ctx, "n", metrics.New(nil), func() config.Systree { return *settings.Load() }, func(s config.Systree, ms []Message) {
			if s.QoS != 1 {
				t.Error("settings are not passed on")
			}
			rounds <- len(ms)
		})
	}()
	await := func() {
		t.Helper()
		select {
		case n := <-rounds:
			if n < 90 {
				t.Errorf("%d messages", n)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("nothing was published")
		}
	}
	await() // the first comes soon
	set(true, 10*time.Millisecond)
	for range 10 {
		await()
	}
	set(false, 10*time.Millisecond)
	time.Sleep(20 * time.Millisecond) // a round may be under way
	for len(rounds) > 0 {
		<-rounds
	}
	time.Sleep(50 * time.Millisecond)
	if len(rounds) > 0 {
		t.Error("published while switched off")
	}
	set(true, 10*time.Millisecond)
	await()
	cancel()
	<-done
}
