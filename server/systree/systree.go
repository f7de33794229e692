// Package systree publishes the node's metrics under $SYS. It runs beside the
// loops and hands each round of messages to one of them.
package systree

import (
	"context"
	"strconv"
	"strings"
	"time"

	"vernemq/server/config"
	"vernemq/server/metrics"
)

const (
	firstAfter = time.Second // of the first round
	lookEvery  = time.Second // at the settings, at least
)

// Message is a message to publish.
type Message = struct{ Topic, Payload string }

// Publisher publishes messages. It must not wait for anybody.
type Publisher func(s config.Systree, messages []Message)

// Run publishes until ctx ends. The settings are asked for again and again:
// they may change.
func Run(ctx context.Context, node string, r *metrics.Registry, settings func() config.Systree, publish Publisher) {
	prefix := "$SYS/" + level(node) + "/"
	start := time.Now()
	var last time.Time // of a round
	for {
		s := settings()
		due := start.Add(firstAfter)
		if !last.IsZero() {
			due = last.Add(s.Interval)
		}
		now := time.Now()
		if s.Enabled && s.Interval > 0 && !now.Before(due) {
			publish(s, Messages(prefix, r))
			last, due = now, now.Add(s.Interval)
		}
		wait := lookEvery
		if s.Enabled && s.Interval > 0 {
			wait = min(max(due.Sub(now), time.Millisecond), lookEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Messages are those of one round: VerneMQ's metrics of the parts that run.
func Messages(prefix string, r *metrics.Registry) (out []Message) {
	for _, m := range r.Read() {
		if m.Own || !r.Running(m.Family) {
			continue
		}
		m.Flat(func(name string, v uint64) {
			out = append(out, Message{prefix + strings.ReplaceAll(name, "_", "/"), strconv.FormatUint(v, 10)})
		})
	}
	return out
}

// level makes one level of a topic of a node's name.
func level(node string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '+' || r == '#' || r < ' ' {
			return '_'
		}
		return r
	}, node)
}
