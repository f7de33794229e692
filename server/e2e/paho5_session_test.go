package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
)

func TestV5SessionExpiry(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		name, topic := unique("five"), unique("p")
		from := b.five(t, unique("from"), nil)
		c := b.five(t, name, kept(60))
		if receive(t, "CONNACK", c.ups).SessionPresent {
			t.Error("session present at the first connect")
		}
		c.sub(paho.SubscribeOptions{Topic: topic, QoS: 1})
		c.leave()
		from.pub(message(topic, 1, "within"))
		c = b.five(t, name, kept(1))
		if !receive(t, "CONNACK", c.ups).SessionPresent {
			t.Error("no session present within the expiry")
		}
		c.want(topic, 1, "within")
		c.leave()
		from.pub(message(topic, 1, "too late"))
		time.Sleep(3 * time.Second) // the session of 1 s ends
		c = b.five(t, name, kept(60))
		if receive(t, "CONNACK", c.ups).SessionPresent {
			t.Error("session present after the expiry")
		}
		c.sub(paho.SubscribeOptions{Topic: topic, QoS: 1})
		c.nothing()
	})
}

// DISCONNECT may end a session at once.
func TestV5SessionExpiryByDisconnect(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		c := persistent(5, unique("five"))
		r := b.connect(t, c)
		r.subscribe(1, unique("p"))
		r.send(pkt(0xE0, 0, props(sessionExpiry(0))))
		r.closed()
		if b.connect(t, c).present {
			t.Error("session present although DISCONNECT set its expiry to 0")
		}
	})
}

func withWill(topic, payload string, delay uint32) func(*autopaho.ClientConfig) {
	return func(c *autopaho.ClientConfig) {
		kept(60)(c)
		c.WillMessage = &paho.WillMessage{Topic: topic, Payload: []byte(payload), QoS: 1}
		c.WillProperties = &paho.WillProperties{WillDelayInterval: &delay,
			User: paho.UserProperties{{Key: "k", Value: "v"}}}
	}
}

func TestV5WillDelay(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic := unique("will")
		watch := b.five(t, unique("watch"), nil)
		watch.sub(paho.SubscribeOptions{Topic: topic, QoS: 1})
		c := b.five(t, unique("dies"), func(cfg *autopaho.ClientConfig) {
			withWill(topic, "late", 1)(cfg)
			once(cfg)
		})
		start := time.Now()
		c.TerminateConnectionForTest()
		p := watch.want(topic, 1, "late")
		if took := time.Since(start); took < 900*time.Millisecond {
			t.Errorf("the will came after %v, want 1 s or more", took)
		}
		if u := users(p); len(u) != 1 || u[0] != "k=v" {
			t.Errorf("user properties of the will: %v", u)
		}
	})
}

// A client that is back before the delay has not died.
func TestV5WillDelayReconnect(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic := unique("will")
		watch := b.five(t, unique("watch"), nil)
		watch.sub(paho.SubscribeOptions{Topic: topic, QoS: 1})
		c := b.five(t, unique("back"), withWill(topic, "never", 2))
		receive(t, "CONNACK", c.ups)
		c.TerminateConnectionForTest()
		if !receive(t, "second CONNACK", c.ups).SessionPresent {
			t.Error("no session present")
		}
		time.Sleep(3 * time.Second) // past the delay
		c.leave()                   // with DISCONNECT 0, which drops the second will
		watch.nothing()
	})
}

// The session ends before the delay: so does the waiting.
func TestV5WillAtSessionEnd(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "2.0.11 forgets the will of a session that ends before the delay")
		topic := unique("will")
		watch := b.five(t, unique("watch"), nil)
		watch.sub(paho.SubscribeOptions{Topic: topic, QoS: 1})
		for what, c := range map[string]connect{
			"expiry": {v: 5, id: unique("end"), props: sessionExpiry(1)},
			"clean":  {v: 5, id: unique("end"), props: sessionExpiry(60)},
			"none":   {v: 5, id: unique("end")},
		} {
			c.will = &will{topic: topic, payload: what, qos: 1, props: join(0x18, uint32(60))}
			b.connect(t, c).drop()
			if what == "clean" {
				c.will = nil
				b.connect(t, c).leave() // clean start ends the old session
			}
			watch.want(topic, 1, what)
		}
	})
}

// Reason codes of DISCONNECT decide about the will: only 0 removes it.
func TestV5DisconnectWithWill(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		topic := unique("will")
		watch := b.five(t, unique("watch"), nil)
		watch.sub(paho.SubscribeOptions{Topic: topic, QoS: 1})
		codes := []byte{0x00, 0x04, 0x81}
		if mosquitto() {
			codes = codes[:2]
		}
		for _, code := range codes {
			r := b.connect(t, connect{v: 5, id: unique("d"), will: &will{topic: topic, payload: fmt.Sprint(code), qos: 1}})
			r.send(pkt(0xE0, code))
			r.closed()
			if code != 0 {
				watch.want(topic, 1, fmt.Sprint(code))
			}
		}
		watch.nothing()
	})
}

func TestV5Takeover(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "2.0.11 closes without DISCONNECT")
		name, topic := unique("same"), unique("will")
		watch := b.five(t, unique("watch"), nil)
		watch.sub(paho.SubscribeOptions{Topic: topic, QoS: 1})
		c := b.five(t, name, func(cfg *autopaho.ClientConfig) {
			withWill(topic, "taken", 0)(cfg)
			once(cfg)
		})
		b.connect(t, connect{v: 4, id: name, keep: true}).quiet()
		if code := receive(t, "DISCONNECT", c.gone); code != 0x8E {
			t.Errorf("DISCONNECT %02x, want 8e", code)
		}
		watch.want(topic, 1, "taken")
	})
}

func TestV5ServerShutdown(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		oursOnly(t, "2.0.11 closes without DISCONNECT")
		c := b.five(t, "five", once)
		four := b.connect(t, connect{v: 4, id: "four"})
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		four.closed()
		if code := receive(t, "DISCONNECT", c.gone); code != 0x8B {
			t.Errorf("DISCONNECT %02x, want 8b", code)
		}
	}, "max_inflight_messages=20") // a broker of its own
}
