package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vernemq/codec"
)

// FuzzConnection lets strangers send anything to a whole broker: through the
// kernel, the lobby, the loops and the sessions, in pieces of any size, on two
// connections at once. Nothing panics, another client is served, every answer
// is a whole packet, and the broker stops in order.
func FuzzConnection(f *testing.F) {
	dir := f.TempDir()
	connect := func(c codec.Connect) []byte { return codec.AppendConnect(nil, &c) }
	publish := codec.AppendPublishHead(nil, codec.V5, 0x33, []byte("a"), 1, nil, 0)
	sub := codec.AppendSubscribe(nil, codec.V5, 1, 5, []codec.Filter{{Filter: []byte("#"), QoS: 2}, {Filter: []byte("$share/g/+"), QoS: 1}})
	v5 := connect(codec.Connect{Version: codec.V5, ClientID: []byte("s"), SessionExpiry: 9, ReceiveMax: 2, TopicAliasMax: 2})
	v4 := connect(codec.Connect{Version: codec.V311, CleanStart: true, ClientID: []byte("s"), HasWill: true, Will: codec.Will{Topic: []byte("w")}})
	f.Add(append(append(v5, sub...), publish...), v4, uint8(3))
	f.Add(append(v4, 0xc0, 0, 0xe0, 0), append(v5, 0xf0, 0), uint8(255))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte{0x10, 0xff, 0xff, 0xff, 0x7f}, uint8(0))
	f.Fuzz(func(t *testing.T, first, second []byte, piece uint8) {
		cfg := testConfig(2)
		cfg.MaxOnlineMessages, cfg.MaxOfflineMessages, cfg.MaxInflightMessages = 10, 10, 5
		cfg.ReceiveMaxBroker, cfg.TopicAliasMaxClient, cfg.TopicAliasMaxBroker = 5, 5, 5
		// TCP would run out of ports.
		cfg.Listeners[0].Network, cfg.Listeners[0].Address = "unix", filepath.Join(dir, "socket")
		cfg.AllowMultipleSessions = piece%2 == 1
		b, err := New(cfg, newStore(t), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Listen(); err != nil {
			t.Fatal(err)
		}
		other := connectOther(t, b)
		done := make(chan error, 2)
		for _, bytes := range [][]byte{first, second} {
			go func() { done <- talk(b, bytes, int(piece)+1) }()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		other.publish("other", "served", 1, 9)
		for other.next().Type() != codec.PUBACK {
		}
		other.conn.Close() // the broker would wait a moment for that
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
		if n := b.reactor.Stats().Panics; n > 0 {
			t.Errorf("%d panics", n)
		}
	})
}

func connectOther(t *testing.T, b *Broker) *peer {
	p := connect(t, b, "other")
	p.subscribe("a", 0)
	return p
}

// talk sends bytes in pieces, ends its direction and takes what comes until the
// broker ends the other.
func talk(b *Broker, bytes []byte, piece int) error {
	conn, err := dial(b)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	for len(bytes) > 0 {
		n := min(piece, len(bytes))
		if _, err := conn.Write(bytes[:n]); err != nil {
			break // the broker has had enough
		}
		bytes = bytes[n:]
	}
	conn.(*net.UnixConn).CloseWrite()
	all, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	for len(all) > 0 {
		_, n, _, err := codec.Cut(all, 0)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil // the last packet was cut when the connection ended
		}
		all = all[n:]
	}
	return nil
}
