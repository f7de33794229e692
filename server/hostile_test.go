package server

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/config"
)

// hostile is something that a client sends against the rules, and how the
// broker reacts to it.
type hostile struct {
	name    string
	v       string // the protocol levels that it is sent with: "345"
	connect render // in place of the usual CONNECT
	send    render
	// want is what comes back, packet by packet, and how it ends: "closed",
	// or "open" when the connection goes on. "refuse 81" is a CONNACK and
	// "bye 82" a DISCONNECT with that code before the end; MQTT 3 has no such
	// packets, there it is the end alone.
	want   string
	routed int  // messages that others get because of it
	hangUp bool // the client ends its direction after it has sent
}

// themes are the tables of all hostile cases.
func themes() map[string]theme {
	return map[string]theme{
		"fixed header":       {cases: framingCases()},
		"CONNECT":            {first: true, cases: connectCases()},
		"CONNECT text":       {first: true, cases: connectTextCases()},
		"CONNECT properties": {first: true, cases: append(propertyCases(connectHolders), valueCases()...)},
		"refused will":       {first: true, cases: refusedWillCases()},
		"text":               {cases: packetTextCases()},
		"properties":         {cases: propertyCases(holders)},
		"PUBLISH":            {cases: publishCases()},
		"acknowledgements":   {cases: ackCases()},
		"SUBSCRIBE":          {cases: subscribeCases()},
		"DISCONNECT":         {cases: disconnectCases()},
		"sequences":          {cases: sequenceCases()},
		"limits":             {cases: limitCases(), set: smallLimits},
		"limits of CONNECT":  {first: true, cases: connectLimitCases(), set: smallLimits},
		"MQTT 5 only":        {first: true, cases: newestOnlyCases(), set: newestOnly},
		"strangers":          {first: true, cases: strangersOutCases(), set: strangersOut},
	}
}

// theme is a table of cases with the settings of the broker that they need.
type theme struct {
	first bool // what is sent are the first bytes on the connection
	set   func(*config.Config)
	cases []hostile
}

// ways are the ways to send the bytes of a case: a broker that cuts packets
// out of a stream must not care.
var ways = []struct {
	name string
	step func() int
}{
	{"whole", func() int { return 1 << 20 }},
	{"byte by byte", func() int { return 1 }},
	{"cut at random", func() int { return 1 + rand.IntN(9) }},
}

// TestHostile sends what no client should: each gets exactly the answer that
// the protocol has for it, nobody else notices, and nothing is left behind.
func TestHostile(t *testing.T) {
	for name, th := range themes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runTheme(t, th)
		})
	}
}

// TestHostileCases counts the cases, so that none gets lost by an edit.
func TestHostileCases(t *testing.T) {
	rows, cases := 0, 0
	for name, th := range themes() {
		seen := map[string]bool{}
		for _, h := range th.cases {
			if seen[h.name+h.v] {
				t.Errorf("%s: %q is there twice", name, h.name)
			}
			seen[h.name+h.v] = true
			rows++
			cases += len(h.v)
		}
	}
	t.Logf("%d rows, %d cases, each sent in %d ways", rows, cases, len(ways))
	if rows < 250 {
		t.Errorf("%d rows", rows)
	}
}

// TestHostileMemory repeats everything, some twenty thousand connections: the
// heap does not stay larger than it was. Loops keep free buffers for a second
// or two, so it has time to shrink.
func TestHostileMemory(t *testing.T) {
	b := startBroker(t, hostileConfig(&theme{}))
	everything := func() uint64 {
		for _, th := range themes() {
			for _, h := range th.cases {
				for _, v := range h.v {
					conn := dialHostile(t, b)
					conn.Write(h.bytes(codec.Version(v-'0'), th.first))
					conn.Close()
				}
			}
		}
		awaitEmpty(t, b)
		return heap()
	}
	everything()
	before, after := everything(), uint64(0)
	for range 4 {
		after = everything()
	}
	for end := time.Now().Add(10 * time.Second); after > before+512<<10; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the heap grew from %d to %d bytes", before, after)
		}
		after = heap()
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // the second empties the pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func hostileConfig(th *theme) *config.Config {
	cfg := testConfig(2)
	cfg.TopicAliasMaxClient, cfg.ReceiveMaxBroker = 5, 3
	if th.set != nil {
		th.set(cfg)
	}
	return cfg
}

func runTheme(t *testing.T, th theme) {
	b := startBroker(t, hostileConfig(&th))
	by := newBystander(t, b)
	for _, h := range th.cases {
		for _, v := range h.v {
			for _, way := range ways {
				t.Run(fmt.Sprintf("%s/level %c/%s", h.name, v, way.name), func(t *testing.T) {
					h.run(t, b, codec.Version(v-'0'), th.first, way.step)
					by.check(t, h.routed)
				})
			}
		}
	}
	by.p.send(codec.AppendDisconnect(nil, codec.V5, codec.Success, "", ""))
	awaitEmpty(t, b)
}

// bytes are what a case sends on its connection.
func (h *hostile) bytes(v codec.Version, first bool) []byte {
	if first {
		return h.send(v)
	}
	return append(h.hello(v), h.send(v)...)
}

func (h *hostile) hello(v codec.Version) []byte {
	if h.connect != nil {
		return h.connect(v)
	}
	return usual(v)
}

func (h *hostile) run(t *testing.T, b *Broker, v codec.Version, first bool, step func() int) {
	conn := dialHostile(t, b)
	defer conn.Close()
	p := &peer{t: t, conn: conn, r: bufio.NewReader(conn)}
	if !first {
		p.send(h.hello(v))
		if got := describe(v, p.next()); got != "CONNACK 00" {
			t.Fatalf("CONNECT was answered with %s", got)
		}
	}
	want := expand(h.want, v)
	out := h.send(v)
	if strings.HasSuffix(want, "open") {
		out = append(out, 0xc0, 0) // the answer shows that the connection goes on
	}
	sendIn(p.conn, out, step)
	if h.hangUp {
		p.conn.(*net.TCPConn).CloseWrite()
	}
	if got := answers(p, v); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// sendIn writes out in pieces. The broker may end the connection at any of
// them.
func sendIn(conn net.Conn, out []byte, step func() int) {
	few := 1 + len(out)/2000 // large packets go in larger pieces
	for len(out) > 0 {
		n := min(len(out), few*step())
		if _, err := conn.Write(out[:n]); err != nil {
			return
		}
		out = out[n:]
	}
}

// answers puts what comes into words, up to a PINGRESP or the end.
func answers(p *peer, v codec.Version) string {
	var words []string
	for {
		f, err := p.read()
		if e, ok := err.(net.Error); ok && e.Timeout() {
			return strings.Join(append(words, "silence"), ", ")
		}
		if err != nil {
			return strings.Join(append(words, "closed"), ", ")
		}
		if f.Type() == codec.PINGRESP {
			return strings.Join(append(words, "open"), ", ")
		}
		words = append(words, describe(v, f))
	}
}

// expand puts the words for the two ways to be thrown out in full.
func expand(want string, v codec.Version) string {
	for _, x := range []struct{ short, full string }{{"refuse ", "CONNACK "}, {"bye ", "DISCONNECT "}} {
		before, code, ok := strings.Cut(want, x.short)
		if !ok {
			continue
		}
		if v != codec.V5 {
			return before + "closed"
		}
		return before + x.full + code + ", closed"
	}
	return want
}

// bystander is a client that has nothing to do with the hostile ones. It sees
// all messages.
type bystander struct {
	p       *peer
	n       uint16
	foreign int // messages of others that came, beyond those that should
}

func newBystander(t *testing.T, b *Broker) *bystander {
	by := &bystander{p: connect(t, b, "bystander")}
	by.p.subscribe("#", 0)
	return by
}

// check lets the bystander publish, receive and ping.
func (by *bystander) check(t *testing.T, routed int) {
	t.Helper()
	by.n = by.n%60000 + 1
	by.p.t = t
	by.p.publish("bystander", fmt.Sprint(by.n), 1, by.n)
	by.p.send([]byte{0xc0, 0})
	by.foreign -= routed
	own := fmt.Sprintf("PUBLISH bystander %d", by.n)
	missing := map[string]bool{own: true, fmt.Sprintf("PUBACK %d", by.n): true, "PINGRESP": true}
	for len(missing) > 0 || by.foreign < 0 {
		switch got := describe(codec.V5, by.p.next()); {
		case missing[got]:
			delete(missing, got)
		case strings.HasPrefix(got, "PUBLISH ") && !strings.HasPrefix(got, "PUBLISH bystander "):
			by.foreign++
		default:
			t.Fatalf("the bystander got %s", got)
		}
	}
	if by.foreign > 0 {
		t.Errorf("%d messages that nobody should get", by.foreign)
		by.foreign = 0
	}
}

// awaitEmpty waits until nothing is left of any client.
func awaitEmpty(t *testing.T, b *Broker) {
	t.Helper()
	var left string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if left = leftovers(b); left == "" {
			return
		}
	}
	t.Error(left)
}

// leftovers says what is in the broker's tables.
func leftovers(b *Broker) string {
	clients, timers := 0, 0
	for _, l := range b.loops {
		done := make(chan [2]int)
		l.reactor.Post(func() { done <- [2]int{l.clients.used, len(l.timers) - len(l.spare)} })
		n := <-done
		clients, timers = clients+n[0], timers+n[1]
	}
	s := b.reactor.Stats()
	if clients+timers+b.index.Len()+b.retained.Len() == 0 && s.Accepted == s.Closed && s.Panics == 0 {
		return ""
	}
	return fmt.Sprintf("%d clients, %d timers, %d filters, %d retained messages are left, %d of %d connections closed, %d panics",
		clients, timers, b.index.Len(), b.retained.Len(), s.Closed, s.Accepted, s.Panics)
}

// dialHostile connects to the last listener, which may be stricter than the
// one of the bystander.
func dialHostile(t *testing.T, b *Broker) net.Conn {
	t.Helper()
	ls := b.Listeners()
	conn, err := net.Dial("tcp", ls[len(ls)-1].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
