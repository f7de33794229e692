package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// works fails unless new clients can connect and exchange a message.
func (b *broker) works(t *testing.T) {
	t.Helper()
	topic := unique("works")
	to := b.connect(t, connect{v: 5, id: unique("to")})
	to.subscribe(2, topic)
	from := b.connect(t, connect{v: 4, id: unique("from")})
	from.pub(publish{topic: topic, payload: "m", qos: 2})
	to.take(to.wantPub(publish{topic: topic, payload: "m", qos: 2}))
	to.leave()
	from.leave()
}

// packetsOf are valid packets to be damaged.
func packetsOf(v int) [][]byte {
	r := &raw{v: v}
	return [][]byte{
		publish{topic: "a/b", payload: "hello", qos: 1, id: 1}.bytes(v),
		publish{topic: "a/b", payload: "hello", qos: 2, id: 2}.bytes(v),
		pkt(0x62, id(2)),
		r.subscribePacket(3, nil, 1, "a/b", "c/#"),
		pkt(0xA2, id(4), v5(v, 0), "a/b"),
		pingreq,
		disconnect,
	}
}

func TestGarbage(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		rnd := rand.New(rand.NewPCG(1, uint64(b.loops)))
		for i := range 300 {
			v := []int{3, 4, 5}[i%3]
			c, err := net.Dial("tcp", b.addr())
			if err != nil {
				t.Fatal(err)
			}
			var out []byte
			if i%4 > 0 { // garbage after a good start
				out = connect{v: v, id: fmt.Sprint("garbage", i)}.bytes()
			}
			if i%2 == 0 {
				noise := make([]byte, rnd.IntN(2000))
				for j := range noise {
					noise[j] = byte(rnd.Uint32())
				}
				out = append(out, noise...)
			} else { // good packets with a few bytes changed
				all := bytes.Join(packetsOf(v), nil)
				for range 1 + rnd.IntN(4) {
					all[rnd.IntN(len(all))] = byte(rnd.Uint32())
				}
				out = append(out, all...)
			}
			_, _ = c.Write(out)
			if i%3 == 0 { // with the answers read, and without
				_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
				_, _ = c.Read(make([]byte, 4096))
			}
			c.Close()
		}
		b.works(t)
	}, "max_inflight_messages=20") // own broker: garbage may subscribe to anything
}

// Every packet, cut at every byte, and the connection closed there.
func TestHalfPackets(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		for _, v := range []int{4, 5} {
			start := connect{v: v, id: unique("half"), will: connWill("half/will")}.bytes()
			for i := 1; i < len(start); i++ {
				cutAfter(t, b, start[:i])
			}
			for _, p := range packetsOf(v) {
				for i := 1; i < len(p); i++ {
					cutAfter(t, b, append(bytes.Clone(start), p[:i]...))
				}
			}
		}
		b.works(t)
	})
}

func cutAfter(t *testing.T, b *broker, out []byte) {
	t.Helper()
	c, err := net.Dial("tcp", b.addr())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(out)
	if len(out)%2 == 0 { // a reset instead of an orderly end
		_ = c.(*net.TCPConn).SetLinger(0)
	}
	c.Close()
}

// Clients that die at every step of QoS 2 finish later, and nothing is lost or
// doubled.
func TestDyingInQoS2(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		versions(t, func(t *testing.T, v int) {
			topic := unique("die")
			cto, cfrom := persistent(v, unique("to")), persistent(v, unique("from"))
			to := b.connect(t, cto)
			to.subscribe(2, topic)
			for step := range 4 { // the publisher's: dies after sending nothing, PUBLISH, PUBREL, having PUBREC
				p := publish{topic: topic, payload: fmt.Sprint("p", step), qos: 2, id: uint16(step + 1)}
				from := b.connect(t, cfrom)
				if step > 0 {
					from.send(p.bytes(v))
					if step > 1 {
						from.wantAck(0x50, p.id, 0)
					}
					if step > 2 {
						from.send(pkt(0x62, id(p.id)))
					}
				}
				from.drop()
				from = b.connect(t, cfrom)
				if step < 3 {
					p.dup = step > 0
					from.send(p.bytes(v))
					from.wantAck(0x50, p.id, 0)
				}
				from.send(pkt(0x62, id(p.id)))
				k, i, c := from.next().ack()
				if k != 0x70 || i != p.id || c != 0 && !(step == 3 && c == 0x92) {
					t.Fatalf("answer to PUBREL: kind %02x id %d code %02x", k, i, c)
				}
				from.leave()
			}
			for step := range 4 {
				to.take(to.wantPub(publish{topic: topic, payload: fmt.Sprint("p", step), qos: 2}))
			}
			from := b.connect(t, cfrom)
			for step := range 3 { // the subscriber's: dies having PUBLISH, after PUBREC, having PUBREL
				from.lastID = 100
				from.pub(publish{topic: topic, payload: fmt.Sprint("s", step), qos: 2})
				p := to.wantPub(publish{topic: topic, payload: fmt.Sprint("s", step), qos: 2})
				if step > 0 {
					to.send(pkt(0x50, id(p.id)))
				}
				if step > 1 {
					to.wantAck(0x62, p.id, 0)
				} else if step == 1 {
					to.quietExcept(0x62)
				}
				to.drop()
				to = b.connect(t, cto)
				if step == 0 {
					p.dup = true
					to.wantPub(p)
					to.take(p)
				} else {
					to.wantAck(0x62, p.id, 0)
					to.send(pkt(0x70, id(p.id)))
				}
				to.quiet()
			}
		}, levels45...)
	})
}

// quietExcept is quiet that tolerates one kind of packet.
func (r *raw) quietExcept(head byte) {
	r.t.Helper()
	r.send(pingreq)
	p := r.next()
	for p.head == head {
		p = r.next()
	}
	if p.head != pingresp[0] {
		r.t.Fatalf("got %v, want PINGRESP", p)
	}
}

// Connections that never say who they are do not keep others out.
func TestSlowLoris(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		const n = 150 // thrice the lobby
		good := b.connect(t, connect{v: 4, id: "good"})
		start := time.Now()
		idle := make([]*raw, n)
		for i := range idle {
			idle[i] = b.dial(t)
			switch i % 3 {
			case 1: // half a CONNECT
				idle[i].send(connect{v: 4, id: "never"}.bytes()[:9])
			case 2: // one byte after the other
				go func(c net.Conn) {
					for _, x := range (connect{v: 4, id: "a client that takes its time"}).bytes() {
						time.Sleep(300 * time.Millisecond)
						if _, err := c.Write([]byte{x}); err != nil {
							return
						}
					}
				}(idle[i].c)
			}
			if i%10 == 0 {
				sent := time.Now()
				good.quiet()
				if took := time.Since(sent); took > 2*time.Second {
					t.Errorf("a PINGREQ took %v meanwhile", took)
				}
			}
		}
		b.works(t)
		for _, r := range idle {
			r.closed()
		}
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("all closed after %v, want little over 1 s", took)
		}
		good.quiet()
		b.works(t)
	}, "mqtt_connect_timeout=1000", "reactor.lobby_size=50")
}

// One idle connection is closed by the time-out, not before.
func TestConnectTimeout(t *testing.T) {
	forLoops(t, func(t *testing.T, b *broker) {
		start := time.Now()
		r := b.dial(t)
		r.closed()
		if took := time.Since(start); took < 900*time.Millisecond || took > 4*time.Second {
			t.Errorf("closed after %v, want 1 s", took)
		}
	}, "mqtt_connect_timeout=1000")
}

// More connections than the broker has files for: those it has go on, and
// when they are gone new ones are served again.
func TestFileLimitFlood(t *testing.T) {
	for _, loops := range []int{1, 4} {
		t.Run(fmt.Sprintf("loops=%d", loops), func(t *testing.T) {
			b := launch(t, &broker{loops: loops, wrap: []string{"prlimit", "--nofile=256:256"}})
			to := b.connect(t, connect{v: 4, id: "to"})
			to.subscribe(1, "t")
			from := b.connect(t, connect{v: 5, id: "from"})
			exchange := func(what string) {
				t.Helper()
				for range 20 {
					from.pub(publish{topic: "t", payload: what, qos: 1})
					to.take(to.wantPub(publish{topic: "t", payload: what, qos: 1}))
				}
			}
			exchange("before")
			var flood []net.Conn
			var mu sync.Mutex
			var wg sync.WaitGroup
			for i := range 600 {
				wg.Go(func() {
					c, err := net.DialTimeout("tcp", b.addr(), 2*time.Second)
					if err != nil {
						return // the backlog is full
					}
					_, _ = c.Write(connect{v: 4, id: fmt.Sprint("flood", i)}.bytes())
					mu.Lock()
					flood = append(flood, c)
					mu.Unlock()
				})
				if i%50 == 0 {
					exchange("during")
				}
			}
			wg.Wait()
			exchange("full")
			used := b.cpu(t)
			time.Sleep(500 * time.Millisecond)
			if spent := b.cpu(t) - used; spent > 300*time.Millisecond && !mosquitto() {
				t.Errorf("%v of CPU in 0.5 s while connections wait", spent)
			}
			for _, c := range flood {
				c.Close()
			}
			eventually(t, "a new client connects", func() bool { return b.answers() })
			exchange("after")
			b.works(t)
		})
	}
}

// answers says whether a new client gets a CONNACK within a second.
func (b *broker) answers() bool {
	c, err := net.DialTimeout("tcp", b.addr(), time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_, _ = c.Write(connect{v: 4, id: "probe"}.bytes())
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	n, err := c.Read(make([]byte, 4))
	return err == nil && n == 4
}
