package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/admin"
	"vernemq/server/admin/wire"
	"vernemq/server/session"
)

// seen gives what a scan yields, one line each.
func seen(t testing.TB, b *Broker, q *admin.Scan, line func(*admin.Session) string) []string {
	t.Helper()
	var out []string
	err := b.Admin().Sessions.Each(t.Context(), q, func(s *admin.Session) bool {
		out = append(out, line(s))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func ptr(v string) *string { return &v }

// TestInspect shows clients of all kinds, on two loops.
func TestInspect(t *testing.T) {
	cfg := testConfig(2)
	cfg.Listeners[0].AllowedVersions = []byte{3, 4, 5, 132}
	b := startBroker(t, cfg)
	v5 := &peer{t: t}
	v5.dial(b, &codec.Connect{Version: codec.V5, CleanStart: true, ClientID: []byte("five"), HasUsername: true, Username: []byte("alice"), RequestProblemInfo: true})
	v5.subscribe("a/+", 1)
	v5.send(codec.AppendSubscribe(nil, codec.V5, 2, 0, []codec.Filter{{Filter: []byte("$share/g/b"), QoS: 2, RetainAsPublished: true}}))
	v5.next()
	bridge := &peer{t: t}
	bridge.dial(b, &codec.Connect{Version: codec.V311, Level: 132, Bridge: true, CleanStart: true, ClientID: []byte("bridge")})
	away := &peer{t: t}
	away.dial(b, &codec.Connect{Version: codec.V311, ClientID: []byte("away")})
	away.send(codec.AppendSubscribe(nil, codec.V311, 1, 0, []codec.Filter{{Filter: []byte("a/b"), QoS: 1}}))
	away.next()
	away.send([]byte{0xE0, 0})
	if _, err := away.read(); err == nil {
		t.Fatal("still there")
	}
	for i := range 3 {
		v5.publish("a/b", fmt.Sprint("m", i), 1, uint16(10+i))
	}
	v5.payloads(3)
	want := []string{
		"away false 3 false 0 ", "bridge true 0 true 132 ", "five true 0 true 5 alice",
	}
	row := func(s *admin.Session) string {
		return fmt.Sprint(s.ID, " ", s.Online, " ", s.Stored, " ", s.Clean || !s.Online && s.Clean, " ", s.Protocol, " ", s.User)
	}
	if got := seen(t, b, &admin.Scan{Details: admin.Connections}, row); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if got := seen(t, b, &admin.Scan{Details: admin.Connections, ClientID: ptr("five")}, func(s *admin.Session) string {
		return fmt.Sprint(s.PeerHost, s.PeerPort > 0, time.Since(time.UnixMilli(s.Connected)) < time.Minute, s.Created > 0, s.Connection[2], s.Queue[1] < 3)
	}); !slices.Equal(got, []string{"127.0.0.1true true true 0 true"}) && !strings.HasPrefix(got[0], "127.0.0.1true true true") {
		t.Errorf("%q", got)
	}
	subs := func(s *admin.Session) string {
		x := s.Subscription
		return fmt.Sprint(s.ID, " ", x.Filter, " ", x.QoS, " ", x.RetainAsPublished, " ", x.HasOptions)
	}
	want = []string{"away a/b 1 false false", "five $share/g/b 2 true true", "five a/+ 1 false true"}
	if got := seen(t, b, &admin.Scan{Details: admin.Subscriptions}, subs); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	stored := func(s *admin.Session) string {
		m := s.StoredMessage
		return fmt.Sprint(s.ID, " ", m.Topic, " ", string(m.Payload), " ", m.QoS, " ", m.Ref != "")
	}
	want = []string{"away a/b m0 1 true", "away a/b m1 1 true", "away a/b m2 1 true"}
	for range 2 { // to look changes nothing
		if got := seen(t, b, &admin.Scan{Details: admin.Messages | admin.Subscriptions}, stored); !slices.Equal(got, want) {
			t.Errorf("%q\nwant %q", got, want)
		}
	}
	if got := seen(t, b, &admin.Scan{ClientID: ptr("away"), Mountpoint: ptr("mp")}, row); len(got) != 0 {
		t.Errorf("in another mountpoint: %q", got)
	}
	for _, f := range b.Admin().Status.Figures(t.Context())[:2] {
		if want := map[string]int64{"num_online": 2, "num_offline": 1}[f.Name]; f.Value != want {
			t.Errorf("%s %d, want %d", f.Name, f.Value, want)
		}
	}
	again := &peer{t: t}
	again.open(b)
	again.send(codec.AppendConnect(nil, &codec.Connect{Version: codec.V311, ClientID: []byte("away")}))
	again.next()
	for i := range 3 {
		if f := again.next(); f.Type() != codec.PUBLISH || !strings.HasSuffix(string(f.Body), fmt.Sprint("m", i)) {
			t.Errorf("%v %q", f.Type(), f.Body)
		}
	}
}

// TestInspectSeveral shows a row for each connection of a client.
func TestInspectSeveral(t *testing.T) {
	b, _ := several(t, false)
	for i := range 3 {
		c := named("c")
		c.HasUsername, c.Username = true, fmt.Appendf(nil, "user%d", i)
		p := &peer{t: t}
		p.open(b)
		p.send(codec.AppendConnect(nil, c))
		p.next()
	}
	b.connections(t, "c", 3)
	row := func(s *admin.Session) string { return fmt.Sprint(s.ID, " ", s.Connections, " ", s.User) }
	if got := seen(t, b, &admin.Scan{Details: admin.Connections}, row); !slices.Equal(got, []string{"c 3 user0", "c 3 user1", "c 3 user2"}) {
		t.Errorf("%q", got)
	}
	if got := seen(t, b, &admin.Scan{}, row); !slices.Equal(got, []string{"c 3 "}) {
		t.Errorf("%q", got)
	}
	if found, err := b.Admin().Sessions.Disconnect(t.Context(), admin.Client{ID: "c"}, true); !found || err != nil {
		t.Error(found, err)
	}
	if got := seen(t, b, &admin.Scan{}, row); len(got) != 0 {
		t.Errorf("after disconnect: %q", got)
	}
}

// TestManySubscriptions shows a client with more subscriptions than one turn
// copies.
func TestManySubscriptions(t *testing.T) {
	b := startBroker(t, testConfig(2))
	p := connect(t, b, "many")
	const n = 2*scanDetails + 100
	for from := 0; from < n; from += 500 {
		var fs []codec.Filter
		for i := from; i < min(n, from+500); i++ {
			fs = append(fs, codec.Filter{Filter: fmt.Appendf(nil, "t/%06d", i)})
		}
		p.send(codec.AppendSubscribe(nil, codec.V5, 1, 0, fs))
		p.next()
	}
	connect(t, b, "few").subscribe("t/x", 0)
	for _, q := range []*admin.Scan{{Details: admin.Subscriptions}, {Details: admin.Subscriptions, ClientID: ptr("many")}, {Details: admin.Subscriptions, ClientID: ptr("many"), Mountpoint: ptr("")}} {
		got := seen(t, b, q, func(s *admin.Session) string { return s.Subscription.Filter })
		if got = slices.Compact(got); len(got) < n || len(got) > n+1 || got[n-1] != fmt.Sprintf("t/%06d", n-1) {
			t.Errorf("%d filters", len(got))
		}
	}
}

// TestDisconnect ends clients for an operator.
func TestDisconnect(t *testing.T) {
	b := startBroker(t, testConfig(2))
	s := b.Admin().Sessions
	ends := func(p *peer) {
		t.Helper()
		if f := p.next(); f.Type() != codec.DISCONNECT || f.Body[0] != byte(codec.AdministrativeAction) {
			t.Errorf("%v % x", f.Type(), f.Body)
		}
	}
	watcher := connect(t, b, "watcher")
	watcher.subscribe("will", 0)
	for _, cleanup := range []bool{false, true} {
		p := &peer{t: t}
		p.dial(b, &codec.Connect{Version: codec.V5, ClientID: []byte("c"), SessionExpiry: 1000, RequestProblemInfo: true,
			HasWill: true, Will: codec.Will{Topic: []byte("will"), Payload: []byte("gone")}})
		p.subscribe("a", 1)
		found, err := s.Disconnect(t.Context(), admin.Client{ID: "c"}, cleanup)
		if !found || err != nil {
			t.Fatal(found, err)
		}
		ends(p)
		if got := watcher.payloads(1); got[0] != "gone" {
			t.Errorf("will %q", got)
		}
		if rows := seen(t, b, &admin.Scan{ClientID: ptr("c")}, func(s *admin.Session) string { return fmt.Sprint(s.Online) }); (len(rows) == 0) != cleanup {
			t.Errorf("cleanup %v: %q", cleanup, rows)
		}
	}
	if n := b.index.Len(); n != 1 {
		t.Errorf("%d filters are left", n)
	}
	p := &peer{t: t}
	p.dial(b, &codec.Connect{Version: codec.V5, ClientID: []byte("off"), SessionExpiry: 1000, RequestProblemInfo: true})
	p.subscribe("a", 1)
	p.send(codec.AppendDisconnect(nil, codec.V5, codec.Success, "", ""))
	if _, err := p.read(); err == nil {
		t.Error("still there")
	}
	if found, err := s.Unsubscribe(t.Context(), admin.Client{ID: "off"}, "a", false); !found || err != nil {
		t.Error(found, err)
	}
	if found, err := s.Unsubscribe(t.Context(), admin.Client{ID: "off"}, "a", false); found || err != nil {
		t.Error(found, err)
	}
	if found, err := s.Disconnect(t.Context(), admin.Client{ID: "off"}, true); !found || err != nil {
		t.Error(found, err)
	}
	if found, err := s.Disconnect(t.Context(), admin.Client{ID: "off"}, true); found || err != nil {
		t.Error(found, err)
	}
}

// TestScanMillion walks a million clients while their loops measure how long
// they are held up.
func TestScanMillion(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	b, err := New(testConfig(1), newStore(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop(t.Context())
	limits := limitsOf(b.config.Load(), &b.config.Load().Listeners[0])
	link := &noLink{}
	b.everywhere(t.Context(), func(l *loop) {
		for i := range n {
			c := l.newClient("", fmt.Sprintf("device-%07d", i))
			c.session.Connect(link, &codec.Connect{Version: codec.V311, CleanStart: true, ReceiveMax: 65535}, &session.Admission{}, limits)
		}
	})
	measure := latency{broker: b}
	measure.during(t, "nobody looks", func() { time.Sleep(500 * time.Millisecond) })
	count := 0
	start := time.Now()
	measure.during(t, "somebody looks at all", func() {
		err = b.Admin().Sessions.Each(t.Context(), &admin.Scan{Details: admin.Connections}, func(*admin.Session) bool { count++; return true })
	})
	t.Logf("%d clients in %v", n, time.Since(start).Round(time.Millisecond))
	if err != nil || count != n {
		t.Errorf("%d rows, %v", count, err)
	}
	node := &admin.Node{Name: "n", Broker: b.Admin}
	start = time.Now()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	lines := &counter{}
	measure.during(t, "somebody has all shown", func() {
		line, err := wire.Request([]string{"session", "show", fmt.Sprint("--limit=", n)})
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- errors.Join(wire.Serve(t.Context(), ours, line, node), ours.Close()) }()
		_, err = io.Copy(lines, theirs)
		if err = errors.Join(err, <-done); err != nil || lines.ends != n+3 { // format, table, rows, exit
			t.Errorf("%v, %d lines", err, lines.ends)
		}
	})
	runtime.ReadMemStats(&after)
	t.Logf("session show, %d MB in %v; the heap had %d MB before and has %d MB", lines.bytes>>20, time.Since(start).Round(time.Millisecond), before.HeapAlloc>>20, after.HeapAlloc>>20)
	var held []time.Duration
	x := &scan{Scan: &admin.Scan{Details: admin.Connections}}
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		l := b.loops[0]
		if err := b.onLoop(t.Context(), l, func() {
			start := time.Now()
			cursor = l.look(cursor, x.visit, x.full)
			held = append(held, time.Since(start))
		}); err != nil {
			t.Fatal(err)
		}
		x.yield(func(*admin.Session) bool { return true })
	}
	slices.Sort(held)
	t.Logf("a turn takes %v in the median, %v at the 99th percentile", held[len(held)/2], held[len(held)*99/100])
	if h := held[len(held)/2]; h > 2*scanTime {
		t.Errorf("a turn takes %v", h)
	}
	start = time.Now()
	found := seen(t, b, &admin.Scan{ClientID: ptr("device-0000007")}, func(s *admin.Session) string { return s.ID })
	t.Logf("one by its identifier, of any mountpoint: %v", time.Since(start).Round(time.Millisecond))
	if len(found) != 1 {
		t.Errorf("%q", found)
	}
	cfg := *b.config.Load()
	cfg.MaxOnlineMessages = 7
	start = time.Now()
	if err := b.Reconfigure(t.Context(), &cfg); err != nil {
		t.Fatal(err)
	}
	t.Logf("other settings for all: %v", time.Since(start).Round(time.Millisecond))
	b.everywhere(t.Context(), func(l *loop) {
		for c := range l.clients.all {
			if c.session.Limits().MaxOnline != 7 {
				t.Fatal("a client was missed")
			}
		}
	})
}

// counter counts what is written.
type counter struct{ bytes, ends int }

func (c *counter) Write(b []byte) (int, error) {
	c.bytes += len(b)
	c.ends += bytes.Count(b, []byte("\n"))
	return len(b), nil
}

// latency measures how long something waits for its turn on a loop: it comes at
// any time, as a packet would.
type latency struct{ broker *Broker }

func (w latency) during(t *testing.T, what string, f func()) {
	t.Helper()
	var waits []time.Duration
	stop := make(chan struct{})
	var measuring sync.WaitGroup
	measuring.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			start := time.Now()
			var came time.Time // not when this goroutine runs again
			if w.broker.onLoop(t.Context(), w.broker.loops[0], func() { came = time.Now() }) == nil {
				waits = append(waits, came.Sub(start))
			}
		}
	})
	f()
	close(stop)
	measuring.Wait()
	if slices.Sort(waits); len(waits) > 0 {
		k := len(waits)
		t.Logf("%s: others wait %v in the median, %v at the 99th percentile, %v at most (%d)", what, waits[k/2], waits[k*99/100], waits[k-1], k)
	}
}

// TestInspectChurn looks while clients come and go: whoever stays is seen.
func TestInspectChurn(t *testing.T) {
	b := startBroker(t, testConfig(2))
	for i := range 20 {
		connect(t, b, fmt.Sprintf("stays%d", i)).subscribe(fmt.Sprintf("s/%d", i), 0)
	}
	stop := make(chan struct{})
	var churn sync.WaitGroup
	churn.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			for _, l := range b.loops {
				_ = b.onLoop(t.Context(), l, func() {
					id := fmt.Sprintf("x%d", i)
					c := l.newClient("", id)
					c.session.Connect(&noLink{}, &codec.Connect{Version: codec.V311, CleanStart: true, ReceiveMax: 65535}, &session.Admission{}, limitsOf(b.config.Load(), &b.config.Load().Listeners[0]))
					l.subscribe(c, &codec.Filter{Filter: []byte("x/" + id)}, 0)
					if old := l.find("", fmt.Sprintf("x%d", i-300)); old != nil {
						old.session.Lost()
					}
				})
			}
		}
	})
	for range 30 {
		got := seen(t, b, &admin.Scan{Details: admin.Subscriptions | admin.Connections}, func(s *admin.Session) string { return s.ID + " " + s.Subscription.Filter })
		n := 0
		for _, s := range slices.Compact(got) {
			if strings.HasPrefix(s, "stays") {
				n++
			}
		}
		if n != 20 {
			t.Fatalf("%d of 20 were seen", n)
		}
	}
	close(stop)
	churn.Wait()
}
