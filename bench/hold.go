package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"vernemq/codec"
)

// HoldOptions describe idle connections.
type HoldOptions struct {
	Addr        string
	PID         int // of the broker, freshly started
	Connections int
	Parallel    int // handshakes under way at once
	Settle      time.Duration
	Level       byte // protocol level, 4 or 5
}

// HoldResult is what idle connections cost.
type HoldResult struct {
	Connections int
	Memory      int64   // bytes of the broker per connection
	CPU         float64 // nanoseconds of the broker per connect
}

// Hold opens connections, lets them rest, and closes them.
func Hold(ctx context.Context, o HoldOptions) (r HoldResult, err error) {
	if o.Level != 4 && o.Level != 5 {
		return r, fmt.Errorf("protocol level %d: 4 or 5", o.Level)
	}
	p := process(o.PID)
	before, err := p.memory()
	if err != nil {
		return r, err
	}
	cpu0, err := p.cpu()
	if err != nil {
		return r, err
	}
	clients, err := o.open(ctx)
	defer func() {
		for _, c := range clients {
			c.conn.Close()
		}
	}()
	if err != nil {
		return r, err
	}
	cpu1, err := p.cpu()
	if err != nil {
		return r, err
	}
	select {
	case <-time.After(o.Settle):
	case <-ctx.Done():
		return r, ctx.Err()
	}
	after, err := p.memory()
	r.Connections = len(clients)
	r.Memory = (after - before) / int64(max(len(clients), 1))
	r.CPU = float64(cpu1-cpu0) / float64(max(len(clients), 1))
	return r, err
}

func (o *HoldOptions) open(ctx context.Context) (clients []*client, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	work := make(chan int)
	for range o.Parallel {
		wg.Go(func() {
			for i := range work {
				c, e := dial(o.Addr, fmt.Sprintf("vmq-hold-%d", i), codec.Version(o.Level))
				mu.Lock()
				if e != nil && err == nil {
					err = e
				} else if e == nil {
					c.r, c.body = nil, nil
					clients = append(clients, c)
				}
				mu.Unlock()
			}
		})
	}
	for i := range o.Connections {
		if ctx.Err() != nil {
			break
		}
		work <- i
	}
	close(work)
	wg.Wait()
	if err == nil {
		err = ctx.Err()
	}
	return clients, err
}
