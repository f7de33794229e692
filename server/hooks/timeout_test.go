package hooks

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// TestTimeoutIsAnswered has many calls come to their turn just when their time is
// over: each is answered once.
func TestTimeoutIsAnswered(t *testing.T) {
	r, _ := registry(t)
	f := publisher(nil, func(context.Context, *Message) PublishAnswer { return PublishAnswer{Result: OK} })
	f.bounds = Bounds{Workers: 4, Timeout: 20 * time.Microsecond}
	enable(t, r, "p", f)
	m := &Message{Topic: []byte("t")}
	c := r.Snapshot().View(0).AuthOnPublish(false)
	const calls = 200000
	var answered atomic.Int64
	for i := range calls {
		_, from := c.Ask(m)
		c.Wait(context.Background(), m, from, func(PublishAnswer) { answered.Add(1) })
		if i%64 == 0 {
			time.Sleep(10 * time.Microsecond)
		}
	}
	for end := time.Now().Add(5 * time.Second); answered.Load() < calls && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	if n := answered.Load(); n != calls {
		t.Errorf("%d of %d calls are answered", n, calls)
	}
}
