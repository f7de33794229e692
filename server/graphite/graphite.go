// Package graphite sends the node's metrics to Graphite, over one connection
// that is made again when it breaks. It runs on a goroutine of its own.
package graphite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"vernemq/server/config"
	"vernemq/server/metrics"
)

const (
	lookEvery    = time.Second     // at the settings, at least
	retryConnect = 5 * time.Second // after a failed attempt to connect
	writeTimeout = 10 * time.Second
)

// Pusher sends metrics.
type Pusher struct {
	Registry *metrics.Registry
	Settings func() config.Graphite // asked for again and again: they may change
	Log      *slog.Logger

	conn   net.Conn
	to     string    // address of conn
	due    time.Time // of the next push
	broken bool      // said in the log
}

// Run sends until ctx ends.
func (p *Pusher) Run(ctx context.Context) {
	failures := p.Registry.Counter("graphite_errors")
	defer p.drop()
	for {
		s, wait := p.Settings(), lookEvery
		if !s.Enabled || s.Host == "" || s.Interval <= 0 {
			p.drop()
		} else if pause, err := p.step(ctx, &s); err != nil && ctx.Err() == nil {
			failures.Inc()
			p.complain(err)
			p.drop()
			wait = pause
		} else {
			wait = min(max(time.Until(p.due), time.Millisecond), lookEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// step connects if need be and pushes if it is time. After an error nothing
// should be tried for a while.
func (p *Pusher) step(ctx context.Context, s *config.Graphite) (pause time.Duration, err error) {
	to := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	if p.conn != nil && p.to != to {
		p.drop()
	}
	now := time.Now()
	if p.conn == nil {
		if err := p.connect(ctx, s, to); err != nil {
			return retryConnect, err
		}
		p.due = now.Add(s.Interval)
		return 0, nil
	}
	if p.due = earlier(p.due, now.Add(s.Interval)); now.Before(p.due) {
		return 0, nil
	}
	p.due = now.Add(s.Interval)
	if alive(p.conn) != nil { // Graphite need not keep a connection over an interval
		p.drop()
		if err := p.connect(ctx, s, to); err != nil {
			return s.ReconnectTimeout, err
		}
	}
	if err := p.push(s); err != nil {
		return s.ReconnectTimeout, fmt.Errorf("cannot send to Graphite: %w", err)
	}
	if p.broken {
		p.broken = false
		p.Log.Info("Graphite takes measurements again", "address", to)
	}
	return 0, nil
}

func (p *Pusher) connect(ctx context.Context, s *config.Graphite, to string) error {
	d := net.Dialer{Timeout: s.ConnectTimeout}
	conn, err := d.DialContext(ctx, "tcp", to)
	if err != nil {
		return fmt.Errorf("cannot connect to Graphite: %w", err)
	}
	p.conn, p.to = conn, to
	return nil
}

// earlier lets a shorter interval count at once.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (p *Pusher) push(s *config.Graphite) error {
	now := time.Now()
	if err := p.conn.SetWriteDeadline(now.Add(writeTimeout)); err != nil {
		return err
	}
	_, err := p.conn.Write(Lines(p.Registry, s, now.Unix()))
	return err
}

// alive notices that the other side has closed the connection: it never sends
// anything else.
func alive(c net.Conn) error {
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		return err
	}
	var b [512]byte
	for {
		switch _, err := c.Read(b[:]); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("connection was closed by Graphite")
		case err != nil:
			return err
		}
	}
}

// complain says once that Graphite is not there.
func (p *Pusher) complain(err error) {
	if !p.broken {
		p.broken = true
		p.Log.Warn("Graphite is not reachable, will try again", "cause", err.Error())
	}
}

func (p *Pusher) drop() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}
