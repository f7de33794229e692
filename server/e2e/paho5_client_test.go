package e2e

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
)

// five is a v5 client on autopaho, which reconnects by itself.
type five struct {
	*autopaho.ConnectionManager
	t    *testing.T
	in   chan *paho.Publish // messages in their order
	ups  chan *paho.Connack // one for each connection
	gone chan byte          // reason codes of the broker's DISCONNECTs
}

// five connects. The session ends with the connection unless change says
// otherwise.
func (b *broker) five(t *testing.T, name string, change func(*autopaho.ClientConfig)) *five {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	f := &five{
		t:    t,
		in:   make(chan *paho.Publish, 2000),
		ups:  make(chan *paho.Connack, 100),
		gone: make(chan byte, 100),
	}
	cfg := autopaho.ClientConfig{
		ServerUrls:                    []*url.URL{{Scheme: "mqtt", Host: b.addr()}},
		KeepAlive:                     60,
		CleanStartOnInitialConnection: true,
		ReconnectBackoff:              autopaho.NewConstantBackoff(50 * time.Millisecond),
		ConnectTimeout:                patience,
		OnConnectionUp:                func(_ *autopaho.ConnectionManager, a *paho.Connack) { f.ups <- a },
		ClientConfig: paho.ClientConfig{
			ClientID:      name,
			PacketTimeout: patience,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
				f.in <- p.Packet
				return true, nil
			}},
			OnServerDisconnect: func(d *paho.Disconnect) { f.gone <- d.ReasonCode },
		},
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if f.ConnectionManager, err = autopaho.NewConnection(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	wait, stop := context.WithTimeout(ctx, patience)
	defer stop()
	if err := f.AwaitConnection(wait); err != nil {
		t.Fatalf("cannot connect: %v", err)
	}
	return f
}

// kept makes a session that outlives its connection.
func kept(seconds uint32) func(*autopaho.ClientConfig) {
	return func(c *autopaho.ClientConfig) {
		c.SessionExpiryInterval = seconds
		c.CleanStartOnInitialConnection = false
	}
}

// once keeps a client from connecting again.
func once(c *autopaho.ClientConfig) { c.OnConnectionDown = func() bool { return false } }

func (f *five) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	f.t.Cleanup(cancel)
	return ctx
}

func (f *five) sub(subs ...paho.SubscribeOptions) { f.t.Helper(); f.subID(0, subs...) }

// subID subscribes with a subscription identifier, unless that is 0.
func (f *five) subID(n int, subs ...paho.SubscribeOptions) {
	f.t.Helper()
	s := &paho.Subscribe{Subscriptions: subs}
	if n > 0 {
		s.Properties = &paho.SubscribeProperties{SubscriptionIdentifier: &n}
	}
	if _, err := f.Subscribe(f.ctx(), s); err != nil {
		f.t.Fatalf("cannot subscribe: %v", err)
	}
}

func (f *five) pub(p *paho.Publish) {
	f.t.Helper()
	if _, err := f.Publish(f.ctx(), p); err != nil {
		f.t.Fatalf("cannot publish: %v", err)
	}
}

func message(topic string, qos byte, payload string) *paho.Publish {
	return &paho.Publish{Topic: topic, QoS: qos, Payload: []byte(payload)}
}

// next returns the next message.
func (f *five) next() *paho.Publish {
	f.t.Helper()
	return receive(f.t, "message", f.in)
}

// want returns the next message, which must be this one.
func (f *five) want(topic string, qos byte, payload string) *paho.Publish {
	f.t.Helper()
	p := f.next()
	if p.Topic != topic || p.QoS != qos || string(p.Payload) != payload {
		f.t.Fatalf("got %s qos %d %.40q, want %s qos %d %.40q", p.Topic, p.QoS, p.Payload, topic, qos, payload)
	}
	return p
}

// nothing fails if a message other than the marker comes, which it publishes
// to a topic that f subscribes to.
func (f *five) nothing() {
	f.t.Helper()
	mark := unique("mark")
	f.sub(paho.SubscribeOptions{Topic: mark})
	f.pub(message(mark, 0, "mark"))
	f.want(mark, 0, "mark")
}

func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

func (f *five) leave() {
	f.t.Helper()
	if err := f.Disconnect(f.ctx()); err != nil {
		f.t.Fatalf("cannot disconnect: %v", err)
	}
	<-f.Done()
}

// users returns user properties as a list.
func users(p *paho.Publish) (out []string) {
	for _, u := range p.Properties.User {
		out = append(out, u.Key+"="+u.Value)
	}
	return out
}

// plain makes a v5 client of the lower Paho package, for what autopaho hides.
func (b *broker) plain(t *testing.T, c *paho.Connect) (*paho.Client, *paho.Connack) {
	t.Helper()
	conn, err := net.Dial("tcp", b.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := paho.NewClient(paho.ClientConfig{Conn: conn, PacketTimeout: patience})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ack, err := client.Connect(ctx, c)
	if err != nil {
		t.Fatalf("cannot connect: %v", err)
	}
	return client, ack
}

func TestV5QoS(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		c := b.five(t, unique("five"), nil)
		for qos := byte(0); qos <= 2; qos++ {
			topic := unique("p")
			c.sub(paho.SubscribeOptions{Topic: topic, QoS: qos})
			for pq := byte(0); pq <= 2; pq++ {
				c.pub(message(topic, pq, "hello"))
				c.want(topic, min(pq, qos), "hello")
			}
		}
	})
}

func TestV5Properties(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic := unique("rr")
		c := b.five(t, unique("five"), nil)
		c.sub(paho.SubscribeOptions{Topic: topic, QoS: 1})
		format, expiry := byte(1), uint32(100)
		m := message(topic, 1, "ask")
		m.Properties = &paho.PublishProperties{
			CorrelationData: []byte{0, 1, 2}, ContentType: "text/plain", ResponseTopic: "re/ply",
			PayloadFormat: &format, MessageExpiry: &expiry,
			User: paho.UserProperties{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}, {Key: "a", Value: "0"}},
		}
		b.five(t, unique("from"), nil).pub(m)
		p := c.want(topic, 1, "ask").Properties
		if string(p.CorrelationData) != "\x00\x01\x02" || p.ContentType != "text/plain" || p.ResponseTopic != "re/ply" ||
			p.PayloadFormat == nil || *p.PayloadFormat != 1 || p.MessageExpiry == nil || *p.MessageExpiry > 100 || *p.MessageExpiry < 95 {
			t.Errorf("properties %+v", p)
		}
		if got := users(&paho.Publish{Properties: p}); !slices.Equal(got, []string{"a=1", "b=2", "a=0"}) {
			t.Errorf("user properties %v", got)
		}
		// A subscriber of 3.1.1 gets the message without.
		old := b.connect(t, connect{v: 4, id: unique("old")})
		old.subscribe(0, topic)
		c.pub(m)
		old.wantPub(publish{topic: topic, payload: "ask"})
	})
}

func TestV5AssignedClientID(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		c := b.five(t, "", nil)
		ack := receive(t, "CONNACK", c.ups)
		if ack.Properties.AssignedClientID == "" {
			t.Error("no Assigned Client Identifier")
		}
	})
}

func TestV5TopicAliasFromClient(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		client, ack := b.plain(t, &paho.Connect{ClientID: unique("alias"), CleanStart: true, KeepAlive: 60})
		if m := ack.Properties.TopicAliasMaximum; m == nil || *m != 10 {
			t.Fatalf("Topic Alias Maximum %v, want 10", m)
		}
		topic, other := unique("alias"), unique("alias")
		to := b.connect(t, connect{v: 5, id: unique("to")})
		to.subscribe(1, topic, other)
		alias := uint16(10)
		for i, name := range []string{topic, "", "", other, ""} {
			m := message(name, 1, fmt.Sprint(i))
			m.Properties = &paho.PublishProperties{TopicAlias: &alias}
			if _, err := client.Publish(context.Background(), m); err != nil {
				t.Fatal(err)
			}
			want := topic
			if i >= 3 {
				want = other
			}
			to.take(to.wantPub(publish{topic: want, payload: fmt.Sprint(i), qos: 1}))
		}
	}, "topic_alias_max_client=10")
}
