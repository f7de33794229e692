package bench

import (
	"context"
	"math"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// measured tells that all messages have been measured that were due after the
// warm-up. How many a closed loop sends is up to the machine.
func measured(l *Load, m *Messages) bool {
	if l.Rate == 0 {
		return m.Sent == 0 || m.Latency.Count > 0
	}
	fan := float64(l.fan())
	return math.Abs(float64(m.Latency.Count)-l.Rate*l.Duration.Seconds()*fan) <= fan
}

// TestShapes runs each shape, open and closed, against a broker without faults.
func TestShapes(t *testing.T) {
	addr := startFake(t, &fakeBroker{})
	for _, name := range []string{"pairs", "fanin", "fanout", "shared"} {
		for _, rate := range []float64{2000, 0} {
			l := testLoad(t, name, addr, func(l *Load) {
				l.Rate, l.QoS, l.Level, l.PID = rate, 1, 4, os.Getpid()
				if name == "fanin" {
					l.Subscribers = 1
				}
				l.DefaultWindow()
			})
			var samples int
			run := Execute(t.Context(), l, Options{Progress: func(Sample) { samples++ }})
			m := run.Flow
			if len(run.Failures) > 0 || m == nil || !measured(&l, m) || m.Delivered > 0 && m.CPU <= 0 || run.Broker.MemoryTo <= 0 {
				t.Errorf("%s at %v: %v, %+v", name, rate, run.Failures, m)
			}
		}
	}
}

// TestOpenLoop: messages are due at fixed times, and one that had to wait is as
// old as its due time says.
func TestOpenLoop(t *testing.T) {
	b := &fakeBroker{}
	gate := make(chan struct{})
	const held = 150 * time.Millisecond
	var once bool
	b.fault = func(_ *fakeBroker, n int, to *fakeClient, p []byte) {
		if n == 20 && !once {
			once = true
			time.AfterFunc(held, func() { close(gate) })
			<-gate // the broker does nothing for a while
		}
		to.conn.Write(p)
	}
	l := testLoad(t, "pairs", startFake(t, b), func(l *Load) { l.Warm, l.Duration, l.Rate, l.QoS, l.Inflight = 0, 500*time.Millisecond, 200, 1, 1 })
	run := Execute(t.Context(), l, Options{})
	m := run.Flow
	if len(run.Failures) > 0 || m == nil {
		t.Fatal(run.Failures)
	}
	if !measured(&l, m) {
		t.Errorf("%d messages at %.0f/s in %v", m.Latency.Count, l.Rate, l.Duration)
	}
	// With one message per publisher in flight, a closed loop would have
	// four slow messages. Here all that were due meanwhile are slow.
	h := m.Latency.Histogram
	if slow := h.Quantile(0.8); time.Duration(slow) < held/8 {
		t.Errorf("p80 is %v: the messages that had to wait are not counted from when they were due", time.Duration(slow))
	}
}

func TestHoldAndTakeOver(t *testing.T) {
	addr := startFake(t, &fakeBroker{})
	for _, name := range []string{"hold", "connect-storm", "reconnect-storm"} {
		l := testLoad(t, name, addr, func(l *Load) { l.Publishers, l.Subscribers, l.Clients, l.Rate = 0, 0, 50, 0 })
		run := Execute(t.Context(), l, Options{})
		if len(run.Failures) > 0 || run.Connect.Connected != 50 || (run.Again != nil) != (name == "reconnect-storm") {
			t.Errorf("%s: %v, %+v", name, run.Failures, run.Connect)
		}
	}
}

// TestSteps: the knee is the last load that held, although a broker that is
// overloaded delivers everything in the end.
func TestSteps(t *testing.T) {
	b := &fakeBroker{}
	var held atomic.Bool // by other work of the machine
	b.fault = func(_ *fakeBroker, _ int, to *fakeClient, p []byte) {
		end := time.Now().Add(500 * time.Microsecond) // 2,000 messages/s
		for time.Now().Before(end) {
		}
		to.conn.Write(p)
		if time.Since(end) > 5*time.Millisecond {
			held.Store(true)
		}
	}
	l := testLoad(t, "pairs", startFake(t, b), func(l *Load) {
		l.Rate, l.Step, l.Quantile, l.Objective, l.Duration = 500, true, 0.9, 40*time.Millisecond, 300*time.Millisecond
		l.Timeout = 5 * time.Second
	})
	run := Execute(t.Context(), l, Options{})
	k := run.Knee
	if k == nil && held.Load() && len(run.Steps) > 0 {
		return // a broker that is held up so may break at the first load
	}
	if k == nil || k.Offered > 2500 || len(run.Steps) < 2 || run.Steps[len(run.Steps)-1].Held {
		t.Fatalf("%v: knee %+v of %d steps", run.Failures, k, len(run.Steps))
	}
}

// whenMeasured calls f when messages have been measured.
func whenMeasured(f func()) func(Sample) {
	seen := false
	return func(s Sample) {
		if s.Phase == "measure" && s.Delivered > 0 {
			if seen {
				f()
			}
			seen = true // this interval may have begun with the warm-up
		}
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := testLoad(t, "pairs", startFake(t, &fakeBroker{}), func(l *Load) { l.Duration = time.Hour })
	run := Execute(ctx, l, Options{Progress: whenMeasured(cancel)})
	if got := strings.Join(run.Failures, ";"); !strings.Contains(got, "interrupted") || run.Flow == nil || run.Flow.Delivered == 0 {
		t.Errorf("%s, %+v", got, run.Flow)
	}
}

// startAgent starts an agent that lives as long as the test.
func startAgent(t *testing.T) string { return startAgentIn(t.Context(), t) }

func startAgentIn(ctx context.Context, t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- ServeAgent(ctx, l) }()
	t.Cleanup(func() { // after the test's context has ended
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// TestAgents splits a run over two agents and loses one in another run.
func TestAgents(t *testing.T) {
	addr := startFake(t, &fakeBroker{})
	var agents []string
	var stops []context.CancelFunc
	for range 2 {
		ctx, stop := context.WithCancel(t.Context())
		agents, stops = append(agents, startAgentIn(ctx, t)), append(stops, stop)
	}
	for _, name := range []string{"pairs", "fanout", "shared"} {
		l := testLoad(t, name, addr, func(l *Load) { l.Level = 4 })
		run := Execute(t.Context(), l, Options{Agents: agents})
		if len(run.Failures) > 0 || run.Flow == nil || !measured(&l, run.Flow) {
			t.Errorf("%s: %v, %+v", name, run.Failures, run.Flow)
		}
	}
	l := testLoad(t, "pairs", addr, func(l *Load) { l.Duration = time.Hour })
	run := Execute(t.Context(), l, Options{Agents: agents, Progress: whenMeasured(stops[1])})
	if got := strings.Join(run.Failures, ";"); !strings.Contains(got, "lost agent "+agents[1]) || run.Flow == nil || run.Flow.Delivered == 0 {
		t.Errorf("%s, %+v", got, run.Flow)
	}
}

func TestAgentDistrusts(t *testing.T) {
	p := &pool{}
	for _, c := range []command{
		{Op: opConnect, Group: 99}, {Op: opPrepare}, {Op: opPrepare, Plan: &plan{Of: 0}}, {Op: opPrepare, Plan: &plan{Of: 1}}, {Op: "x"}, {Op: opStop},
	} {
		if _, err := p.obey(&c); err == nil {
			t.Errorf("%+v was obeyed", c)
		}
	}
}

// TestShortConnects: the time that clients take to connect ends with the last
// of them, not when somebody looks.
func TestShortConnects(t *testing.T) {
	l := testLoad(t, "connect-storm", startFake(t, &fakeBroker{}), func(l *Load) {
		l.Publishers, l.Subscribers, l.Clients, l.Duration = 0, 0, 20, time.Millisecond
	})
	least := math.Inf(1)
	for range 10 { // a busy machine
		if run := Execute(t.Context(), l, Options{}); run.Connect != nil {
			least = min(least, run.Connect.Seconds)
		}
	}
	if least >= lookEvery.Seconds() {
		t.Errorf("20 clients took %v s", least)
	}
}

// TestCleared: no retained message is left behind, whatever the QoS.
func TestCleared(t *testing.T) {
	for qos := range byte(2) {
		b := &fakeBroker{} // which retains nothing: all is lost
		l := testLoad(t, "retained-flood", startFake(t, b), func(l *Load) { l.QoS, l.Rate, l.Burst, l.Timeout = qos, 0, 1000, time.Second })
		Execute(t.Context(), l, Options{})
		b.mu.Lock()
		if want := l.Publishers * l.Burst; b.cleared != want {
			t.Errorf("QoS %d: %d of %d messages were cleared", qos, b.cleared, want)
		}
		b.mu.Unlock()
	}
}

// TestHeldUp: what a moment of the broker held up is sent after it, without
// acknowledgements too.
func TestHeldUp(t *testing.T) {
	b := &fakeBroker{}
	b.fault = func(_ *fakeBroker, n int, to *fakeClient, p []byte) {
		if n == 20 {
			time.Sleep(time.Second) // takes nothing meanwhile
		}
		to.conn.Write(p)
	}
	l := testLoad(t, "pairs", startFake(t, b), func(l *Load) {
		l.Publishers, l.Subscribers, l.Warm, l.Duration, l.Rate, l.Size = 1, 1, 0, 2*time.Second, 50, 512<<10
	})
	run := Execute(t.Context(), l, Options{})
	if len(run.Failures) > 0 {
		t.Errorf("%v, %+v", run.Failures, run.Flow)
	}
}

// TestKneeUse: what broker and generator used is shown of the step that the
// messages are of.
func TestKneeUse(t *testing.T) {
	b := &fakeBroker{fault: func(_ *fakeBroker, n int, to *fakeClient, p []byte) {
		if n < 300 { // then nothing more comes
			to.conn.Write(p)
		}
	}}
	l := testLoad(t, "pairs", startFake(t, b), func(l *Load) {
		l.PID, l.Rate, l.Step, l.Quantile, l.Objective = os.Getpid(), 1000, true, 0.5, 10*time.Second
		l.Warm, l.Timeout = 0, time.Second
	})
	run := Execute(t.Context(), l, Options{})
	k := run.Knee
	if k == nil || run.Flow == nil || len(run.Steps) < 2 {
		t.Fatalf("%+v", run)
	}
	if k.broker == nil || run.Broker != k.broker || run.Generator != k.generator || run.Steps[len(run.Steps)-1].broker == k.broker {
		t.Errorf("%+v, %+v", run.Broker, k)
	}
}
