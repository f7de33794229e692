package bench

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"vernemq/codec"
)

// fakeBroker is a broker with faults: it knows exact filters, "prefix/#" and
// shared ones, delivers with QoS 0 or 1, and does to each message what fault
// says.
type fakeBroker struct {
	fault   func(b *fakeBroker, n int, to *fakeClient, packet []byte) // of the n-th message; nil: deliver
	connack codec.ReasonCode
	judge   func(*codec.Connect) codec.ReasonCode // nil: connack
	granted byte
	mute    bool        // answers no CONNECT
	tls     *tls.Config // nil: plain TCP
	l       net.Listener

	mu       sync.Mutex
	clients  map[*fakeClient]bool
	messages int
	held     []byte
	cleared  int // empty messages
	all      sync.WaitGroup
}

type fakeClient struct {
	conn   net.Conn
	filter string
	id     string
}

func startFake(t *testing.T, b *fakeBroker) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if b.tls != nil {
		l = tls.NewListener(l, b.tls)
	}
	b.l, b.clients = l, map[*fakeClient]bool{}
	b.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.all.Go(func() { b.serve(&fakeClient{conn: conn}) })
		}
	})
	t.Cleanup(func() {
		b.die()
		b.all.Wait()
	})
	return l.Addr().String()
}

// die ends the broker as a crash would.
func (b *fakeBroker) die() {
	b.l.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.clients {
		c.conn.Close()
	}
}

func (b *fakeBroker) serve(c *fakeClient) {
	defer c.conn.Close()
	b.mu.Lock()
	b.clients[c] = true
	b.mu.Unlock()
	r := bufio.NewReader(c.conn)
	for {
		first, err := r.ReadByte()
		if err != nil {
			return
		}
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		b.mu.Lock()
		b.packet(c, codec.Frame{First: first, Body: body})
		b.mu.Unlock()
	}
}

func (b *fakeBroker) packet(c *fakeClient, f codec.Frame) {
	switch f.Type() {
	case codec.CONNECT:
		if b.mute {
			return
		}
		var p codec.Connect
		if codec.DecodeConnect(f, &p) != nil {
			return
		}
		for other := range b.clients {
			if other != c && other.id == string(p.ClientID) {
				other.conn.Close()
			}
		}
		c.id = string(p.ClientID)
		code := b.connack
		if b.judge != nil {
			code = b.judge(&p)
		}
		c.conn.Write(codec.AppendConnack(nil, codec.V311, false, code, nil))
	case codec.SUBSCRIBE:
		var s codec.Subscribe
		if codec.DecodeSubscribe(codec.V311, f, &s) != nil {
			return
		}
		filter, _ := s.Filters.Next()
		c.filter = string(filter.Filter)
		c.conn.Write(codec.AppendSuback(nil, codec.V311, s.PacketID, []byte{filter.QoS + b.granted}, ""))
	case codec.PUBLISH:
		b.publish(c, f)
	}
}

func (b *fakeBroker) publish(c *fakeClient, f codec.Frame) {
	var p codec.Publish
	if codec.DecodePublish(codec.V311, f, &p) != nil {
		return
	}
	if p.QoS > 0 {
		c.conn.Write(codec.AppendAck(nil, codec.V311, codec.PUBACK, p.PacketID, codec.Success, ""))
	}
	if len(p.Payload) == 0 {
		b.cleared++
		time.Sleep(10 * time.Microsecond) // slower than they come
	}
	packet := codec.AppendPublish(nil, codec.V311, &p)
	for to := range b.clients {
		if to.takes(string(p.Topic)) {
			b.messages++
			if b.fault != nil {
				b.fault(b, b.messages, to, packet)
			} else {
				to.conn.Write(packet)
			}
			if to.shared() {
				break
			}
		}
	}
}

func (c *fakeClient) shared() bool { return strings.HasPrefix(c.filter, "$share/") }

func (c *fakeClient) takes(topic string) bool {
	filter := c.filter
	if c.shared() {
		filter = strings.SplitN(filter, "/", 3)[2]
	}
	if prefix, ok := strings.CutSuffix(filter, "#"); ok {
		return strings.HasPrefix(topic, prefix)
	}
	return filter == topic
}

// stalls is how long tests wait for what never comes.
const stalls = 2 * time.Second

// testLoad is a load of some moments.
func testLoad(t *testing.T, name, addr string, change func(*Load)) Load {
	t.Helper()
	s, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	l := s.Load
	l.Addr, l.Publishers, l.Subscribers = addr, 4, 4
	// A busy machine may hold a test up for seconds: nothing is unsent or
	// stalled for that.
	l.Warm, l.Duration, l.Timeout, l.Inflight = 20*time.Millisecond, 200*time.Millisecond, 20*time.Second, maxInflight
	l.ConnectRate, l.Rate, l.Workers = 0, 2000, 2
	if change != nil {
		change(&l)
	}
	return l
}
