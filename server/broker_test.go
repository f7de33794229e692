package server

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vernemq/codec"
	"vernemq/server/config"
)

func testConfig(loops int) *config.Config {
	return &config.Config{
		MaxClientIDSize: 100, RetryInterval: 20 * time.Second, MaxLastWillDelay: 1<<32 - 1,
		MaxInflightMessages: 20, MaxOnlineMessages: 1000, MaxOfflineMessages: 1000, TopicMaxDepth: 10,
		ReceiveMaxClient: 65535, ReceiveMaxBroker: 65535, ConnectTimeout: 5 * time.Second,
		Loops: loops, LobbySize: 4096, SendTimeout: 30 * time.Second,
		Listeners: []config.Listener{{Transport: "tcp", Name: "test", Network: "tcp4", Address: "127.0.0.1:0",
			AllowedVersions: []byte{3, 4, 5}, AllowAnonymous: true, NoDelay: true}},
	}
}

// startBroker runs a broker for a test.
func startBroker(t testing.TB, cfg *config.Config) *Broker {
	t.Helper()
	b, err := New(cfg, newStore(t), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// peer is a client that sends and reads packets of MQTT 5.
type peer struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func connect(t testing.TB, b *Broker, id string) *peer {
	t.Helper()
	p := &peer{t: t}
	p.dial(b, &codec.Connect{Version: codec.V5, CleanStart: true, ClientID: []byte(id), RequestProblemInfo: true})
	return p
}

// open connects the socket.
func (p *peer) open(b *Broker) {
	p.t.Helper()
	p.dialAddress(b.Listeners()[0].Addr())
}

func (p *peer) dialAddress(a net.Addr) {
	p.t.Helper()
	conn, err := net.Dial(a.Network(), a.String())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	p.conn, p.r = conn, bufio.NewReader(conn)
}

func dial(b *Broker) (net.Conn, error) {
	a := b.Listeners()[0].Addr()
	return net.Dial(a.Network(), a.String())
}

func (p *peer) dial(b *Broker, c *codec.Connect) {
	p.t.Helper()
	p.open(b)
	p.send(codec.AppendConnect(nil, c))
	if f := p.next(); f.Type() != codec.CONNACK || f.Body[1] != 0 {
		p.t.Fatalf("%s: %v % x", c.ClientID, f.Type(), f.Body)
	}
}

func (p *peer) send(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) next() codec.Frame {
	p.t.Helper()
	f, err := p.read()
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

func (p *peer) read() (codec.Frame, error) {
	p.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	first, err := p.r.ReadByte()
	if err != nil {
		return codec.Frame{}, err
	}
	n, err := binary.ReadUvarint(p.r)
	if err != nil {
		return codec.Frame{}, err
	}
	body := make([]byte, n)
	_, err = io.ReadFull(p.r, body)
	return codec.Frame{First: first, Body: body}, err
}

func (p *peer) subscribe(filter string, qos byte) {
	p.t.Helper()
	p.send(codec.AppendSubscribe(nil, codec.V5, 1, 0, []codec.Filter{{Filter: []byte(filter), QoS: qos}}))
	if f := p.next(); f.Type() != codec.SUBACK || f.Body[len(f.Body)-1] != qos {
		p.t.Fatalf("subscribe %s: %v % x", filter, f.Type(), f.Body)
	}
}

func (p *peer) publish(topic, payload string, qos byte, id uint16) {
	p.t.Helper()
	b := codec.AppendPublishHead(nil, codec.V5, codec.PublishFirst(qos, false, false), []byte(topic), id, nil, len(payload))
	p.send(append(b, payload...))
}

// payloads reads n messages, acknowledges those of QoS 1 and gives their
// payloads.
func (p *peer) payloads(n int) (out []string) {
	p.t.Helper()
	for len(out) < n {
		f := p.next()
		if f.Type() != codec.PUBLISH {
			continue
		}
		var m codec.Publish
		if err := codec.DecodePublish(codec.V5, f, &m); err != nil {
			p.t.Fatal(err)
		}
		if m.QoS == 1 {
			p.send(codec.AppendAck(nil, codec.V5, codec.PUBACK, m.PacketID, codec.Success, ""))
		}
		out = append(out, string(m.Payload))
	}
	return out
}

// TestLoops sends between clients of all loops: everybody gets every message,
// each publisher's in order.
func TestLoops(t *testing.T) {
	for _, loops := range []int{1, 4} {
		t.Run(fmt.Sprint(loops), func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			t.Run("run", func(t *testing.T) { testLoops(t, startBroker(t, testConfig(loops))) })
		})
	}
}

func testLoops(t *testing.T, b *Broker) {
	const clients, messages = 12, 300
	var all []*peer
	for i := range clients {
		p := connect(t, b, fmt.Sprintf("client-%d", i))
		p.subscribe("all/#", byte(i%2))
		p.subscribe(fmt.Sprintf("own/%d", i), 0)
		all = append(all, p)
	}
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := range messages {
				p.publish(fmt.Sprintf("all/%d", i), fmt.Sprintf("%d %d", i, k), 0, 0)
			}
		}()
	}
	for i, p := range all {
		wg.Add(1)
		go func() {
			defer wg.Done()
			last := map[int]int{}
			for _, s := range p.payloads(clients * messages) {
				var from, k int
				fmt.Sscan(s, &from, &k)
				if k != last[from] {
					t.Errorf("client %d: message %d of client %d, want %d", i, k, from, last[from])
					return
				}
				last[from]++
			}
		}()
	}
	wg.Wait()
}

// TestSharedGroup spreads a group over loops while members come and go: no
// message of QoS 1 is lost or given to two.
func TestSharedGroup(t *testing.T) {
	for _, loops := range []int{1, 4} {
		t.Run(fmt.Sprint(loops), func(t *testing.T) {
			b := startBroker(t, testConfig(loops))
			const members, messages = 6, 1200
			got := make(chan string, messages)
			for i := range members {
				m := connect(t, b, fmt.Sprintf("member-%d", i))
				m.subscribe("$share/g/jobs/+", 1)
				go func() {
					for {
						f, err := m.read()
						if err != nil {
							return
						}
						var p codec.Publish
						if f.Type() == codec.PUBLISH && codec.DecodePublish(codec.V5, f, &p) == nil {
							m.conn.Write(codec.AppendAck(nil, codec.V5, codec.PUBACK, p.PacketID, codec.Success, ""))
							got <- string(p.Payload)
						}
					}
				}()
			}
			pub := connect(t, b, "publisher")
			go func() {
				for k := range messages {
					pub.publish(fmt.Sprintf("jobs/%d", k%7), fmt.Sprint(k), 1, uint16(k+1))
				}
			}()
			seen := map[string]bool{}
			for range messages {
				select {
				case s := <-got:
					if seen[s] {
						t.Fatalf("message %s came twice", s)
					}
					seen[s] = true
				case <-time.After(10 * time.Second):
					t.Fatalf("%d of %d messages came", len(seen), messages)
				}
			}
		})
	}
}

// TestNothingIsLeft ends all clients and looks whether anything of them stays
// in the index.
func TestNothingIsLeft(t *testing.T) {
	b := startBroker(t, testConfig(4))
	for i := range 40 {
		p := connect(t, b, fmt.Sprintf("c%d", i))
		p.subscribe(fmt.Sprintf("a/%d/+", i%10), 1)
		p.subscribe(fmt.Sprintf("$share/g%d/b/#", i%3), 0)
		p.conn.Close()
	}
	for end := time.Now().Add(10 * time.Second); b.index.Len() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d filters are left", b.index.Len())
		}
	}
}

// TestCongestion floods one loop from the others: publishers are held, nothing
// is lost.
func TestCongestion(t *testing.T) {
	cfg := testConfig(4)
	cfg.MaxOnlineMessages = -1
	b := startBroker(t, cfg)
	sub := connect(t, b, "subscriber")
	sub.subscribe("flood/#", 0)
	const publishers, messages = 8, 30000
	for i := range publishers {
		p := connect(t, b, fmt.Sprintf("flood-%d", i))
		go func() {
			var batch []byte
			for k := range messages {
				batch = codec.AppendPublishHead(batch, codec.V5, 0x30, fmt.Appendf(nil, "flood/%d", i), 0, nil, 4)
				batch = binary.BigEndian.AppendUint32(batch, uint32(k))
				if len(batch) > 60000 || k == messages-1 {
					p.conn.Write(batch)
					batch = batch[:0]
				}
			}
		}()
	}
	if n := len(sub.payloads(publishers * messages)); n != publishers*messages {
		t.Errorf("%d messages", n)
	}
}
