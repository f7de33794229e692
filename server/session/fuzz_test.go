package session

import (
	"strings"
	"testing"

	"vernemq/codec"
)

// stranger is what stands between the bytes of a connection and its session:
// the first packet must be a CONNECT that is admitted.
type stranger struct {
	world  *world
	client *fakeClient
	kept   []byte // of an incomplete packet
}

// feed takes bytes that arrived. It returns false when the connection ends.
func (s *stranger) feed(b []byte) bool {
	s.kept = append(s.kept, b...)
	for {
		f, n, _, err := codec.Cut(s.kept, 1<<16)
		if err != nil {
			if s.client != nil {
				s.client.session.Malformed(err)
			}
			return false
		}
		if n == 0 {
			return true
		}
		s.kept = s.kept[n:]
		if !s.packet(f) {
			return false
		}
	}
}

func (s *stranger) packet(f codec.Frame) bool {
	if s.client != nil {
		return s.client.session.Packet(f)
	}
	var c codec.Connect
	if f.Type() != codec.CONNECT || codec.DecodeConnect(f, &c) != nil {
		return false
	}
	rules := Rules{Versions: []byte{3, 4, 5, 131, 132}, MaxClientIDSize: 100, TopicMaxDepth: 10}
	if _, _, code := Admit(&c, &rules); code != codec.Success {
		return false
	}
	s.client = s.world.join("stranger", &c, false)
	return s.client.session.Online()
}

// FuzzSession lets a stranger connect twice and send anything, in pieces of
// any size. Whatever it is: nothing crashes, every answer is a whole packet,
// what is kept stays within the limits, no message is counted twice or not at
// all, and another client is served as before.
func FuzzSession(f *testing.F) {
	seedSessions(f)
	f.Fuzz(func(t *testing.T, first, second []byte, piece uint8) {
		w := newWorld()
		w.limits.MaxOnline, w.limits.MaxOffline, w.limits.MaxInflight = 10, 10, 5
		w.limits.ReceiveMaxBroker, w.limits.TopicAliasMaxClient, w.limits.TopicAliasMaxBroker = 5, 5, 5
		w.limits.MaxRate = 100
		must(t, w, "other connect v5")
		must(t, w, "other sub 1 #,2 $share/g/#,1")
		must(t, w, "other pub kept x retain")
		for _, bytes := range [][]byte{first, second} {
			s := &stranger{world: w}
			on := true
			for step := int(piece) + 1; on && len(bytes) > 0; bytes = bytes[min(step, len(bytes)):] {
				on = s.feed(bytes[:min(step, len(bytes))])
			}
			w.flush()
			must(t, w, "other pub a y q=1 id=7")
			if s.client == nil {
				continue
			}
			within(t, w, &s.client.session)
			if s.client.session.Online() {
				s.client.session.Lost()
			}
			must(t, w, "tick 3")
		}
		must(t, w, "other ping")
		answers(t, w)
		w.check(t, 0)
	})
}

// must runs a command.
func must(t *testing.T, w *world, command string) {
	if err := w.run(strings.Fields(command)); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
}

// within holds the limits of FuzzSession.
func within(t *testing.T, w *world, s *Session) {
	e := s.extra
	if e == nil {
		return
	}
	if n := e.waiting.Len(); n > w.limits.MaxOnline {
		t.Errorf("%d messages wait", n)
	}
	if n := w.store.len(s.client()); n > w.limits.MaxOffline {
		t.Errorf("%d messages are stored", n)
	}
	if n := e.received.Len(); s.v5() && n > int(w.limits.ReceiveMaxBroker) {
		t.Errorf("%d QoS 2 messages are not released", n)
	}
	if len(e.aliases) > int(w.limits.TopicAliasMaxClient) || len(e.topics) > int(w.limits.TopicAliasMaxBroker) {
		t.Errorf("%d aliases in, %d out", len(e.aliases), len(e.topics))
	}
}

// answers looks whether all that was sent are packets, and whether the other
// client is connected and was served.
func answers(t *testing.T, w *world) {
	served := 0
	for _, line := range w.said {
		_, packet, ok := strings.Cut(line, " < ")
		if word, _, _ := strings.Cut(packet, " "); ok && !known[word] {
			t.Error(line)
		}
		if strings.HasPrefix(line, "other < PUBACK m7") || line == "other < PINGRESP" {
			served++
		}
	}
	if served != 3 {
		t.Errorf("the other client was answered %d times", served)
	}
}

var known = map[string]bool{"CONNACK": true, "PUBLISH": true, "PUBACK": true, "PUBREC": true, "PUBREL": true,
	"PUBCOMP": true, "SUBACK": true, "UNSUBACK": true, "PINGRESP": true, "DISCONNECT": true}

// seedSessions gives the fuzzer conversations to start from.
func seedSessions(f *testing.F) {
	talk := func(version string, commands ...string) (out []byte) {
		v := map[string]codec.Version{"v31": codec.V31, "v4": codec.V311, "v5": codec.V5}[version]
		for _, c := range commands {
			words := strings.Fields(c)
			if words[0] == "connect" {
				out = append(out, connectPacket("s", args(append(words[1:], version)))...)
				continue
			}
			p, err := encode(v, words[0], words[1:])
			if err != nil {
				f.Fatal(err)
			}
			out = append(out, p...)
		}
		return out
	}
	for _, v := range []string{"v31", "v4", "v5"} {
		f.Add(talk(v, "connect persistent keepalive=5 will=w:x wqos=1", "sub 1 #,1 a/+,2", "pub a x q=1 id=1", "pub b y q=2 id=2", "pubrel 2", "puback 1"),
			talk(v, "connect persistent", "pubrec 1", "pubcomp 1", "unsub 3 #", "ping", "disconnect"), uint8(255))
	}
	f.Add(talk("v5", "connect persistent expiry=9 rmax=2 aliases=3 will=w:x wdelay=2 wretain", "sub 1 $share/g/#,1 #,2,nl,rap id=5", "pub t x alias=1 q=1 id=1", "pub - z alias=1 expiry=5 retain"),
		talk("v5", "connect expiry=9 maxpacket=30", "sub 2 kept,1,rh1", "pub a b q=2 id=3", "pub a c q=2 id=4", "pub a d q=2 id=5", "disconnect reason=4 expiry=3"), uint8(6))
	f.Add(talk("v4", "connect bridge", "sub 1 #,1", "pub a x retain", "connect"), []byte{0x10, 0xff, 0xff, 0xff, 0xff}, uint8(0))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), talk("v5", "connect", "raw f0 00"), uint8(3))
}
