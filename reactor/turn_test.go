package reactor

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFlood has other goroutines fill an inbox without a pause. The loop must
// look at its sockets between the turns all the same.
func TestFlood(t *testing.T) {
	b := (&bench{}).start(t, Config{}, ListenOptions{})
	in := NewInbox(b.r.Loops()[0], func([]int) { time.Sleep(200 * time.Microsecond) })
	c := b.dial(t)
	c.SetDeadline(time.Now().Add(5 * time.Second))
	send(t, c, greeting(0))
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for !stop.Load() {
				if in.Len() < 1000 {
					in.Put(1)
				}
			}
		})
	}
	defer wg.Wait()
	defer stop.Store(true)
	for range 20 {
		send(t, c, frameOf([]byte("ping")))
		expect(t, c, frameOf([]byte("ping")))
	}
}

// TestRingInEndTurn asks for another turn in each turn.
func TestRingInEndTurn(t *testing.T) {
	b := (&bench{endTurn: func(l *Loop) { l.Ring() }}).start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	c.SetDeadline(time.Now().Add(5 * time.Second))
	send(t, c, greeting(0), frameOf([]byte("ping")))
	expect(t, c, frameOf([]byte("ping")))
}

// TestInboxOfRunningLoop makes an inbox while the loop takes turns.
func TestInboxOfRunningLoop(t *testing.T) {
	b := (&bench{}).start(t, Config{}, ListenOptions{})
	for range 20 {
		b.r.Loops()[0].Post(func() {})
		got := make(chan []int, 1)
		NewInbox(b.r.Loops()[0], func(vs []int) { got <- append([]int(nil), vs...) }).PutAll([]int{1, 2})
		if vs := <-got; len(vs) != 2 {
			t.Errorf("got %v", vs)
		}
	}
}

// TestIdle checks that loops without work rest.
func TestIdle(t *testing.T) {
	var turns atomic.Int32
	b := (&bench{endTurn: func(*Loop) { turns.Add(1) }}).start(t, Config{Loops: 2}, ListenOptions{})
	send(t, b.dial(t), greeting(1))
	until(t, "the connection is open", func() bool { return b.opens.Load() == 1 })
	rests(t)
	before, now := turns.Load(), b.r.Loops()[0].Now()
	until(t, "the clock goes on", func() bool { return b.r.Loops()[0].Now() > now })
	if n := turns.Load() - before; n > 6 {
		t.Errorf("%d turns without work", n)
	}
}

// rests fails the test if the process works although nothing happens.
func rests(t *testing.T) {
	t.Helper()
	const window, allowed = 300 * time.Millisecond, 120 * time.Millisecond
	used := func() time.Duration {
		var u unix.Rusage
		_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	time.Sleep(window)
	if d := used() - before; d > allowed {
		t.Errorf("%v of CPU in %v in which nothing happens", d, window)
	}
}

// TestPostAfterStop posts to loops that have ended. Whoever has the number of
// their descriptors by then must not find a doorbell's bytes in it.
func TestPostAfterStop(t *testing.T) {
	b := (&bench{}).start(t, Config{Loops: 3}, ListenOptions{})
	in := NewInbox(b.r.Loops()[0], func([]int) { t.Error("drained after Stop") })
	if err := b.r.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	var fds [][2]int
	for range 20 {
		var p [2]int
		if err := syscall.Pipe2(p[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		fds = append(fds, p)
	}
	for _, l := range b.r.Loops() {
		l.Post(func() { t.Error("ran after Stop") })
		l.Ring()
	}
	in.Put(1)
	in.PutAll([]int{2, 3})
	if in.Len() != 0 {
		t.Errorf("%d items wait for a loop that has ended", in.Len())
	}
	for _, p := range fds {
		if n, _ := unix.Read(p[0], make([]byte, 8)); n > 0 {
			t.Error("a doorbell was rung in somebody else's descriptor")
		}
		unix.Close(p[0])
		unix.Close(p[1])
	}
}

// TestStopStuck does not wait forever for a callback that does not return.
func TestStopStuck(t *testing.T) {
	t.Parallel()
	r, err := New(Config{Loops: 2, NewHandler: func(l *Loop) Handler { return &echoHandler{l, &bench{t: t}} }})
	if err != nil {
		t.Fatal(err)
	}
	r.Start()
	entered, release := make(chan struct{}), make(chan struct{})
	r.Loops()[1].Post(func() { close(entered); <-release })
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.Stop(ctx) }()
	select {
	case err := <-done:
		if !errors.Is(err, ErrStuck) {
			t.Errorf("Stop: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Stop hangs")
	}
	close(release)
	r.running.Wait()
}
