package server

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"vernemq/codec"
)

// TestChurn lets clients of four loops come, take each other over, subscribe,
// join and leave groups, publish and vanish, all at once. Nothing may crash,
// and nothing may be left of them.
func TestChurn(t *testing.T) {
	b := startBroker(t, testConfig(4))
	end := time.Now().Add(2 * time.Second)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for time.Now().Before(end) {
				churn(t, b, r)
			}
		})
	}
	wg.Wait()
	if n := b.reactor.Stats().Panics; n != 0 {
		t.Errorf("%d panics", n)
	}
	// Client names are few, so some sessions are taken over; all are clean.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		filters, clients, timers := b.index.Len(), 0, 0
		for _, l := range b.loops {
			c, t := l.tables()
			clients, timers = clients+c, timers+t
		}
		if filters+clients+timers == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d filters, %d clients and %d timers are left", filters, clients, timers)
		}
	}
}

// churn is the short life of one connection.
func churn(t *testing.T, b *Broker, r *rand.Rand) {
	conn, err := net.Dial("tcp", b.Listeners()[0].Addr().String())
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	out := codec.AppendConnect(nil, &codec.Connect{Version: codec.V5, CleanStart: true, RequestProblemInfo: true,
		ClientID: fmt.Appendf(nil, "churn-%d", r.IntN(40)), HasWill: r.IntN(2) == 0,
		Will: codec.Will{Topic: []byte("churn/will"), Payload: []byte("gone"), QoS: byte(r.IntN(3))}})
	for id := range uint16(r.IntN(30)) {
		topic := fmt.Appendf(nil, "churn/%d", r.IntN(4))
		filter := topic
		switch r.IntN(3) {
		case 0:
			filter = []byte("churn/+")
		case 1:
			filter = fmt.Appendf(nil, "$share/g%d/churn/#", r.IntN(2))
		}
		switch r.IntN(3) {
		case 0:
			out = codec.AppendSubscribe(out, codec.V5, id+1, 0, []codec.Filter{{Filter: filter, QoS: byte(r.IntN(3))}})
		case 1:
			out = codec.AppendUnsubscribe(out, codec.V5, id+1, [][]byte{filter})
		default:
			first := codec.PublishFirst(byte(r.IntN(3)), false, r.IntN(5) == 0)
			out = append(codec.AppendPublishHead(out, codec.V5, first, topic, id+1, nil, 5), "hello"...)
		}
	}
	if r.IntN(2) == 0 {
		out = codec.AppendDisconnect(out, codec.V5, codec.Success, "", "")
	}
	// Cut anywhere: the broker sees whole streams and torn ones.
	_, _ = conn.Write(out[:len(out)-r.IntN(len(out)/2)])
	conn.SetReadDeadline(time.Now().Add(time.Duration(r.IntN(5)) * time.Millisecond))
	var buf [4096]byte
	_, _ = conn.Read(buf[:]) // what comes does not matter; a taken-over client may read nothing
}
