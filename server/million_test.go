package server

import (
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/valyala/bytebufferpool"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/session"
)

// noLink stands for the connections of a million clients: all it takes is
// thrown away.
type noLink struct{ out bytebufferpool.ByteBuffer }

func (l *noLink) Output() *bytebufferpool.ByteBuffer {
	l.out.B = l.out.B[:0]
	return &l.out
}
func (l *noLink) AppendShared(_ []byte, ref interface{ Release() }) { ref.Release() }
func (l *noLink) AppendBorrowed([]byte)                             {}
func (l *noLink) Full() bool                                        { return false }
func (l *noLink) PauseRead()                                        {}
func (l *noLink) ResumeRead()                                       {}
func (l *noLink) Paused() bool                                      { return false }
func (l *noLink) LastSeen() uint32                                  { return 1 }
func (l *noLink) Finish(error)                                      {}

// TestMillion makes a million clients with keep alive, without sockets but
// with the same sessions, tables, timers and index, and says what each costs;
// then what a subscription adds, how long a garbage collection takes with all
// of them, and what is left when they have gone.
func TestMillion(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	b, err := New(testConfig(2), newStore(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop(t.Context())
	base := alive()
	filter := func(i int) []byte { return fmt.Appendf(nil, "devices/%d/commands", i) }
	each := func(f func(l *loop, i int)) {
		b.everywhere(t.Context(), func(l *loop) {
			for i := l.index; i < n; i += len(b.loops) {
				f(l, i)
			}
		})
	}
	clients := make([]*client, n)
	link, limits := &noLink{}, limitsOf(b.config.Load(), &b.config.Load().Listeners[0])
	links := []*noLink{link, {}}
	list := alive() - base
	start := time.Now()
	each(func(l *loop, i int) {
		c := l.newClient("", fmt.Sprintf("device-%07d", i))
		c.session.Connect(links[l.index], &codec.Connect{Version: codec.V311, CleanStart: true, KeepAlive: 300, ReceiveMax: 65535}, &session.Admission{}, limits)
		clients[i] = c
	})
	connected := alive() - base - list
	t.Logf("%d clients: %d bytes each, %v", n, connected/n, time.Since(start).Round(time.Millisecond))
	start = time.Now()
	each(func(l *loop, i int) {
		frame := codec.AppendSubscribe(nil, codec.V311, 1, 0, []codec.Filter{{Filter: filter(i)}})
		f, _, _, _ := codec.Cut(frame, 0)
		clients[i].session.Packet(f)
	})
	subscribed := alive() - base - list - connected
	t.Logf("a subscription each: %d bytes more, %v", subscribed/n, time.Since(start).Round(time.Millisecond))
	collect(t)
	scrape(t, b)
	if limit := 330; connected/n > limit {
		t.Errorf("a client costs %d bytes, want at most %d", connected/n, limit)
	}
	if limit := 330; subscribed/n > limit {
		t.Errorf("a subscription costs %d bytes, want at most %d", subscribed/n, limit)
	}
	p := queue.Publication{Payload: []byte("x")}
	start = time.Now()
	each(func(l *loop, i int) {
		p := p
		p.Topic = filter(i)
		l.publish("", &p)
		p.Reset()
	})
	t.Logf("a message to each: %v", time.Since(start).Round(time.Millisecond))
	each(func(_ *loop, i int) { clients[i].session.Lost() })
	clear(clients)
	left := alive() - base - list
	t.Logf("%d bytes for each are left when all have gone: the places of their timers", left/n)
	if memos := 1 << 20 * len(b.loops); left > 32*n+memos { // a loop remembers what topics have matched
		t.Errorf("%d bytes for each client are left", left/n)
	}
	if b.index.Len() != 0 {
		t.Errorf("%d filters are left", b.index.Len())
	}
	runtime.KeepAlive(clients)
}

// alive is the size of all that is alive.
func alive() int {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// collect says what a garbage collection costs now.
func collect(t *testing.T) {
	var before, after debug.GCStats
	debug.ReadGCStats(&before)
	start := time.Now()
	runtime.GC()
	took := time.Since(start)
	debug.ReadGCStats(&after)
	t.Logf("a garbage collection takes %v, of which everybody waits %v", took.Round(time.Millisecond),
		(after.PauseTotal - before.PauseTotal).Round(time.Microsecond))
}
