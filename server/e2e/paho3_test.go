package e2e

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// pahoOptions are those of a v3.1.1 client that connects once.
func (b *broker) pahoOptions(name string) *mqtt.ClientOptions {
	return mqtt.NewClientOptions().AddBroker("tcp://" + b.addr()).SetClientID(name).SetProtocolVersion(4).
		SetAutoReconnect(false).SetConnectTimeout(patience)
}

func pahoConnect(t testing.TB, o *mqtt.ClientOptions) mqtt.Client {
	t.Helper()
	c := mqtt.NewClient(o)
	done(t, "connect", c.Connect())
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

func done(t testing.TB, what string, token mqtt.Token) {
	t.Helper()
	if !token.WaitTimeout(2 * patience) {
		t.Fatalf("%s: no answer", what)
	}
	if err := token.Error(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// inbox collects messages of a Paho client in their order.
type inbox chan string

func (in inbox) handle(_ mqtt.Client, m mqtt.Message) {
	in <- fmt.Sprintf("%s q%d r%v %s", m.Topic(), m.Qos(), m.Retained(), m.Payload())
}

func (in inbox) want(t testing.TB, want string) {
	t.Helper()
	select {
	case got := <-in:
		if got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("no message, want %q", want)
	}
}

func TestPahoQoS(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		c := pahoConnect(t, b.pahoOptions(unique("paho")))
		for qos := byte(0); qos <= 2; qos++ {
			topic, in := unique("p"), make(inbox, 10)
			done(t, "subscribe", c.Subscribe(topic, qos, in.handle))
			for pq := byte(0); pq <= 2; pq++ {
				done(t, "publish", c.Publish(topic, pq, false, "hello"))
				in.want(t, fmt.Sprintf("%s q%d rfalse hello", topic, min(qos, pq)))
			}
			done(t, "unsubscribe", c.Unsubscribe(topic))
			done(t, "publish", c.Publish(topic, 1, false, "nobody"))
			if len(in) > 0 {
				t.Errorf("got %s after unsubscribe", <-in)
			}
		}
	})
}

func TestPahoOrder(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		for qos := byte(0); qos <= 2; qos++ {
			if qos == 2 && mosquitto() {
				continue // 2.0.11 mixes them up
			}
			const n = 1000
			topic, in := unique("p"), make(inbox, n)
			to := pahoConnect(t, b.pahoOptions(unique("to")))
			done(t, "subscribe", to.Subscribe(topic, qos, in.handle))
			from := pahoConnect(t, b.pahoOptions(unique("from")))
			var last mqtt.Token
			for i := range n {
				last = from.Publish(topic, qos, false, fmt.Sprint(i))
				if i%500 == 499 { // no more than the online queue takes
					done(t, "publish", last)
				}
			}
			for i := range n {
				in.want(t, fmt.Sprintf("%s q%d rfalse %d", topic, qos, i))
			}
		}
	})
}

func TestPahoReconnect(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		name, topic, in := unique("paho"), unique("p"), make(inbox, 10)
		var ups atomic.Int32
		o := b.pahoOptions(name).SetCleanSession(false).SetAutoReconnect(true).SetMaxReconnectInterval(time.Second)
		o.SetOnConnectHandler(func(mqtt.Client) { ups.Add(1) })
		o.SetDefaultPublishHandler(in.handle)
		c := pahoConnect(t, o)
		done(t, "subscribe", c.Subscribe(topic, 1, nil))
		thief := b.connect(t, connect{v: 4, id: name, keep: true})
		thief.closed() // taken over in turn by the reconnect
		eventually(t, "connected again", func() bool { return ups.Load() >= 2 && c.IsConnectionOpen() })
		b.connect(t, connect{v: 4, id: unique("from")}).pub(publish{topic: topic, payload: "still there", qos: 1})
		in.want(t, topic+" q1 rfalse still there")
	})
}

func TestPahoPersistentSession(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		name, topic, in := unique("paho"), unique("p"), make(inbox, 100)
		o := b.pahoOptions(name).SetCleanSession(false).SetDefaultPublishHandler(in.handle)
		c := pahoConnect(t, o)
		done(t, "subscribe", c.Subscribe(topic, 2, nil))
		c.Disconnect(100)
		from := pahoConnect(t, b.pahoOptions(unique("from")))
		for i := range 100 {
			done(t, "publish", from.Publish(topic, byte(1+i%2), false, fmt.Sprint(i)))
		}
		pahoConnect(t, o)
		for i := range 100 {
			in.want(t, fmt.Sprintf("%s q%d rfalse %d", topic, 1+i%2, i))
		}
	})
}

func TestPahoWillAndRetained(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic, in := unique("p"), make(inbox, 10)
		watch := pahoConnect(t, b.pahoOptions(unique("watch")))
		done(t, "subscribe", watch.Subscribe(topic, 1, in.handle))
		name := unique("dies")
		pahoConnect(t, b.pahoOptions(name).SetWill(topic, "gone", 1, true))
		b.connect(t, connect{v: 4, id: name}).leave() // an abnormal end for the first
		in.want(t, topic+" q1 rfalse gone")
		late, after := make(inbox, 10), make(inbox, 10)
		done(t, "subscribe", pahoConnect(t, b.pahoOptions(unique("late"))).Subscribe(topic, 2, late.handle))
		late.want(t, topic+" q1 rtrue gone")
		done(t, "delete", watch.Publish(topic, 1, true, ""))
		late.want(t, topic+" q1 rfalse ")
		done(t, "subscribe", pahoConnect(t, b.pahoOptions(unique("after"))).Subscribe(topic, 2, after.handle))
		done(t, "publish", watch.Publish(topic, 0, false, "live"))
		after.want(t, topic+" q0 rfalse live")
	})
}

// A thousand clients, each with a topic of its own and one in common.
func TestPahoThousand(t *testing.T) {
	n, senders := 1000, 50
	if raceEnabled || testing.Short() {
		n = 200
	}
	forLoopsAlone(t, func(t *testing.T, b *broker) {
		own, common := unique("own"), unique("common")
		var gotOwn, gotCommon atomic.Int64
		clients := make([]mqtt.Client, n)
		// A failure in one of many goroutines ends the test by this channel.
		errs := make(chan error, n)
		each := func(what string, f func(i int) mqtt.Token) {
			t.Helper()
			var wg sync.WaitGroup
			for i := range clients {
				wg.Go(func() {
					token := f(i)
					if !token.WaitTimeout(30 * time.Second) {
						errs <- fmt.Errorf("%s %d: no answer", what, i)
					} else if token.Error() != nil {
						errs <- fmt.Errorf("%s %d: %w", what, i, token.Error())
					}
				})
			}
			wg.Wait()
			if len(errs) > 0 {
				t.Fatal(<-errs)
			}
		}
		defer func() {
			for _, c := range clients {
				c.Disconnect(0)
			}
		}()
		each("connect", func(i int) mqtt.Token {
			o := b.pahoOptions(unique("thousand")).SetWriteTimeout(patience)
			o.SetConnectTimeout(30 * time.Second)
			clients[i] = mqtt.NewClient(o)
			return clients[i].Connect()
		})
		each("subscribe own", func(i int) mqtt.Token {
			return clients[i].Subscribe(fmt.Sprint(own, "/", i), 1, func(mqtt.Client, mqtt.Message) { gotOwn.Add(1) })
		})
		each("subscribe common", func(i int) mqtt.Token {
			return clients[i].Subscribe(common, 1, func(mqtt.Client, mqtt.Message) { gotCommon.Add(1) })
		})
		each("publish", func(i int) mqtt.Token {
			if i < senders {
				clients[i].Publish(common, byte(i%2), false, "to all")
			}
			return clients[i].Publish(fmt.Sprint(own, "/", (i+1)%n), 1, false, "to one")
		})
		eventually(t, "all messages have come", func() bool {
			return gotOwn.Load() >= int64(n) && gotCommon.Load() >= int64(n*senders)
		})
		if gotOwn.Load() != int64(n) || gotCommon.Load() != int64(n*senders) {
			t.Errorf("own %d, common %d; want %d, %d", gotOwn.Load(), gotCommon.Load(), n, n*senders)
		}
	})
}
