package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vernemq/codec"
	"vernemq/server/hooks"
)

// TestSlowPublish keeps the order of what a client does while plugins think
// about its messages, and nobody else waits for them.
func TestSlowPublish(t *testing.T) {
	t.Parallel()
	forVersions(t, func(t *testing.T, v codec.Version) {
		b := startBroker(t, closedConfig(2))
		release := make(chan struct{})
		h := welcome()
		h.AuthOnPublish = hooks.Asked[hooks.Message, hooks.PublishModifiers]{Wait: func(_ context.Context, m *hooks.Message) hooks.PublishAnswer {
			if strings.HasPrefix(string(m.Topic), "slow/") {
				<-release
			}
			if strings.HasSuffix(string(m.Topic), "/no") {
				return hooks.PublishAnswer{Result: hooks.Failed}
			}
			return hooks.PublishAnswer{Result: hooks.OK}
		}}
		h.AuthOnPublishM5 = h.AuthOnPublish
		plug(t, b, "p", h)
		reader := enter(t, b, asClient(codec.V5, "reader", "", ""))
		reader.sub("#")
		slow, quick := enter(t, b, asClient(v, "slow", "", "")), enter(t, b, asClient(v, "quick", "", ""))
		slow.put("slow/1", 1, 1, "first")
		slow.put("fast/2", 2, 2, "second")
		slow.put("fast/3", 0, 0, "third")
		slow.send(codec.AppendPingreq(nil))
		quick.put("fast/4", 1, 1, "quick")
		quick.ack(codec.PUBACK, 1)
		if m := reader.got(); string(m.Payload) != "quick" {
			t.Fatalf("%s", m.Payload)
		}
		close(release)
		slow.ack(codec.PUBACK, 1)
		slow.ack(codec.PUBREC, 2)
		if f := slow.next(); f.Type() != codec.PINGRESP {
			t.Errorf("%v % x", f.Type(), f.Body)
		}
		for _, want := range []string{"first", "second", "third"} {
			if m := reader.got(); string(m.Payload) != want {
				t.Errorf("%s, want %s", m.Payload, want)
			}
		}
		slow.put("slow/no", 1, 3, "no")
		if v == codec.V311 {
			slow.gone()
			return
		}
		if code := slow.ack(codec.PUBACK, 3); v == codec.V5 && code != codec.NotAuthorized {
			t.Error(code)
		}
	})
}

// TestSlowEverything publishes, subscribes and unsubscribes through plugins that
// take random times, in random order and portions. What comes back is what came
// back without plugins.
func TestSlowEverything(t *testing.T) {
	b := startBroker(t, closedConfig(2))
	nap := func() { time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond) }
	h := welcome()
	maybe := func() bool { return rand.IntN(2) == 0 }
	h.AuthOnPublishM5 = hooks.Asked[hooks.Message, hooks.PublishModifiers]{
		Now: func(*hooks.Message) hooks.PublishAnswer {
			if maybe() {
				return hooks.PublishAnswer{Result: hooks.Later}
			}
			return hooks.PublishAnswer{Result: hooks.OK}
		},
		Wait: func(context.Context, *hooks.Message) hooks.PublishAnswer {
			nap()
			return hooks.PublishAnswer{Result: hooks.OK}
		},
	}
	h.AuthOnSubscribeM5 = hooks.Asked[hooks.Subscribe, hooks.SubscribeModifiers]{Wait: func(context.Context, *hooks.Subscribe) hooks.SubscribeAnswer {
		nap()
		return hooks.SubscribeAnswer{Result: hooks.OK}
	}}
	h.OnUnsubscribeM5 = hooks.Asked[hooks.Unsubscribe, hooks.UnsubscribeModifiers]{Wait: func(context.Context, *hooks.Unsubscribe) hooks.UnsubscribeAnswer {
		nap()
		return hooks.UnsubscribeAnswer{}
	}}
	h.OnDeliverM5 = hooks.Asked[hooks.Message, hooks.DeliverModifiers]{
		Now: func(*hooks.Message) hooks.DeliverAnswer {
			if maybe() {
				return hooks.DeliverAnswer{Result: hooks.Later}
			}
			return hooks.DeliverAnswer{Result: hooks.OK}
		},
		Wait: func(context.Context, *hooks.Message) hooks.DeliverAnswer {
			nap()
			return hooks.DeliverAnswer{Result: hooks.OK}
		},
	}
	plug(t, b, "p", h)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		topic := fmt.Sprint("t", n)
		p := enter(t, b, asClient(codec.V5, topic, "", ""))
		defer p.conn.Close()
		reader := enter(t, b, asClient(codec.V5, topic+"r", "", ""))
		defer reader.conn.Close()
		reader.sub(topic)
		var out []byte
		var want []string   // acknowledgements
		var routed []string // messages
		count := rapid.IntRange(1, 30).Draw(rt, "packets")
		for i := range count {
			id := uint16(i + 1)
			payload := strings.Repeat(fmt.Sprint(i, " "), rapid.SampledFrom([]int{1, 10, 3000}).Draw(rt, "size"))
			switch kind := rapid.IntRange(0, 4).Draw(rt, "kind"); kind {
			case 0, 1, 2:
				head := codec.AppendPublishHead(nil, codec.V5, codec.PublishFirst(byte(kind), false, false), []byte(topic), id, nil, len(payload))
				out = append(append(out, head...), payload...)
				routed = append(routed, payload)
				if kind > 0 {
					want = append(want, fmt.Sprint([]codec.Type{0, codec.PUBACK, codec.PUBREC}[kind], id))
				}
			case 3:
				out = codec.AppendSubscribe(out, codec.V5, id, 0, []codec.Filter{{Filter: []byte("other/" + topic)}})
				want = append(want, fmt.Sprint(codec.SUBACK, id))
			case 4:
				out = codec.AppendUnsubscribe(out, codec.V5, id, [][]byte{[]byte("other/" + topic)})
				want = append(want, fmt.Sprint(codec.UNSUBACK, id))
			}
		}
		for len(out) > 0 {
			k := min(len(out), rapid.SampledFrom([]int{1, 7, 100, 100000}).Draw(rt, "portion"))
			p.send(out[:k])
			out = out[k:]
		}
		for _, w := range want {
			f := p.next()
			if got := fmt.Sprint(f.Type(), int(f.Body[0])<<8|int(f.Body[1])); got != w {
				rt.Fatalf("%s, want %s", got, w)
			}
		}
		for _, w := range routed {
			if m := reader.got(); string(m.Payload) != w {
				rt.Fatalf("message %.20q, want %.20q", m.Payload, w)
			}
		}
	})
}

// gate is a plugin whose auth_on_register waits for the test.
type gate struct {
	asked   chan string // client ids
	release chan hooks.RegisterAnswer
	ended   chan error // contexts
}

func newGate(t *testing.T, b *Broker) *gate {
	g := &gate{make(chan string, 10), make(chan hooks.RegisterAnswer), make(chan error, 10)}
	h := welcome()
	h.AuthOnRegister = hooks.Asked[hooks.Register, hooks.RegisterModifiers]{Wait: func(ctx context.Context, r *hooks.Register) hooks.RegisterAnswer {
		g.asked <- r.ID + " " + string(r.Password)
		select {
		case a := <-g.release:
			return a
		case <-ctx.Done():
			g.ended <- ctx.Err()
			return hooks.RegisterAnswer{}
		}
	}}
	h.AuthOnRegisterM5 = h.AuthOnRegister
	plug(t, b, "gate", h)
	return g
}

// knock sends a CONNECT and more, and does not wait.
func knock(t *testing.T, b *Broker, c *codec.Connect, more ...byte) versioned {
	p := versioned{&peer{t: t}, c.Version}
	p.open(b)
	p.send(append(codec.AppendConnect(nil, c), more...))
	return p
}

// TestSlowRegister has clients wait for plugins: what they send meanwhile is
// kept, and who is refused takes nobody's place.
func TestSlowRegister(t *testing.T) {
	t.Parallel()
	for _, loops := range []int{1, 3} {
		b := startBroker(t, closedConfig(loops))
		g := newGate(t, b)
		ping := codec.AppendPingreq(nil)
		first := knock(t, b, asClient(codec.V311, "x", "u", "1"), ping...)
		if got := <-g.asked; got != "x 1" {
			t.Error(got)
		}
		g.release <- hooks.RegisterAnswer{Result: hooks.OK}
		for _, want := range []codec.Type{codec.CONNACK, codec.PINGRESP} {
			if f := first.next(); f.Type() != want {
				t.Fatalf("%v", f.Type())
			}
		}
		second := knock(t, b, asClient(codec.V311, "x", "u", "2"), ping...)
		<-g.asked
		g.release <- hooks.RegisterAnswer{Result: hooks.Failed, Refusal: hooks.BadCredentials}
		if f := second.next(); f.Type() != codec.CONNACK || f.Body[1] != 4 {
			t.Fatalf("%v % x", f.Type(), f.Body)
		}
		second.gone()
		first.send(ping)
		if f := first.next(); f.Type() != codec.PINGRESP {
			t.Fatalf("%v", f.Type())
		}
		third := knock(t, b, asClient(codec.V311, "x", "u", "3"))
		<-g.asked
		g.release <- hooks.RegisterAnswer{Result: hooks.OK}
		if f := third.next(); f.Type() != codec.CONNACK || f.Body[1] != 0 {
			t.Fatalf("%v % x", f.Type(), f.Body)
		}
		first.gone()
	}
}

// TestClientLeavesWhileWaiting ends the question with the connection, however
// that ends.
func TestClientLeavesWhileWaiting(t *testing.T) {
	t.Parallel()
	b := startBroker(t, closedConfig(2))
	g := newGate(t, b)
	for _, end := range []func(c *net.TCPConn){
		func(c *net.TCPConn) { c.Close() },
		func(c *net.TCPConn) { c.CloseWrite() },
		func(c *net.TCPConn) { _ = c.SetLinger(0); c.Close() },
	} {
		p := knock(t, b, asClient(codec.V5, "x", "", ""), codec.AppendPingreq(nil)...)
		<-g.asked
		end(p.conn.(*net.TCPConn))
		select {
		case err := <-g.ended:
			if err != context.Canceled {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the plugin is still asked")
		}
	}
}

// TestTakeOverWhileWaiting ends a connection whose message plugins think about.
func TestTakeOverWhileWaiting(t *testing.T) {
	t.Parallel()
	b := startBroker(t, closedConfig(2))
	began, ended := make(chan struct{}, 1), make(chan struct{})
	h := welcome()
	h.AuthOnPublishM5 = hooks.Asked[hooks.Message, hooks.PublishModifiers]{Wait: func(ctx context.Context, _ *hooks.Message) hooks.PublishAnswer {
		began <- struct{}{}
		<-ctx.Done()
		close(ended)
		return hooks.PublishAnswer{Result: hooks.OK}
	}}
	plug(t, b, "p", h)
	reader := enter(t, b, asClient(codec.V5, "reader", "", ""))
	reader.sub("#")
	first := enter(t, b, asClient(codec.V5, "x", "", ""))
	first.put("t", 1, 1, "lost")
	<-began
	second := enter(t, b, asClient(codec.V5, "x", "", ""))
	if f := first.next(); f.Type() != codec.DISCONNECT || f.Body[0] != 0x8e {
		t.Errorf("%v % x", f.Type(), f.Body)
	}
	first.conn.Close()
	<-ended
	second.send(codec.AppendPingreq(nil))
	if f := second.next(); f.Type() != codec.PINGRESP {
		t.Error(f.Type())
	}
}

// TestSlowDeliver keeps the order of messages to a client while plugins think
// about one, with and without a window.
func TestSlowDeliver(t *testing.T) {
	t.Parallel()
	for i, size := range []int{0, 0, 10_000, 10_000} {
		qos := byte(i % 2)
		fill := strings.Repeat("x", size)
		b := startBroker(t, closedConfig(2))
		release := make(chan struct{})
		h := welcome()
		h.OnDeliverM5 = hooks.Asked[hooks.Message, hooks.DeliverModifiers]{Wait: func(_ context.Context, m *hooks.Message) hooks.DeliverAnswer {
			<-release
			if string(m.Payload) == "2"+fill {
				return hooks.DeliverAnswer{Result: hooks.OK, Modifiers: &hooks.DeliverModifiers{Topic: new([]byte("renamed"))}}
			}
			if string(m.Payload) == "1"+fill {
				return hooks.DeliverAnswer{Result: hooks.OK, Modifiers: &hooks.DeliverModifiers{
					Topic: new([]byte("changed")), Payload: new([]byte("one"))}}
			}
			return hooks.DeliverAnswer{Result: hooks.Failed} // cannot keep it back
		}}
		plug(t, b, "p", h)
		reader := enter(t, b, asClient(codec.V5, "reader", "", ""))
		reader.sub("#")
		writer := enter(t, b, asClient(codec.V5, "writer", "", ""))
		const n = 50 // more than fit into the window
		for i := range n {
			writer.put("t", qos, uint16(i+1), fmt.Sprint(i)+fill)
		}
		if qos == 1 {
			for i := range n {
				writer.ack(codec.PUBACK, uint16(i+1))
			}
		}
		close(release)
		for i := range n {
			want, topic := fmt.Sprint(i)+fill, "t"
			switch i {
			case 1:
				want, topic = "one", "changed"
			case 2:
				topic = "renamed"
			}
			if m := reader.got(); string(m.Payload) != want || string(m.Topic) != topic {
				t.Fatalf("%s %.20s, want %.20s", m.Topic, m.Payload, want)
			}
		}
	}
}

// TestReaderLeavesWhileDelivering ends the question, and a persistent session
// gets the message later.
func TestReaderLeavesWhileDelivering(t *testing.T) {
	t.Parallel()
	b := startBroker(t, closedConfig(1))
	var once sync.Once
	began, ended := make(chan struct{}), make(chan struct{})
	h := welcome()
	h.OnDeliver = hooks.Asked[hooks.Message, hooks.DeliverModifiers]{Wait: func(ctx context.Context, _ *hooks.Message) hooks.DeliverAnswer {
		first := false
		once.Do(func() { first = true })
		if first {
			close(began)
			<-ctx.Done()
			close(ended)
		}
		return hooks.DeliverAnswer{Result: hooks.OK}
	}}
	plug(t, b, "p", h)
	c := asClient(codec.V311, "reader", "", "")
	c.CleanStart = false
	reader := enter(t, b, c)
	reader.sub("#")
	writer := enter(t, b, asClient(codec.V5, "writer", "", ""))
	writer.put("t", 1, 1, "kept")
	writer.ack(codec.PUBACK, 1)
	<-began
	reader.conn.Close()
	<-ended
	reader = enter(t, b, c)
	if m := reader.got(); string(m.Payload) != "kept" || m.Dup {
		t.Errorf("%+v", m)
	}
}

// TestPanickingPlugin costs the one client that it is asked about, and no more.
func TestPanickingPlugin(t *testing.T) {
	t.Parallel()
	b := startBroker(t, closedConfig(1))
	h := welcome()
	now := h.AuthOnPublish.Now
	h.AuthOnPublishM5.Now = func(m *hooks.Message) hooks.PublishAnswer {
		if string(m.Topic) == "bad" {
			panic("oops")
		}
		return now(m)
	}
	h.OnPublishM5.Wait = func(context.Context, *hooks.Message) { panic("oops") }
	plug(t, b, "p", h)
	p := enter(t, b, asClient(codec.V5, "c", "", ""))
	for i, topic := range []string{"bad", "good"} {
		p.put(topic, 1, uint16(i+1), "")
		if code := p.ack(codec.PUBACK, uint16(i+1)); (code == 0) != (topic == "good") {
			t.Errorf("%s: %v", topic, code)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); b.Plugins()[0].Panics < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", b.Plugins())
		}
	}
}

// TestDisableWhileWaiting takes a plugin away that is being asked. What it would
// have said is for no other packet.
func TestDisableWhileWaiting(t *testing.T) {
	t.Parallel()
	b := startBroker(t, testConfig(1)) // nobody needs to authenticate
	for range 3 {
		began := make(chan struct{}, 10)
		wait := func(ctx context.Context) {
			began <- struct{}{}
			<-ctx.Done()
		}
		plug(t, b, "p", hooks.Hooks{
			AuthOnPublishM5: hooks.Asked[hooks.Message, hooks.PublishModifiers]{Wait: func(ctx context.Context, _ *hooks.Message) hooks.PublishAnswer {
				wait(ctx)
				return hooks.PublishAnswer{Result: hooks.OK, Modifiers: &hooks.PublishModifiers{Topic: new([]byte("wrong"))}}
			}},
			AuthOnSubscribeM5: hooks.Asked[hooks.Subscribe, hooks.SubscribeModifiers]{Wait: func(ctx context.Context, _ *hooks.Subscribe) hooks.SubscribeAnswer {
				wait(ctx)
				return hooks.SubscribeAnswer{Result: hooks.OK}
			}},
		})
		p := enter(t, b, asClient(codec.V5, "c", "", ""))
		p.put("t", 1, 1, "first")
		<-began
		if err := b.DisablePlugin("p"); err != nil {
			t.Fatal(err)
		}
		p.ack(codec.PUBACK, 1)
		if got := p.sub("#"); got[0] != 1 {
			t.Errorf("% x", got)
		}
		p.put("t", 0, 0, "second")
		if m := p.got(); string(m.Topic) != "t" || string(m.Payload) != "second" {
			t.Errorf("%s %s", m.Topic, m.Payload)
		}
		p.conn.Close()
	}
}
