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
	"vernemq/server/hooks"
	"vernemq/server/metrics"
	"vernemq/server/session"
)

// logBudget bounds the lines that misbehaving clients cause, for each loop.
type logBudget struct{ used, lost int }

const (
	linesPerSecond = 50
	loggedID       = 128 // bytes of a client identifier or a topic in a line
)

func (b *logBudget) take() bool {
	if b.used++; b.used <= linesPerSecond {
		return true
	}
	b.lost++
	return false
}

func (b *logBudget) refill() { b.used = 0 }

// refusedPacket is a kind of packet that plugins have refused a client.
type refusedPacket struct {
	session *session.Session
	packet  codec.Type
}

// logRefused says that plugins refuse a PUBLISH, or a SUBSCRIBE whose first filter
// is given: one line a second for each client, which may try on.
func (l *loop) logRefused(s *session.Session, packet codec.Type, topic []byte, r *hooks.Refusal) {
	x := refusedPacket{s, packet}
	if l.refused[x] || !l.log.Enabled(context.Background(), slog.LevelError) || !l.lines.take() {
		return
	}
	l.refused[x] = true
	l.log.Error("can't authorize "+packet.String(), "mountpoint", s.Mountpoint, "client", shortened(s.ID), "peer", peerOf(connOf(s)),
		"topic", shortened(string(topic)), "cause", r.Cause)
}

// logClosed says why a connection ended, when that is not the client's own
// wish.
func (l *loop) logClosed(c *reactor.Conn, err error) {
	level := l.levelOf(err)
	text := "client stopped"
	if level == slog.LevelDebug && l.broker.config.Load().LogDisconnects && wasClient(c) {
		level, text = slog.LevelInfo, "client disconnected"
	}
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
	id = shortened(id)
	cause := "connection closed"
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
	l.log.Log(context.Background(), level, text, "mountpoint", mountpoint, "client", id, "peer", peerOf(c), "cause", cause)
}

// peerOf names the other side of a connection.
func peerOf(c *reactor.Conn) string {
	if p := c.Peer(); p.IsValid() {
		return p.String()
	}
	return "local"
}

// wasClient tells that a connection had become a client's.
func wasClient(c *reactor.Conn) bool {
	switch c.User().(type) {
	case *client, *attached:
		return true
	}
	return false
}

// shortened is a client identifier or a topic for a line of the log.
func shortened(id string) string {
	if len(id) > loggedID {
		return strings.ToValidUTF8(id[:loggedID], "") + "…"
	}
	return id
}

// logConnected says that a client has connected, where that is wished.
func (l *loop) logConnected(c *reactor.Conn, id string) {
	if !l.broker.config.Load().LogConnects || c.Closing() || !l.log.Enabled(context.Background(), slog.LevelInfo) || !l.lines.take() {
		return
	}
	li := listenerOf(c)
	l.log.Info("client connected", "mountpoint", li.mountpoint, "client", shortened(id), "peer", c.Peer().String(),
		"listener", li.config.Name, "level", l.connect.Level, "clean", l.connect.CleanStart, "keepalive", l.connect.KeepAlive)
}

// shownPackets is how many packets a crash tells of.
const shownPackets = 8

// LastPackets gives the headers of the packets that were handled last, up to
// the one in which something went wrong.
func (l *loop) LastPackets() string {
	var headers []string
	for n := 0; n <= l.handled && n < len(l.input); {
		f, size, _, err := codec.Cut(l.input[n:], 0)
		if err != nil || size == 0 {
			break
		}
		headers = append(headers, fmt.Sprintf("%s flags=%x length=%d", f.Type(), f.First&15, len(f.Body)))
		n += size
	}
	return strings.Join(headers[max(len(headers)-shownPackets, 0):], ", ")
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
			clear(l.drops)
			break
		}
		l.log.Warn(fmt.Sprintf("subscriber %q dropped %d messages", c.session.ID, n), "mountpoint", c.session.Mountpoint, "cause", "queue full")
		delete(l.drops, c)
	}
	if l.lines.lost > 0 {
		l.log.Warn("log lines suppressed", "lines", l.lines.lost)
		l.metrics.Inc(metrics.LimitLogLines)
		l.metrics.Add(metrics.LogLinesLost, l.lines.lost)
		l.lines.lost = 0
	}
}
