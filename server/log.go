package server

import (
	"errors"
	"io"
	"log/slog"

	"vernemq/codec"
	"vernemq/reactor"
)

// logBudget bounds the lines that misbehaving clients cause, for each loop.
type logBudget struct{ used, lost int }

const linesPerSecond = 50

func (b *logBudget) take() bool {
	if b.used++; b.used <= linesPerSecond {
		return true
	}
	b.lost++
	return false
}

func (b *logBudget) refill() { b.used = 0 }

// logClosed says why a connection ended, when that is not the client's own
// wish.
func (l *loop) logClosed(c *reactor.Conn, err error) {
	if err == nil || errors.Is(err, io.EOF) || err == errShutdown {
		return
	}
	level := slog.LevelWarn
	var e *codec.Error
	if errors.As(err, &e) && e.Code == codec.KeepAliveTimeout && !l.broker.config.Load().KeepaliveAsWarning {
		level = slog.LevelInfo
	}
	if !l.lines.take() {
		return
	}
	mountpoint, id := listenerOf(c).mountpoint, ""
	switch u := c.User().(type) {
	case *client:
		id = u.session.ID
	case *admission:
		id = u.id
	}
	l.log.Log(nil, level, "client stopped", "mountpoint", mountpoint, "client", id, "peer", c.Peer().String(), "cause", err.Error()) //nolint
}

// logDrops sums up the messages that full queues have lost since last time.
func (l *loop) logDrops() {
	for c, n := range l.drops {
		if !l.lines.take() {
			break
		}
		l.log.Warn("messages dropped, queue full", "mountpoint", c.session.Mountpoint, "client", c.session.ID, "dropped", n)
		delete(l.drops, c)
	}
	if l.lines.lost > 0 {
		l.log.Warn("log lines suppressed", "lines", l.lines.lost)
		l.lines.lost = 0
	}
}
