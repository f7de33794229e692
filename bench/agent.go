package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// remote is an engine in another process: commands and replies are lines of
// JSON on a TCP connection.
type remote struct {
	addr    string
	conn    net.Conn
	in      *json.Decoder
	out     *json.Encoder
	timeout time.Duration
}

func dialAgent(addr string, timeout time.Duration) (engine, error) {
	conn, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return nil, fmt.Errorf("cannot reach agent %s: %w", addr, err)
	}
	return &remote{addr, conn, json.NewDecoder(conn), json.NewEncoder(conn), timeout}, nil
}

func (a *remote) do(c command) (r reply, err error) {
	_ = a.conn.SetDeadline(time.Now().Add(a.timeout)) // fails on a closed connection only
	if err = a.out.Encode(c); err == nil {
		err = a.in.Decode(&r)
	}
	if err != nil {
		return r, fmt.Errorf("lost agent %s: %w", a.addr, err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("agent %s: %s", a.addr, r.Error)
	}
	if s := r.Snapshot; s != nil && s.Cause != "" {
		s.Cause = "agent " + a.addr + ": " + s.Cause
	}
	return r, nil
}

func (a *remote) close() { a.conn.Close() }

// Agent serves runs until the context ends, one at a time. When a run's
// connection ends, so do its clients.
func Agent(ctx context.Context, listen string, out io.Writer) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	fmt.Fprintf(out, "listening on %s\n", l.Addr())
	return ServeAgent(ctx, l)
}

// ServeAgent is Agent on a listener, which it closes.
func ServeAgent(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer l.Close()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("cannot accept a run: %w", err)
		}
		serveRun(ctx, conn)
	}
}

// serveRun carries out the commands of one run.
func serveRun(ctx context.Context, conn net.Conn) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	p := &pool{}
	defer p.close()
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	for {
		var c command
		if in.Decode(&c) != nil { // the run is over
			return
		}
		r, err := p.obey(&c)
		if err != nil {
			r.Error = err.Error()
		}
		if out.Encode(&r) != nil {
			return
		}
	}
}

var errBadPlan = errors.New("a command without what it needs")

// obey checks what came from outside before it carries it out.
func (p *pool) obey(c *command) (reply, error) {
	switch {
	case c.Op != opPrepare:
		if c.Group < 0 || c.Group >= groups || c.Op == opSettle && p.plan != nil && len(c.Published) != p.plan.Publishers {
			return reply{}, errBadPlan
		}
	case c.Plan == nil || c.Plan.Of < 1 || c.Plan.Share < 0 || c.Plan.Share >= c.Plan.Of:
		return reply{}, errBadPlan
	default:
		c.Plan.Password = c.Plan.Secret
		if c.Plan.TLS != nil && c.Plan.PEM != nil {
			c.Plan.TLS.pem = *c.Plan.PEM
		}
		if err := c.Plan.Check(c.Plan.Of); err != nil {
			return reply{}, err
		}
	}
	return p.do(*c)
}
