package server

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/hooks"
	"vernemq/server/trace"
)

// tracing runs a trace in the background; lines gives what it has said so far.
type tracing struct {
	mu    sync.Mutex
	lines []string
	end   context.CancelFunc
	done  chan error
}

func startTracing(t *testing.T, b *Broker, o trace.Options) *tracing {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	x := &tracing{end: cancel, done: make(chan error, 1)}
	if o.RateMax == 0 {
		o.RateMax, o.RateInterval = 100000, time.Second
	}
	if o.Truncate == 0 {
		o.Truncate = 20
	}
	go func() {
		x.done <- b.Trace(ctx, o, func(s string) error {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.lines = append(x.lines, s)
			return nil
		})
	}()
	x.await(t, "ession") // of the first line
	return x
}

func (x *tracing) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.Join(x.lines, "\n")
}

func (x *tracing) await(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(x.text(), want); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %q in\n%s", want, x.text())
		}
	}
}

func (x *tracing) stop(t *testing.T) string {
	t.Helper()
	x.end()
	if err := <-x.done; err != nil {
		t.Error(err)
	}
	return x.text()
}

// TestTrace watches a client from before it connects, with two traces at once,
// and another one of the same name elsewhere not at all.
func TestTrace(t *testing.T) {
	cfg := testConfig(2)
	other := cfg.Listeners[0]
	other.Mountpoint = "mp"
	cfg.Listeners = append(cfg.Listeners, other)
	b := startBroker(t, cfg)
	x, y := startTracing(t, b, trace.Options{ID: "c"}), startTracing(t, b, trace.Options{ID: "c", Truncate: 4})
	elsewhere := startTracing(t, b, trace.Options{ID: "c", Mountpoint: "mp"})
	p := &peer{t: t}
	p.dial(b, &codec.Connect{Version: codec.V5, CleanStart: true, ClientID: []byte("c"), HasUsername: true, Username: []byte("u"),
		HasPassword: true, Password: []byte("hunter2"), RequestProblemInfo: true})
	p.subscribe("t/#", 1)
	q := connect(t, b, "q")
	q.publish("t/small", "hello", 1, 1)
	q.publish("t/large", strings.Repeat("x", 10000), 1, 2) // not copied into the output
	q.publish("t/small", "after", 0, 0)
	if got := p.payloads(3); got[0] != "hello" || len(got[1]) != 10000 || got[2] != "after" {
		t.Fatalf("%.100q", got)
	}
	p.publish("t/own", strings.Repeat("y", 10000), 1, 3) // from the read buffer
	if got := p.payloads(1); len(got[0]) != 10000 {
		t.Fatalf("%d bytes", len(got[0]))
	}
	p.conn.Close()
	x.await(t, "stopped")
	y.await(t, "stopped")
	pid := x.lines[2][:strings.Index(x.lines[2], ">")+1]
	got := strings.ReplaceAll(x.stop(t), pid, "P")
	for _, want := range []string{
		"No sessions found for client \"c\"\nNew session with PID P found for client \"c\"\nP MQTT RECV: CID: \"c\" CONNECT(c: c, v: 5, u: u, p: pw_no_print, cs: true, ka: 0)",
		"P MQTT SEND: CID: \"c\" CONNACK(sp: 0, rc: success(0))\nP MQTT RECV: CID: \"c\" SUBSCRIBE(m1) with topics:\n    q:1, no_local:false, rap:false, rh:send_retain\n    t: \"t/#\"\nP MQTT SEND: CID: \"c\" SUBACK(m1, reason_codes:[1])",
		"\"t/small\") with payload:\n    hello\n", "\"t/large\") with payload:\n    xxxxxxxxxxxxxxxxxxxx (truncated)\n", "\"t/small\") with payload:\n    after\n",
		"RECV: CID: \"c\" PUBLISH(d0, q1, r0, m3, \"t/own\") with payload:\n    yyyyyyyyyyyyyyyyyyyy (truncated)",
		"P Trace session for c stopped",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no\n%s\nin\n%s", want, got)
		}
	}
	if strings.Contains(got, "hunter2") || strings.Count(got, "SEND: CID: \"c\" PUBLISH") != 4 {
		t.Error(got)
	}
	if short := y.stop(t); !strings.Contains(short, "    hell (truncated)") {
		t.Error(short)
	}
	if got := elsewhere.stop(t); strings.Contains(got, "CONNECT") {
		t.Error(got)
	}
	for _, l := range b.loops { // nothing is left
		if err := b.onLoop(t.Context(), l, func() {
			if l.traces != nil || l.taps != nil {
				t.Errorf("loop %d still traces", l.index)
			}
		}); err != nil {
			t.Error(err)
		}
	}
}

// TestTraceExisting watches a client that is there, and lets it go unharmed.
func TestTraceExisting(t *testing.T) {
	b := startBroker(t, testConfig(2))
	p := connect(t, b, "c")
	p.subscribe("t", 1)
	x := startTracing(t, b, trace.Options{ID: "c"})
	x.await(t, "Starting trace for 1 existing sessions for client \"c\" with PIDs\n    [<")
	for i := range 50 {
		p.publish("t", fmt.Sprint(i), 1, uint16(i+10))
		if i == 25 {
			x.await(t, "m10, ")
			x.stop(t)
		}
	}
	for i, s := range p.payloads(50) {
		if s != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, s)
		}
	}
	got := x.text()
	if !strings.Contains(got, "PUBLISH(d0, q1, r0, m10, \"t\") with payload:\n    0") {
		t.Error(got)
	}
}

// TestTraceRefused shows a client that is not let in, and an end from outside.
func TestTraceRefused(t *testing.T) {
	cfg := testConfig(2)
	cfg.Listeners[0].AllowAnonymous = false
	b := startBroker(t, cfg)
	x := startTracing(t, b, trace.Options{ID: "c"})
	p := &peer{t: t}
	p.open(b)
	p.send(codec.AppendConnect(nil, &codec.Connect{Version: codec.V311, CleanStart: true, ClientID: []byte("c")}))
	p.next()
	x.await(t, "CONNACK(sp: 0, rc: 5)")
	b.StopTraces()
	if err := <-x.done; err != nil || !strings.HasSuffix(x.text(), "Trace terminated by external action.") {
		t.Errorf("%v, %s", err, x.text())
	}
}

// TestTraceRate ends a trace of a busy client; the client is not held up.
func TestTraceRate(t *testing.T) {
	b := startBroker(t, testConfig(1))
	p := connect(t, b, "c")
	x := startTracing(t, b, trace.Options{ID: "c", RateMax: 5, RateInterval: time.Minute})
	for i := range 20 {
		p.publish("x", "y", 1, uint16(i+1))
		p.next()
	}
	if err := <-x.done; err != nil || !strings.HasSuffix(x.text(), "Trace rate limit triggered.") {
		t.Errorf("%v, %s", err, x.text())
	}
}

// TestTraceChurn starts and ends traces while the client is busy and comes and
// goes: every message arrives, in order.
func TestTraceChurn(t *testing.T) {
	b := startBroker(t, testConfig(2))
	stop := make(chan struct{})
	var churn sync.WaitGroup
	for range 3 {
		churn.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
				_ = b.Trace(ctx, trace.Options{ID: "c", RateMax: 1 << 30, RateInterval: time.Second, Truncate: 5}, func(string) error { return nil })
				cancel()
			}
		})
	}
	for range 10 {
		p := connect(t, b, "c")
		p.subscribe("t", 1)
		for i := range 100 {
			p.publish("t", strings.Repeat("z", i*97), 1, uint16(i+10))
		}
		for i, s := range p.payloads(100) {
			if len(s) != i*97 {
				t.Fatalf("message %d has %d bytes", i, len(s))
			}
		}
		p.conn.Close()
	}
	close(stop)
	churn.Wait()
}

// TestTraceHooks shows what plugins are asked about a client's packets, and
// what they answer, at once or later.
func TestTraceHooks(t *testing.T) {
	b := startBroker(t, closedConfig(2))
	h := welcome()
	h.AuthOnPublishM5.Now = nil
	h.AuthOnPublishM5.Wait = func(_ context.Context, r *hooks.Message) hooks.PublishAnswer {
		if string(r.Topic) == "no" {
			return hooks.PublishAnswer{Result: hooks.Failed, Refusal: &hooks.Refusal{Cause: "not_this_one"}}
		}
		return hooks.PublishAnswer{Result: hooks.OK}
	}
	plug(t, b, "p", h)
	x := startTracing(t, b, trace.Options{ID: "c", Truncate: 3})
	p := connect(t, b, "c")
	p.subscribe("t/#", 1)
	p.publish("t/a", "hello", 1, 7)
	p.publish("no", "hello", 1, 8)
	x.await(t, "not_this_one")
	x.await(t, "PUBACK(m8")
	got := x.text()
	pid := got[strings.Index(got, "PID <")+4:]
	pid = pid[:strings.Index(pid, ">")+1]
	got = strings.ReplaceAll(x.stop(t), pid, "P")
	for _, want := range []string{
		"P Calling auth_on_subscribe_m5(undefined,{[],<<\"c\">>}) with topics:\n    q:1, no_local:false, rap:false, rh:send_retain\n    t: \"t/#\"\nP Hook returned \"ok\"\nP MQTT SEND: CID: \"c\" SUBACK",
		"P Calling auth_on_publish_m5(undefined,{[],<<\"c\">>},1,t/a,false) with payload:\n    hel (truncated)\nP Hook returned \"ok\"\n",
		"P Calling auth_on_publish_m5(undefined,{[],<<\"c\">>},1,no,false) with payload:\n    hel (truncated)\nP Hook returned not_this_one\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no\n%s\nin\n%s", want, got)
		}
	}
	if n := strings.Count(got, "Calling auth_on_publish_m5"); n != 2 {
		t.Errorf("asked %d times:\n%s", n, got)
	}
}

// TestTraceAdmission shows what plugins are asked before a client has a session,
// behind its CONNECT: of one that comes, of one that is refused at once, and of
// one that is refused later, on any of the loops.
func TestTraceAdmission(t *testing.T) {
	b := startBroker(t, closedConfig(3))
	h := welcome()
	register := h.AuthOnRegister.Now
	h.AuthOnRegister.Now = func(r *hooks.Register) hooks.RegisterAnswer {
		if r.Username == "no" {
			return hooks.RegisterAnswer{Result: hooks.Failed, Refusal: &hooks.Refusal{Cause: "not_you"}}
		}
		a := register(r)
		a.Modifiers = &hooks.RegisterModifiers{MaxMessageSize: new(5000)}
		return a
	}
	h.AuthOnPublish.Now = nil
	h.AuthOnPublish.Wait = func(_ context.Context, r *hooks.Message) hooks.PublishAnswer {
		if r.Retain {
			return hooks.PublishAnswer{Result: hooks.Failed, Refusal: &hooks.Refusal{Cause: "not_this_will"}}
		}
		return hooks.PublishAnswer{Result: hooks.OK}
	}
	plug(t, b, "p", h)
	for _, c := range []struct {
		user, end string
		retain    bool
		want      []string
	}{
		{"yes", "rc: 0)", false, []string{" MQTT RECV: ", " Calling auth_on_register(", ` Hook returned "ok" with modifiers:`, "    {max_message_size,5000}",
			" Calling auth_on_publish(", "    bye", ` Hook returned "ok"`, " MQTT SEND: "}},
		{"no", "rc: 5)", false, []string{" MQTT RECV: ", " Calling auth_on_register(", " Hook returned not_you", " MQTT SEND: "}},
		{"yes", "rc: 5)", true, []string{" MQTT RECV: ", " Calling auth_on_register(", ` Hook returned "ok" with modifiers:`, "    {max_message_size,5000}",
			" Calling auth_on_publish(", "    bye", " Hook returned not_this_will", " MQTT SEND: "}},
	} {
		x := startTracing(t, b, trace.Options{ID: "c"})
		p := &peer{t: t}
		p.open(b)
		p.send(codec.AppendConnect(nil, &codec.Connect{Version: codec.V311, CleanStart: true, ClientID: []byte("c"),
			HasUsername: true, Username: []byte(c.user), HasWill: true, Will: codec.Will{Topic: []byte("w"), Payload: []byte("bye"), Retain: c.retain}}))
		p.next()
		x.await(t, c.end)
		got := x.stop(t)
		rest := got
		for _, w := range c.want {
			i := strings.Index(rest, w)
			if i < 0 {
				t.Fatalf("no %q in its place in\n%s", w, got)
			}
			rest = rest[i+len(w):]
		}
		if strings.Contains(got, "secret") || strings.Count(got, "Calling") != strings.Count(got, "Hook returned") {
			t.Error(got)
		}
		p.conn.Close()
	}
}
