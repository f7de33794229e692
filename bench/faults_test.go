package bench

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vernemq/codec"
)

// TestFaults: whatever a broker does wrong is reported as what it is.
func TestFaults(t *testing.T) {
	every := func(n int, do func(b *fakeBroker, to *fakeClient, p []byte)) func(*fakeBroker, int, *fakeClient, []byte) {
		return func(b *fakeBroker, i int, to *fakeClient, p []byte) {
			if i%n == 0 {
				do(b, to, p)
			} else {
				to.conn.Write(p)
			}
		}
	}
	wait := func(l *Load) { l.Timeout = stalls }
	for name, c := range map[string]struct {
		broker *fakeBroker
		change func(*Load)
		want   string
	}{
		"loses": {broker: &fakeBroker{fault: every(10, func(*fakeBroker, *fakeClient, []byte) {})}, want: "messages were lost", change: wait},
		"duplicates": {broker: &fakeBroker{fault: every(10, func(_ *fakeBroker, to *fakeClient, p []byte) {
			to.conn.Write(p)
			to.conn.Write(p)
		})}, want: "messages came twice"},
		"reorders": {broker: &fakeBroker{fault: reorder}, want: "messages came out of order",
			change: func(l *Load) { l.Publishers, l.Subscribers, l.Timeout = 1, 1, stalls }},
		"stalls": {broker: &fakeBroker{fault: func(_ *fakeBroker, n int, to *fakeClient, p []byte) {
			if n < 50 {
				to.conn.Write(p)
			}
		}}, want: "nothing came from the broker for 2s", change: func(l *Load) { l.Duration, l.Timeout = 10*time.Second, stalls }},
		"dies": {broker: &fakeBroker{fault: func(b *fakeBroker, n int, to *fakeClient, p []byte) {
			if n == 100 {
				b.l.Close()
				for c := range b.clients {
					c.conn.Close()
				}
			}
			to.conn.Write(p)
		}}, want: "the broker ended all connections", change: func(l *Load) { l.Duration = 10 * time.Second }},
		"ends one": {broker: &fakeBroker{fault: func(_ *fakeBroker, n int, to *fakeClient, p []byte) {
			if n == 20 {
				to.conn.Close()
			}
			to.conn.Write(p)
		}}, want: "the broker ended 1 connections", change: wait},
		"refuses":          {broker: &fakeBroker{connack: codec.NotAuthorized}, want: "no client could connect (first: vb-"},
		"is mute":          {broker: &fakeBroker{mute: true}, want: "no client could connect|connecting: nothing came from the broker", change: wait},
		"grants other QoS": {broker: &fakeBroker{granted: 1}, want: "was answered with code 0x01"},
		"sends to another": {broker: &fakeBroker{fault: every(10, func(b *fakeBroker, to *fakeClient, p []byte) {
			for c := range b.clients {
				if c != to && c.filter != "" {
					c.conn.Write(p)
					return
				}
			}
		})}, want: "messages came that were not for their receiver", change: wait},
		"sends nonsense": {broker: &fakeBroker{fault: every(20, func(_ *fakeBroker, to *fakeClient, _ []byte) {
			to.conn.Write([]byte{0, 0, 0})
		})}, want: "cannot read a packet", change: wait},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := Execute(t.Context(), testLoad(t, "pairs", startFake(t, c.broker), c.change), Options{})
			if got := strings.Join(run.Failures, "; "); !slices.ContainsFunc(strings.Split(c.want, "|"), func(s string) bool { return strings.Contains(got, s) }) {
				t.Errorf("reported %q, want %q", got, c.want)
			}
		})
	}
}

// reorder holds back one message in ten until the next has gone.
func reorder(b *fakeBroker, n int, to *fakeClient, p []byte) {
	if n%10 == 0 {
		b.held = p
		return
	}
	to.conn.Write(p)
	if b.held != nil {
		to.conn.Write(b.held)
		b.held = nil
	}
}

// TestPartialReport: what came before a broker died is in the report.
func TestPartialReport(t *testing.T) {
	b := &fakeBroker{}
	b.fault = func(b *fakeBroker, n int, to *fakeClient, p []byte) {
		if n == 200 {
			for c := range b.clients {
				c.conn.Close()
			}
		}
		to.conn.Write(p)
	}
	l := testLoad(t, "pairs", startFake(t, b), func(l *Load) { l.Warm, l.PID = 0, os.Getpid() })
	run := Execute(t.Context(), l, Options{})
	if m := run.Flow; m == nil || m.Latency.Count < 100 || run.Broker == nil || m.Delivered > 0 && m.CPU <= 0 {
		t.Errorf("%+v", run.Flow)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	run := Execute(t.Context(), testLoad(t, "pairs", l.Addr().String(), nil), Options{})
	if got := fmt.Sprint(run.Failures); !strings.Contains(got, "connection refused") {
		t.Error(got)
	}
	run = Execute(t.Context(), testLoad(t, "pairs", "nonsense", nil), Options{})
	if got := fmt.Sprint(run.Failures); !strings.Contains(got, "cannot find the broker") {
		t.Error(got)
	}
	run = Execute(t.Context(), testLoad(t, "pairs", l.Addr().String(), func(l *Load) { l.PID = 1 << 30 }), Options{})
	if got := fmt.Sprint(run.Failures); !strings.Contains(got, "there is no process 1073741824") {
		t.Error(got)
	}
}

// TestNothingIsLeft: a run leaves no goroutine behind.
func TestNothingIsLeft(t *testing.T) {
	addr := startFake(t, &fakeBroker{})
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("vernemq/bench.(*fakeBroker).serve"))
	run := Execute(t.Context(), testLoad(t, "pairs", addr, nil), Options{})
	if len(run.Failures) > 0 {
		t.Error(run.Failures)
	}
}

// TestEndsEarly: in a take-over, a connection that ends before its client
// comes again was not taken over.
func TestEndsEarly(t *testing.T) {
	b := &fakeBroker{}
	var once bool
	b.judge = func(p *codec.Connect) codec.ReasonCode { // under the broker's lock
		if strings.HasSuffix(string(p.ClientID), "idle-9") && !once {
			once = true
			for c := range b.clients {
				if strings.HasSuffix(c.id, "idle-3") {
					c.conn.Close()
				}
			}
		}
		return codec.Success
	}
	l := testLoad(t, "reconnect-storm", startFake(t, b), func(l *Load) {
		l.Publishers, l.Subscribers, l.Clients, l.Parallel, l.Workers, l.Duration = 0, 0, 10, 1, 1, 100*time.Millisecond
		l.ConnectRate = 50
	})
	run := Execute(t.Context(), l, Options{})
	if got := strings.Join(run.Failures, "; "); !strings.Contains(got, "the broker ended 1 connections before") {
		t.Errorf("reported %q", got)
	}
}
