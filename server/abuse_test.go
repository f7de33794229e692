package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/reactor"
)

// TestPingFlood pings without reading the answers: what the broker keeps for
// the client is bounded, and once the client reads, every answer comes.
func TestPingFlood(t *testing.T) {
	cfg := testConfig(1)
	cfg.SendBufferLimit = 64 << 10
	b := startBroker(t, cfg)
	p := connect(t, b, "flood")
	const pings = 5_000_000
	go func() {
		batch := bytes.Repeat([]byte{0xc0, 0}, 1<<16)
		for sent := 0; sent < pings; sent += 1 << 16 {
			if _, err := p.conn.Write(batch[:2*min(1<<16, pings-sent)]); err != nil {
				return
			}
		}
	}()
	most := 0
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		pending := make(chan int)
		b.loops[0].reactor.Post(func() {
			n := 0
			for c := range b.loops[0].clients.all {
				n += c.conn.Pending()
			}
			pending <- n
		})
		most = max(most, <-pending)
	}
	if most == 0 || most > 1<<20 {
		t.Errorf("%d bytes were pending", most)
	}
	p.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := io.CopyN(io.Discard, p.r, 2*pings); err != nil {
		t.Errorf("%d of %d answers: %v", n/2, pings, err)
	}
}

// TestGroupIsNeverEmpty lets the only member of a group come and go while
// another loop looks for it.
func TestGroupIsNeverEmpty(t *testing.T) {
	g := &group{name: "g", loops: make([]groupMembers, 2)}
	l := &loop{index: 0, random: rand.New(rand.NewPCG(1, 2))}
	x := &subscription{client: &client{}}
	g.loops[1].add(x)
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		m := &g.loops[1]
		for !stop.Load() {
			m.cut(x) // as moved does, to the other list each time
			if len(m.on)+len(m.off) == 0 && m.next%2 == 0 {
				x.pos, m.on = 0, append(m.on, x)
			} else {
				x.pos, m.off = 0, append(m.off, x)
			}
			m.next++
			m.publish()
		}
	}()
	for range 200000 {
		if i := l.choose(g); i != 1 {
			t.Errorf("loop %d was chosen", i)
			break
		}
	}
	stop.Store(true)
	<-done
}

// TestManyRetainedFilters subscribes to everything two thousand times in one
// packet: others hardly notice.
func TestManyRetainedFilters(t *testing.T) {
	b := startBroker(t, testConfig(1))
	pub, other, greedy := connect(t, b, "pub"), connect(t, b, "other"), connect(t, b, "greedy")
	var out []byte
	for i := range 20000 {
		out = append(codec.AppendPublishHead(out, codec.V5, 0x31, fmt.Appendf(nil, "r/%d", i), 0, nil, 100), make([]byte, 100)...)
	}
	pub.send(append(out, 0xc0, 0))
	pub.next()
	filters := make([]codec.Filter, 2000)
	for i := range filters {
		filters[i].Filter, filters[i].QoS = []byte("#"), 1
	}
	greedy.send(codec.AppendSubscribe(nil, codec.V5, 1, 0, filters))
	if f := greedy.next(); f.Type() != codec.SUBACK {
		t.Fatalf("%v", f.Type())
	}
	start := time.Now()
	other.send([]byte{0xc0, 0})
	other.next()
	if d := time.Since(start); d > time.Second {
		t.Errorf("another client waited %v", d)
	}
}

// TestStop tells every client, gives everybody the wills, and may be called
// twice.
func TestStop(t *testing.T) {
	for _, loops := range []int{1, 4} {
		t.Run(fmt.Sprint(loops), func(t *testing.T) {
			b := startBroker(t, testConfig(loops))
			var subs []*peer
			for i := range 10 {
				s := connect(t, b, fmt.Sprintf("sub-%d", i))
				s.subscribe("will", 0)
				subs = append(subs, s)
			}
			dies := &peer{t: t}
			dies.dial(b, &codec.Connect{Version: codec.V5, CleanStart: true, ClientID: []byte("dies"), RequestProblemInfo: true,
				SessionExpiry: 100, HasWill: true, Will: codec.Will{Topic: []byte("will"), Payload: []byte("gone"), Delay: 50}})
			go b.Stop(context.Background())
			for i, s := range subs {
				if got := s.payloads(1); got[0] != "gone" {
					t.Errorf("subscriber %d got %q", i, got)
				}
				if f := s.next(); f.Type() != codec.DISCONNECT || f.Body[0] != byte(codec.ServerShuttingDown) {
					t.Errorf("subscriber %d: %v % x", i, f.Type(), f.Body)
				}
			}
			start := time.Now()
			if err := b.Stop(context.Background()); err != nil || time.Since(start) > 9*time.Second {
				t.Errorf("second stop: %v after %v", err, time.Since(start))
			}
		})
	}
}

// TestStopStuck stops a broker with a loop that is stuck: the call ends soon
// after its time is over, and the store stays open for what still runs.
func TestStopStuck(t *testing.T) {
	b, err := New(testConfig(2), newStore(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	block := make(chan struct{})
	defer close(block)
	b.loops[1].reactor.Post(func() { <-block })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := b.Stop(ctx); !errors.Is(err, reactor.ErrStuck) {
		t.Error(err)
	}
	if d := time.Since(start); d > 8*time.Second {
		t.Errorf("Stop took %v", d)
	}
}

// TestLongNameInLog lets a stranger with a client id of 65,000 bytes be
// refused: the line that says so stays short.
func TestLongNameInLog(t *testing.T) {
	var text bytes.Buffer
	b, err := New(testConfig(1), newStore(t), slog.New(slog.NewTextHandler(&text, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t}
	p.open(b)
	p.send(codec.AppendConnect(nil, &codec.Connect{Version: codec.V311, CleanStart: true, ClientID: bytes.Repeat([]byte("x"), 65000)}))
	if f := p.next(); f.Type() != codec.CONNACK || f.Body[1] != 2 {
		t.Errorf("%v % x", f.Type(), f.Body)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(text.String(), "can't authenticate client") || text.Len() > 2000 {
		t.Errorf("%d bytes: %.300s", text.Len(), text.String())
	}
}

// TestManyGroups asks for more groups on one filter than it may have.
func TestManyGroups(t *testing.T) {
	b := startBroker(t, testConfig(4))
	p := connect(t, b, "greedy")
	filters := make([]codec.Filter, groupsPerFilter+10)
	for i := range filters {
		filters[i].Filter = fmt.Appendf(nil, "$share/g%d/a", i)
	}
	p.send(codec.AppendSubscribe(nil, codec.V5, 1, 0, filters))
	f := p.next()
	codes := f.Body[len(f.Body)-len(filters):]
	if codes[groupsPerFilter-1] != 0 || codes[groupsPerFilter] != byte(codec.QuotaExceeded) {
		t.Errorf("codes around the limit: % x", codes[groupsPerFilter-2:groupsPerFilter+2])
	}
	p.conn.Close()
	for end := time.Now().Add(10 * time.Second); b.index.Len() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d filters are left", b.index.Len())
		}
	}
}

// TestInboxBytes blocks a loop while others send it large messages: what is
// under way is bounded, and all of it arrives once the loop goes on.
func TestInboxBytes(t *testing.T) {
	cfg := testConfig(2)
	cfg.MaxOnlineMessages = -1
	b := startBroker(t, cfg)
	nameOn := func(loop int, kind string) string {
		for i := 0; ; i++ {
			if id := fmt.Sprintf("%s-%d", kind, i); b.home(queue.KeyOf("", id)) == loop {
				return id
			}
		}
	}
	sub := connect(t, b, nameOn(1, "sub"))
	sub.subscribe("big", 0)
	pub := connect(t, b, nameOn(0, "pub")) // before: either loop may have to accept it
	block := make(chan struct{})
	b.loops[1].reactor.Post(func() { <-block })
	const messages, size = 4000, 60000 // 240 MB
	go func() {
		one := append(codec.AppendPublishHead(nil, codec.V5, 0x30, []byte("big"), 0, nil, size), make([]byte, size)...)
		for range messages {
			if _, err := pub.conn.Write(one); err != nil {
				return
			}
		}
	}()
	for end := time.Now().Add(10 * time.Second); b.loops[1].bytes.Load() < inboxBytes; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the limit was not reached")
		}
	}
	time.Sleep(200 * time.Millisecond) // for more to come, if more may
	if n := b.loops[1].bytes.Load(); n > inboxBytes+16<<20 {
		t.Errorf("%d bytes are under way", n)
	}
	close(block)
	if n := len(sub.payloads(messages)); n != messages {
		t.Errorf("%d messages", n)
	}
	if n := b.loops[1].bytes.Load(); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
}
