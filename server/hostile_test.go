package server

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

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
