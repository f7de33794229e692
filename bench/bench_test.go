package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vernemq/codec"
)

// echoBroker answers as a broker with one subscriber per connection would: it
// acknowledges, and sends every message back to whoever subscribed first.
func echoBroker(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	to := make(chan net.Conn, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go echo(c, to)
		}
	}()
	return l.Addr().String()
}

func echo(c net.Conn, to chan net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
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
		switch codec.Type(first >> 4) {
		case codec.CONNECT:
			c.Write(codec.AppendConnack(nil, codec.V311, false, codec.Success, nil))
		case codec.SUBSCRIBE:
			c.Write(codec.AppendSuback(nil, codec.V311, 1, []byte{0}, ""))
			to <- c
		case codec.PUBLISH:
			sub := <-to
			sub.Write(append([]byte{first, byte(n)}, body...))
			to <- sub
			if first&6 != 0 {
				id := binary.BigEndian.Uint16(body[2+int(body[0])<<8+int(body[1]):])
				c.Write(codec.AppendAck(nil, codec.V311, codec.PUBACK, id, codec.Success, ""))
			}
		}
	}
}

func TestFlow(t *testing.T) {
	addr := echoBroker(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	o := FlowOptions{Addr: addr, PID: os.Getpid(), Shape: "fanin", Publishers: 2, Subscribers: 1, QoS: 1, Level: 4,
		Size: 10, Window: 100, Batch: 4, Warm: 50 * time.Millisecond, Duration: 200 * time.Millisecond}
	r, err := Flow(t.Context(), o)
	if err != nil || r.Delivered == 0 || r.PerSecond <= 0 || r.Memory <= 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestHold(t *testing.T) {
	r, err := Hold(t.Context(), HoldOptions{Addr: echoBroker(t), PID: os.Getpid(), Connections: 50, Parallel: 8, Level: 4})
	if err != nil || r.Connections != 50 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestBadOptions(t *testing.T) {
	good := FlowOptions{Addr: "127.0.0.1:1", PID: os.Getpid(), Shape: "fanin", Publishers: 1, Subscribers: 1, Level: 4, Window: 1, Batch: 1}
	for want, change := range map[string]func(*FlowOptions){
		"cannot connect":    func(*FlowOptions) {},
		"protocol level 3":  func(o *FlowOptions) { o.Level = 3 },
		"QoS 3":             func(o *FlowOptions) { o.QoS = 3 },
		"at least 1":        func(o *FlowOptions) { o.Batch = 0 },
		"pairs need":        func(o *FlowOptions) { o.Shape, o.Publishers = "pairs", 2 },
		"unknown shape \"x": func(o *FlowOptions) { o.Shape, o.Addr = "x", echoBroker(t) },
	} {
		o := good
		change(&o)
		if _, err := Flow(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := Hold(t.Context(), HoldOptions{Addr: "127.0.0.1:1", PID: 1 << 30, Level: 4}); err == nil || !strings.Contains(err.Error(), "cannot read the broker's memory") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := good
	o.Addr, o.Warm = echoBroker(t), time.Minute
	if _, err := Flow(ctx, o); err == nil {
		t.Error("a cancelled run gives no error")
	}
}
