package reactor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func descriptors(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestStopLeavesNothing(t *testing.T) {
	// The first use of the network opens descriptors that stay.
	start(t, 1, hooks{}, nil).stop()
	goroutines, before := goleak.IgnoreCurrent(), descriptors(t)
	for _, loops := range []int{1, 4} {
		w := start(t, loops, hooks{}, nil)
		var cs []*client
		for i := range 50 {
			cs = append(cs, w.connect(i), w.dial())
		}
		var wg sync.WaitGroup
		for _, c := range cs {
			wg.Add(1)
			go func() { defer wg.Done(); c.expectEnd(); c.Close() }()
		}
		w.stop()
		wg.Wait()
		if err := w.reactor.Stop(context.Background()); err != nil {
			t.Errorf("second stop: %v", err)
		}
		w.listener.Close(t.Context())
		if _, err := w.reactor.Listen(w.listener.Options()); err != ErrStopped {
			t.Errorf("listen after the end: %v", err)
		}
		for _, l := range w.reactor.Loops() { // must reach nobody's descriptor
			if !l.ended.Load() {
				t.Error("would still be woken")
			}
			l.Post(func() { t.Error("runs after the end") })
			l.Ring()
		}
	}
	goleak.VerifyNone(t, goroutines)
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
}

func TestStopWithoutStart(t *testing.T) {
	before := descriptors(t)
	r, err := New(Config{Loops: 3, NewHandler: func(*Loop) Handler { return &handler{} }})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no error without loops")
	}
}

func TestStopFlushes(t *testing.T) {
	t.Parallel()
	data := pattern(1 << 20) // the reactor waits two seconds, on a busy machine too
	var p pieces
	w := start(t, 2, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
		c.Output().B = append(c.Output().B, data[:1<<18]...)
		c.AppendShared(data[1<<18:], p.add())
		c.PauseRead()
		return len(in), 0
	}}, small)
	var wg sync.WaitGroup
	for i := range 4 {
		c := w.dial()
		c.send(append(hello(i), "not read"...))
		c.expect(data[:1])
		wg.Add(1)
		go func() {
			defer wg.Done()
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, data[1:]) {
				t.Errorf("received %d bytes: %v", len(got), err)
			}
			c.Close()
		}()
	}
	w.stop()
	wg.Wait()
	p.once(t)
	for range 4 {
		if err := w.ended(); err != ErrStopped {
			t.Errorf("cause: %v", err)
		}
	}
}

// A connection that was already ending with a long deadline does not hold the
// reactor up, nor does a peer that neither reads nor closes.
func TestStopDoesNotWaitForPeers(t *testing.T) {
	t.Parallel()
	mine := errors.New("mine")
	w := start(t, 1, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
		c.Output().B = append(c.Output().B, make([]byte, 16<<20)...)
		if in[2] == 'e' {
			c.CloseAfterFlush(mine, time.Hour)
		}
		return len(in), 0
	}}, small)
	for _, b := range []byte("ex") {
		c := w.dial()
		c.send(packet(0x10, b))
		c.expect([]byte{0})
	}
	w.dial()
	begin := time.Now()
	w.stop()
	if d := time.Since(begin); d > 6*time.Second {
		t.Errorf("stop took %v", d)
	}
}

func TestStopWhenTimeIsOver(t *testing.T) {
	var p pieces
	w := start(t, 2, hooks{data: func(_ *handler, c *Conn, in []byte) (int, int) {
		c.AppendShared(make([]byte, 16<<20), p.add())
		return len(in), 0
	}}, small)
	for i := range 4 {
		c := w.dial()
		c.send(hello(i))
		c.expect([]byte{0})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	w.stopped.Do(func() {
		if err := w.reactor.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop: %v", err)
		}
	})
	w.check()
	p.once(t)
}

// Connections come, move between loops and go while the reactor stops.
func TestStopInTheMiddle(t *testing.T) {
	before := descriptors(t)
	for round := range 20 {
		w := start(t, 4, hooks{}, nil)
		address := w.listener.Addr()
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := 0; ; i++ {
					c, err := dial(address)
					if err != nil {
						return
					}
					_ = c.SetDeadline(time.Now().Add(patience))
					if _, err := c.Write(hello(g + i)); err == nil {
						_, _ = io.ReadFull(c, make([]byte, 3))
					}
					c.Close()
				}
			}()
		}
		w.eventually("connections move", func() bool { return w.opened.Load() > int64(20+7*round) })
		if round%2 == 0 {
			w.stop()
		} else {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			w.stopped.Do(func() { _ = w.reactor.Stop(ctx) })
			w.check()
		}
		wg.Wait()
	}
	eventually(t, "no descriptor is left", func() bool { return descriptors(t) == before })
}

// Listeners that are opened while the reactor stops are closed or refused.
func TestListenDuringStop(t *testing.T) {
	before := descriptors(t)
	for range 5 {
		w := start(t, 2, hooks{}, nil)
		var wg sync.WaitGroup
		began := make(chan struct{})
		for g := range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := 0; ; i++ {
					li, err := w.reactor.Listen(ListenOptions{Network: "tcp", Address: "127.0.0.1:0"})
					if err == ErrStopped {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					if g == 0 && i == 0 {
						close(began)
					}
					if i%2 == 0 {
						li.Close(t.Context())
					}
				}
			}()
		}
		<-began
		w.stop()
		wg.Wait()
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
}
