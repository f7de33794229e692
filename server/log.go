package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"

	"vernemq/codec"
	"vernemq/reactor"
)

// logBudget bounds the lines that misbehaving clients cause, for each loop.
type logBudget struct{ used, lost int }

const (
	linesPerSecond = 50
	loggedID       = 128 // bytes of a client identifier in a line
)

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
	level := l.levelOf(err)
	if !l.log.Enabled(context.Background(), level) || !l.lines.take() {
		return
	}
	mountpoint, id := listenerOf(c).mountpoint, ""
	switch u := c.User().(type) {
	case *client:
		id = u.session.ID
	case *attached:
		id = u.session.ID
	case *admission:
		id = u.id
	}
	var refused *refusedError
	if errors.As(err, &refused) {
		id = refused.id
	}
	if len(id) > loggedID {
		id = strings.ToValidUTF8(id[:loggedID], "") + "…"
	}
	text, cause := "client stopped", "connection closed"
	if err != nil {
		cause = err.Error()
	}
	var protocol *codec.Error
	switch {
	case refused != nil:
		text, cause = "can't authenticate client", refused.cause
	case errors.As(err, &protocol) && protocol.Code == codec.KeepAliveTimeout:
		text = "client stopped due to keepalive expired"
	}
	l.log.Log(context.Background(), level, text, "mountpoint", mountpoint, "client", id, "peer", c.Peer().String(), "cause", cause)
}

// levelOf is how loud the end of a connection is: what the client did wrong is
// a warning, a connection that simply ended is for debugging.
func (l *loop) levelOf(err error) slog.Level {
	var protocol *codec.Error
	var refused *refusedError
	var system syscall.Errno
	switch {
	case err == nil, err == error(errShutdown), errors.Is(err, io.EOF), errors.Is(err, reactor.ErrStopped), errors.As(err, &system):
		return slog.LevelDebug
	case errors.As(err, &protocol) && protocol.Code == codec.SessionTakenOver:
		return slog.LevelInfo
	case errors.As(err, &protocol) && protocol.Code == codec.KeepAliveTimeout && !l.broker.config.Load().KeepaliveAsWarning:
		return slog.LevelInfo
	case errors.As(err, &refused):
		return slog.LevelError
	}
	return slog.LevelWarn
}

// logDrops sums up the messages that full queues have lost since last time.
func (l *loop) logDrops() {
	for c, n := range l.drops {
		if !l.lines.take() {
			l.lines.lost += len(l.drops) - 1
			break
		}
		l.log.Warn(fmt.Sprintf("subscriber %q dropped %d messages", c.session.ID, n), "mountpoint", c.session.Mountpoint, "cause", "queue full")
		delete(l.drops, c)
	}
	if l.lines.lost > 0 {
		l.log.Warn("log lines suppressed", "lines", l.lines.lost)
		l.lines.lost = 0
	}
}
