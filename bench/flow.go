package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"vernemq/codec"
)

// FlowOptions describe a load of messages.
type FlowOptions struct {
	Addr        string
	PID         int    // of the broker
	Shape       string // fanin, fanout, pairs, shared
	Publishers  int
	Subscribers int
	QoS         byte
	Level       byte // protocol level, 4 or 5
	Size        int  // payload bytes
	Window      int  // deliveries under way at once, in all
	Batch       int  // messages per write
	Warm        time.Duration
	Duration    time.Duration
}

// FlowResult is what a load cost.
type FlowResult struct {
	Delivered int64
	PerSecond float64
	CPU       float64 // of the broker, nanoseconds per delivered message
	Memory    int64   // of the broker, bytes
}

// flow is a running load. Publishers keep a window of deliveries under way, so
// that every broker is loaded alike and none has to drop.
type flow struct {
	o         FlowOptions
	fan       int64 // deliveries per message
	published atomic.Int64
	delivered atomic.Int64
	stopped   atomic.Bool
	done      chan struct{} // closed once stopped
	failed    chan error
}

// unacknowledged is the number of messages that a publisher has under way with
// QoS 1 or 2.
const unacknowledged = 200

// Flow runs a load.
func Flow(ctx context.Context, o FlowOptions) (FlowResult, error) {
	if err := o.check(); err != nil {
		return FlowResult{}, err
	}
	fl := &flow{o: o, fan: 1, done: make(chan struct{}), failed: make(chan error, 1)}
	if o.Shape == "fanout" {
		fl.fan = int64(o.Subscribers)
	}
	clients, err := fl.connect()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() {
		fl.stopped.Store(true)
		close(fl.done)
		for _, c := range clients {
			c.conn.Close()
		}
	}()
	if err != nil {
		return FlowResult{}, err
	}
	for i, c := range clients {
		if i < o.Subscribers {
			wg.Go(func() { fl.report(fl.consume(c)) })
			continue
		}
		credits := make(chan struct{}, unacknowledged)
		wg.Go(func() { fl.report(fl.acknowledge(c, credits)) })
		wg.Go(func() { fl.report(fl.publish(c, i-o.Subscribers, credits)) })
	}
	return fl.measure(ctx)
}

func (o *FlowOptions) check() error {
	switch {
	case o.Level != 4 && o.Level != 5:
		return fmt.Errorf("protocol level %d: 4 or 5", o.Level)
	case o.QoS > 2:
		return fmt.Errorf("QoS %d: 0, 1 or 2", o.QoS)
	case o.Publishers < 1 || o.Subscribers < 1 || o.Batch < 1 || o.Window < 1 || o.Size < 0:
		return errors.New("publishers, subscribers, batch and window must be at least 1")
	case o.Shape == "pairs" && o.Publishers != o.Subscribers:
		return errors.New("pairs need as many publishers as subscribers")
	}
	return nil
}

// topic is the topic of a publisher.
func topic(i int) string { return fmt.Sprintf("vmq-bench/%d/t", i) }

// connect connects subscribers first, then publishers.
func (fl *flow) connect() (clients []*client, err error) {
	o := &fl.o
	for i := range o.Subscribers + o.Publishers {
		c, err := dial(o.Addr, fmt.Sprintf("vmq-bench-%d", i), codec.Version(o.Level))
		if err != nil {
			return clients, err
		}
		clients = append(clients, c)
		if i >= o.Subscribers {
			continue
		}
		filters, err := fl.filters(i)
		if err != nil {
			return clients, err
		}
		for _, f := range filters {
			if err := c.subscribe(f, o.QoS); err != nil {
				return clients, err
			}
		}
	}
	return clients, nil
}

func (fl *flow) filters(subscriber int) (filters []string, err error) {
	switch o := &fl.o; {
	case o.Shape == "fanout", o.Shape == "fanin" && o.Subscribers == 1:
		return []string{"vmq-bench/+/t"}, nil
	case o.Shape == "fanin":
		for p := subscriber; p < o.Publishers; p += o.Subscribers {
			filters = append(filters, topic(p))
		}
		return filters, nil
	case o.Shape == "pairs":
		return []string{topic(subscriber)}, nil
	case o.Shape == "shared":
		return []string{"$share/vmq-bench/vmq-bench/+/t"}, nil
	}
	return nil, fmt.Errorf("unknown shape %q: fanin, fanout, pairs or shared", fl.o.Shape)
}

func (fl *flow) report(err error) {
	if err != nil && !fl.stopped.Load() {
		select {
		case fl.failed <- err:
		default:
		}
	}
}

// consume counts what a subscriber gets, and acknowledges it.
func (fl *flow) consume(c *client) error {
	var out []byte
	var p codec.Publish
	var a codec.Ack
	for {
		f, err := c.read()
		if err != nil {
			return fmt.Errorf("subscriber: %w", err)
		}
		switch f.Type() {
		case codec.PUBLISH:
			if err := codec.DecodePublish(c.v, f, &p); err != nil {
				return fmt.Errorf("subscriber: %w", err)
			}
			switch p.QoS {
			case 1:
				out = codec.AppendAck(out, c.v, codec.PUBACK, p.PacketID, codec.Success, "")
			case 2:
				out = codec.AppendAck(out, c.v, codec.PUBREC, p.PacketID, codec.Success, "")
			}
			fl.delivered.Add(1)
		case codec.PUBREL:
			if err := codec.DecodeAck(c.v, f, &a); err != nil {
				return fmt.Errorf("subscriber: %w", err)
			}
			out = codec.AppendAck(out, c.v, codec.PUBCOMP, a.PacketID, codec.Success, "")
		}
		if out, err = c.flush(out); err != nil {
			return fmt.Errorf("subscriber: %w", err)
		}
	}
}

// flush writes acknowledgements once nothing more has arrived.
func (c *client) flush(out []byte) ([]byte, error) {
	if len(out) == 0 || c.r.Buffered() > 0 {
		return out, nil
	}
	_, err := c.conn.Write(out)
	return out[:0], err
}

// acknowledge follows what the broker answers to a publisher.
func (fl *flow) acknowledge(c *client, credits chan struct{}) error {
	var out []byte
	var a codec.Ack
	for {
		f, err := c.read()
		if err != nil {
			return fmt.Errorf("publisher: %w", err)
		}
		switch f.Type() {
		case codec.PUBACK, codec.PUBCOMP:
			<-credits
		case codec.PUBREC:
			if err := codec.DecodeAck(c.v, f, &a); err != nil {
				return fmt.Errorf("publisher: %w", err)
			}
			out = codec.AppendAck(out, c.v, codec.PUBREL, a.PacketID, codec.Success, "")
		}
		if out, err = c.flush(out); err != nil {
			return fmt.Errorf("publisher: %w", err)
		}
	}
}

// pollWindow is how long a publisher waits when the window is full.
const pollWindow = 50 * time.Microsecond

func (fl *flow) publish(c *client, i int, credits chan struct{}) error {
	o := &fl.o
	name, payload := []byte(topic(i)), make([]byte, o.Size)
	first := codec.PublishFirst(o.QoS, false, false)
	var out []byte
	id := uint16(0)
	for !fl.stopped.Load() {
		if fl.published.Load()*fl.fan-fl.delivered.Load() > int64(o.Window) {
			time.Sleep(pollWindow)
			continue
		}
		out = out[:0]
		n := 0
		for ; n < o.Batch && (o.QoS == 0 || n == 0 || len(credits) < unacknowledged); n++ {
			if o.QoS > 0 {
				select {
				case credits <- struct{}{}:
				case <-fl.done:
					return nil
				}
				if id++; id == 0 {
					id = 1
				}
			}
			out = append(codec.AppendPublishHead(out, c.v, first, name, id, nil, len(payload)), payload...)
		}
		fl.published.Add(int64(n))
		if _, err := c.conn.Write(out); err != nil {
			return fmt.Errorf("publisher: %w", err)
		}
	}
	return nil
}

// measure lets the load warm up and takes its cost over the duration.
func (fl *flow) measure(ctx context.Context) (r FlowResult, err error) {
	if err := fl.wait(ctx, fl.o.Warm); err != nil {
		return r, err
	}
	p := process(fl.o.PID)
	cpu0, err := p.cpu()
	if err != nil {
		return r, err
	}
	n0, start := fl.delivered.Load(), time.Now()
	if err := fl.wait(ctx, fl.o.Duration); err != nil {
		return r, err
	}
	cpu1, err := p.cpu()
	if err != nil {
		return r, err
	}
	r.Delivered = fl.delivered.Load() - n0
	r.PerSecond = float64(r.Delivered) / time.Since(start).Seconds()
	if r.Delivered == 0 {
		return r, errors.New("nothing was delivered")
	}
	r.CPU = float64(cpu1-cpu0) / float64(r.Delivered)
	r.Memory, err = p.memory()
	return r, err
}

func (fl *flow) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case err := <-fl.failed:
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the broker closed a connection: %w", err)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
