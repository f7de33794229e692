package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/server/config"
)

// bootOn runs a broker on what a file system has; stop ends it.
func bootOn(t *testing.T, fs vfs.FS, cfg *config.Config) (b *Broker, stop func()) {
	t.Helper()
	b, err := New(cfg, openStore(t, fs), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return b, stop
}

// persistent is a client whose session is kept.
func persistent(id string) *codec.Connect {
	return &codec.Connect{Version: codec.V5, ClientID: []byte(id), SessionExpiry: 1000, RequestProblemInfo: true}
}

// TestFewerSubscriptions starts with sessions that have more subscriptions than a
// client may have by now: they stay.
func TestFewerSubscriptions(t *testing.T) {
	fs := vfs.NewMem()
	b, stop := bootOn(t, fs, testConfig(2))
	p := again(t, b, persistent("c"), 0)
	p.subscribe("a", 1)
	p.subscribe("b", 1)
	stop()
	cfg := testConfig(2)
	cfg.MaxSubscriptionsPerClient = 1
	b, _ = bootOn(t, fs, cfg)
	q := again(t, b, persistent("c"), 1)
	q.publish("b", "x", 0, 0)
	if got := q.payloads(1); got[0] != "x" {
		t.Error(got)
	}
}

// TestRestOfEarlier starts with what an earlier session of a name has left to the
// others of its shared subscription: they get it, the client of that name does not.
func TestRestOfEarlier(t *testing.T) {
	const rest, filter = 20000, "$share/g/t"
	fs := vfs.NewMem()
	st := openStore(t, fs)
	name := func(id string) store.Client { return store.Client{Key: queue.KeyOf("", id), ID: id} }
	batch := st.NewBatch()
	p := queue.Publication{Topic: []byte("t"), Payload: []byte("x"), QoS: 1}
	for range rest {
		batch.Enqueue(name("c"), store.Delivery{Msg: p.Message(), QoS: 1, Shared: filter}, false)
	}
	p.Reset()
	session := store.Session{Version: byte(codec.V5), Expiry: 1000, Birth: st.Last(), Absent: time.Now().Unix()}
	batch.PutSession(name("c"), &session)
	batch.PutSession(name("other"), &session)
	batch.PutSubscription(name("other"), &store.Subscription{Filter: filter, QoS: 1})
	done := make(chan error, 1)
	st.Commit(batch, func(err error) { done <- err })
	if err := errors.Join(<-done, st.Close()); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(1)
	cfg.MaxOfflineMessages = -1
	b, _ := bootOn(t, fs, cfg)
	c := again(t, b, persistent("c"), 1)
	queued := func(id string) (n int) {
		onLoop(b, 0, func(l *loop) { n = l.find("", id).session.Queued() })
		return n
	}
	for end := time.Now().Add(10 * time.Second); queued("other") < rest && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if mine, others := queued("c"), queued("other"); mine != 0 || others != rest {
		t.Errorf("%d wait for the client, %d for the other one", mine, others)
	}
	c.send(codec.AppendPingreq(nil))
	if f := c.next(); f.Type() != codec.PINGRESP {
		t.Errorf("%v % x", f.Type(), f.Body)
	}
}

// TestRetainedMemory counts the retained messages that a start finds.
func TestRetainedMemory(t *testing.T) {
	fs := vfs.NewMem()
	b, stop := bootOn(t, fs, testConfig(1))
	p := connect(t, b, "p")
	p.send([]byte{0x33, 9, 0, 3, 'k', '/', '1', 0, 1, 0, 'x'}) // retained, QoS 1
	p.next()
	want := b.retainedBytes.Load()
	stop()
	b, _ = bootOn(t, fs, testConfig(1))
	if got := b.retainedBytes.Load(); got != want || want == 0 {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

// TestLeftTwice ends a session that leaves much to the others of its shared
// subscription, and the next one of that name right away: nothing is lost.
func TestLeftTwice(t *testing.T) {
	const messages = 5000
	cfg := testConfig(1)
	cfg.MaxOfflineMessages = -1
	b := startBroker(t, cfg)
	leaves := func() {
		p := again(t, b, persistent("c"), 0)
		p.subscribe("$share/g/t", 1)
		p.conn.Close()
		b.connections(t, "c", 0)
	}
	leaves()
	pub := connect(t, b, "pub")
	for i := range messages {
		pub.publish("t", "x", 1, uint16(i+1))
		pub.next()
	}
	other := again(t, b, persistent("other"), 0)
	other.subscribe("$share/g/t", 1)
	other.conn.Close()
	b.connections(t, "other", 0)
	anew := persistent("c")
	anew.CleanStart = true
	again(t, b, anew, 0)
	again(t, b, anew, 0)
	n := 0
	for end := time.Now().Add(5 * time.Second); n < messages && time.Now().Before(end); time.Sleep(time.Millisecond) {
		onLoop(b, 0, func(l *loop) { n = l.find("", "other").session.Queued() })
	}
	if n != messages {
		t.Errorf("%d of %d messages are left", n, messages)
	}
}

// TestWillAfterCrash lets a client be back right after the start: the will that
// it had is published all the same.
func TestWillAfterCrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	b, _ := bootOn(t, fs, testConfig(2))
	watch := again(t, b, persistent("watch"), 0)
	watch.subscribe("w", 1)
	c := persistent("c")
	c.HasWill, c.Will = true, codec.Will{Topic: []byte("w"), Payload: []byte("gone"), QoS: 1}
	again(t, b, c, 0)
	b, _ = bootOn(t, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))}), testConfig(2))
	again(t, b, persistent("c"), 1)
	watch = again(t, b, persistent("watch"), 1)
	if got := watch.payloads(1); got[0] != "gone" {
		t.Errorf("got %q", got)
	}
}

// TestAbsenceIsNoted starts after a crash and stops again before the clients come
// back: the time since the crash is not forgotten.
func TestAbsenceIsNoted(t *testing.T) {
	const clients = 2*noteAtOnce + 10
	fs := vfs.NewMem()
	st := openStore(t, fs)
	batch := st.NewBatch()
	for i := range clients {
		id := fmt.Sprint(i)
		batch.PutSession(store.Client{Key: queue.KeyOf("", id), ID: id}, &store.Session{Version: byte(codec.V5), Expiry: 1000})
	}
	done := make(chan error, 1)
	st.Commit(batch, func(err error) { done <- err })
	if err := errors.Join(<-done, st.Close()); err != nil {
		t.Fatal(err)
	}
	b, stop := bootOn(t, fs, testConfig(1))
	for left := clients; left > 0; time.Sleep(time.Millisecond) {
		onLoop(b, 0, func(l *loop) { left = len(l.cut) })
	}
	stop()
	st = openStore(t, fs)
	defer st.Close()
	noted := 0
	err := st.Sessions(1, func(_ int, _ store.Client, x *store.Session, _ []store.Subscription) error {
		if x.Absent != 0 && x.Ends > x.Absent+900 {
			noted++
		}
		return nil
	})
	if err != nil || noted != clients {
		t.Errorf("%d of %d sessions have the time: %v", noted, clients, err)
	}
}
