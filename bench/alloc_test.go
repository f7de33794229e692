package bench

import (
	"testing"

	"golang.org/x/sys/unix"

	"vernemq/codec"
)

// testWorker is a worker that is not running, with a publisher and a subscriber
// on one end of a socket pair each. It gives the other ends.
func testWorker(t testing.TB, qos byte, level byte) (w *worker, pub, sub int) {
	t.Helper()
	l := base(Flow)
	l.Shape, l.Publishers, l.Subscribers, l.QoS, l.Level, l.Rate, l.Addr = Pairs, 1, 1, qos, level, 1e9, "127.0.0.1:1"
	w, err := newWorker(&plan{Load: l, Run: "x", Of: 1}, 0, make([]under, 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.free)
	for i := range w.clients {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			unix.Close(fds[0])
			unix.Close(fds[1])
		})
		c := &w.clients[i]
		c.fd, c.state, c.credit = int32(fds[0]), ready, l.Inflight
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: c.place, Pad: c.fd}
		if err := unix.EpollCtl(w.ep, unix.EPOLL_CTL_ADD, fds[0], &ev); err != nil {
			t.Fatal(err)
		}
		if c.group == publishers {
			pub = fds[1]
		} else {
			sub = fds[1]
		}
	}
	return w, pub, sub
}

// turnOf sends a message, which the far end gives to the subscriber and
// acknowledges.
func turnOf(t testing.TB, w *worker, pub, sub int, qos byte, buf []byte) {
	p := w.members[publishers][0]
	p.owed++
	w.catchUp(p)
	w.flushAll()
	n, err := unix.Read(pub, buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(sub, buf[:n]); err != nil {
		t.Fatal(err)
	}
	if qos == 1 {
		ack := codec.AppendAck(buf[:0], codec.V311, codec.PUBACK, p.id, codec.Success, "")
		if _, err := unix.Write(pub, ack); err != nil {
			t.Fatal(err)
		}
	}
	for i := range w.events[:w.wait(0)] {
		w.event(&w.events[i])
	}
	w.flushAll()
	if qos == 1 {
		if _, err := unix.Read(sub, buf); err != nil { // the PUBACK
			t.Fatal(err)
		}
	}
}

// TestHotPathDoesNotAllocate: in steady state a message costs no allocation,
// neither to send nor to receive.
func TestHotPathDoesNotAllocate(t *testing.T) {
	for _, level := range []byte{4, 5} {
		for qos := range byte(2) {
			w, pub, sub := testWorker(t, qos, level)
			w.publishGroup(command{Rate: 1e9, End: 1 << 62})
			buf := make([]byte, 4096)
			if n := testing.AllocsPerRun(2000, func() { turnOf(t, w, pub, sub, qos, buf) }); n != 0 {
				t.Errorf("MQTT %d, QoS %d: %v allocations for a message", level, qos, n)
			}
			if c := w.count; c.Delivered != c.Sent || c.Duplicates+c.Late+c.Foreign+c.Lost != 0 || qos == 1 && c.Acked != c.Sent {
				t.Errorf("%+v", c)
			}
		}
	}
}

func BenchmarkMessage(b *testing.B) {
	w, pub, sub := testWorker(b, 0, 4)
	w.publishGroup(command{Rate: 1e9, End: 1 << 62})
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		turnOf(b, w, pub, sub, 0, buf)
	}
}
