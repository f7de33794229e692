package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
)

// The broker keeps to the client's Receive Maximum, whoever acknowledges late.
func TestV5ReceiveMaximum(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "2.0.11 lets two out for one acknowledgement")
		topic := unique("rm")
		var held []paho.PublishReceived
		got := make(chan paho.PublishReceived, 100)
		c := b.five(t, unique("five"), func(cfg *autopaho.ClientConfig) {
			cfg.EnableManualAcknowledgment = true
			cfg.OnPublishReceived = []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
				got <- p
				return true, nil
			}}
			cfg.ConnectPacketBuilder = func(cp *paho.Connect, _ *url.URL) (*paho.Connect, error) {
				limit := uint16(3)
				if cp.Properties == nil {
					cp.Properties = &paho.ConnectProperties{}
				}
				cp.Properties.ReceiveMaximum = &limit
				return cp, nil
			}
		})
		c.sub(paho.SubscribeOptions{Topic: topic, QoS: 2})
		from := b.five(t, unique("from"), nil)
		const n = 12
		for i := range n {
			from.pub(message(topic, byte(1+i%2), fmt.Sprint(i)))
		}
		for i := range n {
			p := receive(t, "message", got)
			if string(p.Packet.Payload) != fmt.Sprint(i) {
				t.Fatalf("got message %s, want %d", p.Packet.Payload, i)
			}
			if held = append(held, p); len(held) < 3 {
				continue
			}
			// An answer that passes through the broker: nothing else was sent.
			c.sub(paho.SubscribeOptions{Topic: unique("rm")})
			if len(got) > 0 {
				t.Fatalf("a fourth message is out: %s", (<-got).Packet.Payload)
			}
			if err := held[0].Client.Ack(held[0].Packet); err != nil {
				t.Fatal(err)
			}
			held = held[1:]
		}
	})
}

func TestV5SubscriptionIdentifiers(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "it merges overlapping subscriptions")
		topic := unique("sid")
		from := b.five(t, unique("from"), nil)
		m := message(topic+"/a", 1, "kept")
		m.Retain = true
		from.pub(m)
		c := b.five(t, unique("five"), nil)
		c.subID(1, paho.SubscribeOptions{Topic: topic + "/a", QoS: 1})
		if p := c.want(topic+"/a", 1, "kept"); sid(p) != 1 {
			t.Errorf("retained message with identifier %d, want 1", sid(p))
		}
		c.subID(268435455, paho.SubscribeOptions{Topic: topic + "/+", QoS: 1, RetainHandling: 2})
		c.sub(paho.SubscribeOptions{Topic: topic + "/#", QoS: 1, RetainHandling: 2})
		from.pub(message(topic+"/a", 1, "live"))
		var got []int
		for range 3 {
			got = append(got, sid(c.want(topic+"/a", 1, "live")))
		}
		slices.Sort(got)
		if !slices.Equal(got, []int{0, 1, 268435455}) {
			t.Errorf("identifiers %v", got)
		}
		// Subscribing again replaces the identifier.
		c.subID(7, paho.SubscribeOptions{Topic: topic + "/b", QoS: 1})
		c.subID(8, paho.SubscribeOptions{Topic: topic + "/b", QoS: 1})
		from.pub(message(topic+"/b", 1, "live"))
		got = got[:0]
		for range 3 {
			got = append(got, sid(c.next()))
		}
		slices.Sort(got)
		if !slices.Equal(got, []int{0, 8, 268435455}) {
			t.Errorf("identifiers %v after subscribing again", got)
		}
		m.Payload = nil
		from.pub(m)
	})
}

func sid(p *paho.Publish) int {
	if p.Properties == nil || p.Properties.SubscriptionIdentifier == nil {
		return 0
	}
	return *p.Properties.SubscriptionIdentifier
}

func TestV5NoLocal(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic := unique("nl")
		c := b.five(t, unique("five"), nil)
		c.sub(paho.SubscribeOptions{Topic: topic, QoS: 1, NoLocal: true})
		c.pub(message(topic, 1, "own"))
		b.five(t, unique("from"), nil).pub(message(topic, 1, "foreign"))
		c.want(topic, 1, "foreign")
		c.nothing()
	})
}

func TestV5RetainAsPublished(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic := unique("rap")
		from := b.five(t, unique("from"), nil)
		for _, rap := range []bool{false, true} {
			c := b.five(t, unique("five"), nil)
			c.sub(paho.SubscribeOptions{Topic: topic, QoS: 1, RetainAsPublished: rap})
			for _, retain := range []bool{false, true} {
				m := message(topic, 1, "m")
				m.Retain = retain
				from.pub(m)
				if p := c.want(topic, 1, "m"); p.Retain != (rap && retain) {
					t.Errorf("as published %v, published %v: got retain %v", rap, retain, p.Retain)
				}
			}
			m := message(topic, 1, "")
			m.Retain = true
			from.pub(m)
			c.leave()
		}
	})
}

func TestV5RetainHandling(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic := unique("rh")
		from := b.five(t, unique("from"), nil)
		m := message(topic, 1, "kept")
		m.Retain = true
		from.pub(m)
		for handling := byte(0); handling <= 2; handling++ {
			c := b.five(t, unique("five"), nil)
			for again := range 2 {
				c.sub(paho.SubscribeOptions{Topic: topic, QoS: 1, RetainHandling: handling})
				if handling == 0 || handling == 1 && again == 0 {
					if p := c.want(topic, 1, "kept"); !p.Retain {
						t.Error("retained message without RETAIN")
					}
				}
				c.nothing()
			}
			c.leave()
		}
		m.Payload = nil
		from.pub(m)
	})
}
