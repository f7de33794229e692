package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/metrics"
)

// safeBuffer may be written to by several loops.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestConnectionLines holds that clients that come, go and are refused have a
// line each where that is wished, and that none has a secret in it.
func TestConnectionLines(t *testing.T) {
	for _, wished := range []bool{false, true} {
		cfg := testConfig(2)
		cfg.LogConnects, cfg.LogDisconnects = wished, wished
		var out safeBuffer
		b, err := New(cfg, newStore(t), slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Listen(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Stop(t.Context()) })
		secret := func(id string) *codec.Connect {
			return &codec.Connect{Version: codec.V5, CleanStart: true, ClientID: []byte(id), HasUsername: true, Username: []byte("sesame-user"), HasPassword: true, Password: []byte("sesame-password")}
		}
		good := &peer{t: t}
		good.dial(b, secret("good"))
		good.send(codec.AppendDisconnect(nil, codec.V5, codec.Success, "", ""))
		lost := &peer{t: t}
		lost.dial(b, secret("lost"))
		lost.conn.Close()
		bad := &peer{t: t}
		bad.open(b)
		bad.send(codec.AppendConnect(nil, secret(strings.Repeat("x", 200))))
		bad.next()
		// A PUBLISH with QoS 3 and a secret in it.
		rude := &peer{t: t}
		rude.dial(b, secret("rude"))
		rude.send(append([]byte{0x36, 20, 0, 1, 'a'}, "sesame-payload-xx"...))
		rude.next()
		want := map[string]int{"can't authenticate client": 1, "msg=\"client stopped\" mountpoint=\"\" client=rude": 1,
			"client connected": 0, "client disconnected": 0}
		if wished {
			want["client connected"], want["client disconnected"] = 3, 2
		}
		var wrong string
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			wrong = ""
			for text, n := range want {
				if got := strings.Count(out.String(), text); got != n {
					wrong += fmt.Sprintf("%d lines with %q, want %d; ", got, text, n)
				}
			}
			if wrong == "" {
				break
			}
		}
		if wrong != "" || strings.Contains(out.String(), "sesame") {
			t.Errorf("%s\n%s", wrong, out.String())
		}
	}
}

// TestLastPackets names the packets up to the one that is being handled.
func TestLastPackets(t *testing.T) {
	l := &loop{}
	if got := l.LastPackets(); got != "" {
		t.Error(got)
	}
	for range 9 {
		l.input = append(l.input, 0xc0, 0)
	}
	l.handled = len(l.input)
	l.input = append(codec.AppendPublishHead(l.input, codec.V311, 0x33, []byte("secret"), 7, nil, 1), 'x')
	l.input = append(l.input, 0xe0, 0) // not reached
	got := l.LastPackets()
	if strings.Count(got, "PINGREQ flags=0 length=0") != 7 || !strings.HasSuffix(got, ", PUBLISH flags=3 length=11") || strings.Contains(got, "secret") {
		t.Error(got)
	}
}

// TestDropLines has more clients lose messages than lines are logged in a second:
// each is told of once, or counted once.
func TestDropLines(t *testing.T) {
	var out safeBuffer
	l := &loop{log: slog.New(slog.NewTextHandler(&out, nil)), drops: map[*client]int{}}
	const clients = 4 * linesPerSecond
	for range clients {
		l.drops[&client{}]++
	}
	for range 10 {
		l.logDrops()
		l.lines.refill()
	}
	told := strings.Count(out.String(), "dropped 1 messages")
	l.metrics.Publish()
	if lost := l.metrics.Level(metrics.LogLinesLost); told+lost != clients {
		t.Errorf("%d lines and %d lost ones about %d clients", told, lost, clients)
	}
}

// TestRefusalLines holds that what plugins refuse a client is told, with the topic
// and the cause, and not for each packet of one that tries on.
func TestRefusalLines(t *testing.T) {
	t.Parallel()
	var out safeBuffer
	b, err := New(filesConfig(t, 1, "topic ok\n", "alice:secret"), newStore(t), slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Stop(t.Context()) })
	p := enter(t, b, asClient(codec.V5, "c", "alice", "secret"))
	if got := p.sub("no/in", "ok"); got[0] != 0x87 {
		t.Errorf("% x", got)
	}
	const tries = 50
	for id := range uint16(tries) {
		p.put("no/out", 1, id+1, "sesame")
		p.ack(codec.PUBACK, id+1)
	}
	c := asClient(codec.V5, "w", "alice", "secret")
	c.HasWill, c.Will.Topic = true, []byte("no/will")
	try(t, b, c)
	for end := time.Now().Add(10 * time.Second); !strings.Contains(out.String(), "its will") && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // the line comes after the CONNACK
	}
	text := out.String()
	for _, want := range []string{
		`"can't authorize SUBSCRIBE" mountpoint="" client=c peer=`, ` topic=no/in cause=plugin_chain_exhausted`,
		`"can't authorize PUBLISH" mountpoint="" client=c peer=`, ` topic=no/out cause=plugin_chain_exhausted`,
		`cause="may not publish its will: plugin_chain_exhausted"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line with %s", want)
		}
	}
	if n := strings.Count(text, "authorize PUBLISH"); n > tries/2 {
		t.Errorf("%d lines about %d messages", n, tries)
	}
	if t.Failed() || strings.Contains(text, "sesame") {
		t.Error(text)
	}
}
