package server

import (
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/config"
	"vernemq/server/hooks"
	"vernemq/server/plugin/acl"
	"vernemq/server/session"
)

// TestGrants remembers nothing but what was allowed.
func TestGrants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g grants
		type question struct {
			session, user, chain int
			topic                string
		}
		sessions := make([]session.Session, 3)
		for i := range sessions {
			sessions[i].Key = uint64(i % 2) // two are alike
		}
		users := []*string{nil, new("a"), new("a")}
		chains, epochs := []*publishChain{new(publishChain), new(publishChain)}, []*hooks.Epoch{new(hooks.Epoch), new(hooks.Epoch)}
		allowed := map[question]*hooks.Epoch{}
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			q := question{rapid.IntRange(0, 2).Draw(t, "session"), rapid.IntRange(0, 2).Draw(t, "user"), rapid.IntRange(0, 1).Draw(t, "chain"),
				rapid.SampledFrom([]string{"", "a", "b", "a/b", "a/long/topic/1", "a/long/topic/2", "b/long/topic/2"}).Draw(t, "topic")}
			s := &sessions[q.session]
			s.User = users[q.user]
			switch e := epochs[rapid.IntRange(0, 1).Draw(t, "epoch")]; rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1:
				g.add(s, chains[q.chain], []byte(q.topic), e)
				allowed[q] = e
			case 2:
				e.End()
			default:
				e := allowed[q]
				if g.has(s, chains[q.chain], []byte(q.topic)) && (e == nil || e.Over()) {
					t.Fatalf("%+v is not allowed", q)
				}
			}
		}
	})
}

// TestGrantsEnd has another ACL file decide about the next message.
func TestGrantsEnd(t *testing.T) {
	t.Parallel()
	c := filesConfig(t, 1, "topic a\n", "alice:secret")
	b := startBroker(t, c)
	p := enter(t, b, asClient(codec.V5, "c", "alice", "secret"))
	send := func(want codec.ReasonCode) {
		t.Helper()
		for range 3 {
			p.put("a", 1, 1, "")
			if got := p.ack(codec.PUBACK, 1); got != want {
				t.Errorf("%v, want %v", got, want)
			}
		}
	}
	plugin := b.Plugin("vmq_acl").(*acl.Plugin)
	for i, text := range []string{"topic a\n", "topic b\n", "user alice\ntopic a\n", "user bob\ntopic a\n"} {
		if err := os.WriteFile(c.ACLFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		plugin.Configure(c.ACLFile, 0)
		send([]codec.ReasonCode{0, codec.NotAuthorized}[i%2])
	}
	// Somebody else under the same client identifier.
	if err := b.DisablePlugin("vmq_passwd"); err != nil {
		t.Fatal(err)
	}
	plug(t, b, "anybody", hooks.Hooks{AuthOnRegisterM5: welcome().AuthOnRegisterM5})
	for user, want := range map[string]codec.ReasonCode{"bob": 0, "eve": codec.NotAuthorized, "": codec.NotAuthorized} {
		p = enter(t, b, asClient(codec.V5, "c", user, ""))
		send(want)
	}
}

// BenchmarkAuthPublish is what a PUBLISH costs more because plugins decide.
func BenchmarkAuthPublish(b *testing.B) {
	for _, tt := range []struct {
		name, acl string
		topics    int // a client that publishes to many is asked about each time
	}{{"nobody", "", 1}, {"acl remembered", "topic #\n", 1}, {"acl asked", "topic #\n", 100_000}} {
		b.Run(tt.name, func(b *testing.B) {
			c := filesConfig(b, 1, tt.acl)
			c.Plugins = []config.Plugin{{Name: "vmq_acl"}}
			if tt.acl == "" {
				c = testConfig(1)
			}
			broker := startBroker(b, c)
			topics := make([][]byte, tt.topics)
			for i := range topics {
				topics[i] = fmt.Appendf(nil, "devices/%d/status", i)
			}
			on(broker.loops[0], func(l *loop) {
				cl := l.newClient("", "device-1")
				li := newListener(c, &c.Listeners[0], 0)
				cl.session.Connect(&noLink{}, &codec.Connect{Version: codec.V311, CleanStart: true}, &session.Admission{User: new("alice")}, li.limits.Load())
				p := queue.Publication{Payload: make([]byte, 64)}
				i := 0
				b.ReportAllocs()
				for b.Loop() {
					p.Topic = topics[i%len(topics)]
					i++
					if v := cl.AuthPublish(&cl.session, &p, nil); v != nil {
						b.Errorf("%+v", v)
						return
					}
				}
			})
		})
	}
}

// on runs f on a loop and waits for it.
func on(l *loop, f func(*loop)) {
	done := make(chan struct{})
	l.reactor.Post(func() {
		defer close(done)
		f(l)
	})
	<-done
}
