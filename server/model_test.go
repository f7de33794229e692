package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vernemq/codec"
	"vernemq/server/config"
	"vernemq/server/mqttmodel"
)

// modelTime is how long random clients keep a broker busy.
const modelTime = 1500 * time.Millisecond

// TestModel lets random clients do random things to a broker over TCP and
// holds what they are sent to the model of MQTT.
func TestModel(t *testing.T) {
	for _, loops := range []int{1, 4} {
		t.Run(fmt.Sprint(loops), func(t *testing.T) {
			cfg := testConfig(loops)
			cfg.MaxInflightMessages, cfg.MaxOnlineMessages, cfg.MaxOfflineMessages = 3, -1, -1
			checkModel(t, cfg, mqttmodel.Options{Shared: true})
		})
	}
}

// TestModelLossy does it with queues so short that messages are lost.
func TestModelLossy(t *testing.T) {
	cfg := testConfig(4)
	cfg.MaxInflightMessages, cfg.MaxOnlineMessages, cfg.MaxOfflineMessages = 3, 2, 3
	checkModel(t, cfg, mqttmodel.Options{Shared: true, Lossy: true})
}

func checkModel(t *testing.T, cfg *config.Config, o mqttmodel.Options) {
	o.MaxInflight, o.Steps = cfg.MaxInflightMessages, 40
	cfg.RetryInterval = 0 // time is not part of this: nothing is due before it ends
	end := time.Now().Add(modelTime)
	if testing.Short() {
		end = time.Now().Add(modelTime / 5)
	}
	failed := false // then rapid looks for a shorter way to fail and may take its time
	rapid.Check(t, func(t *rapid.T) {
		if time.Now().After(end) && !failed {
			return
		}
		b := startModel(t, cfg)
		fine := false
		defer func() {
			failed = failed || !fine
			b.stop()
		}()
		mqttmodel.Run(t, b, o)
		fine = true
	})
}

// modelBroker is a broker as the model's driver sees it.
type modelBroker struct {
	t      *rapid.T
	broker *Broker
	links  []*modelLink // the open ones
}

func startModel(t *rapid.T, cfg *config.Config) *modelBroker {
	b, err := New(cfg, newStore(t), slog.New(slog.DiscardHandler))
	if err == nil {
		err = b.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	// Groups choose the same members each time, so that a failure can be repeated.
	b.everywhere(context.Background(), func(l *loop) { l.random = rand.New(rand.NewPCG(1, uint64(l.index))) })
	return &modelBroker{t: t, broker: b}
}

func (b *modelBroker) stop() {
	for _, l := range b.links {
		l.conn.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.broker.Stop(ctx); err != nil {
		b.t.Error(err)
	}
	if n := b.broker.reactor.Stats().Panics; n != 0 {
		b.t.Errorf("%d panics", n)
	}
}

func (b *modelBroker) Connect(_ string, packet []byte) mqttmodel.Link {
	conn, err := net.Dial("tcp", b.broker.Listeners()[0].Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	l := &modelLink{peer: peer{conn: conn, r: bufio.NewReader(conn)}, broker: b}
	b.links = append(b.links, l)
	l.Send(packet)
	l.next() // CONNACK: the client is on its loop
	return l
}

// Settle waits until all that the clients have sent was read, has gone through
// the loops and the store, perhaps several times, and has come back.
func (b *modelBroker) Settle() {
	for _, l := range b.links {
		if l.sent {
			l.ping()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for quiet := 0; quiet < 4 && ctx.Err() == nil; quiet++ {
		var waits atomic.Int64
		b.broker.everywhere(ctx, func(l *loop) { waits.Add(int64(len(l.ledger.after))) })
		if waits.Load() > 0 || b.broker.readers.pending() > 0 {
			quiet = -1 // the store is asked
		}
	}
	for _, l := range b.links {
		l.ping()
	}
}

// modelLink is a connection of which the driver reads what has come.
type modelLink struct {
	peer
	broker *modelBroker
	frames []codec.Frame
	sent   bool // something since the latest ping
	ended  bool
}

func (l *modelLink) Send(packet []byte) {
	l.sent = true
	_, _ = l.conn.Write(packet) // if the broker has closed, reading tells
}

// next reads one packet.
func (l *modelLink) next() bool {
	f, err := l.read()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.broker.t.Fatal("the broker does not answer")
	}
	if l.ended = err != nil; l.ended {
		return false
	}
	l.frames = append(l.frames, f)
	return f.Type() != codec.PINGRESP
}

// ping reads all that the broker sent before it answers.
func (l *modelLink) ping() {
	l.Send(codec.AppendPingreq(nil))
	for l.next() {
	}
	l.sent = false
}

func (l *modelLink) Received() []codec.Frame {
	out := slices.DeleteFunc(l.frames, func(f codec.Frame) bool { return f.Type() == codec.PINGRESP })
	l.frames = nil
	return out
}

// End lets the broker read everything and then the end.
func (l *modelLink) End() {
	_ = l.conn.(*net.TCPConn).CloseWrite()
	for !l.ended {
		l.next()
	}
	l.conn.Close()
	b := l.broker
	b.links = slices.DeleteFunc(b.links, func(o *modelLink) bool { return o == l })
}
