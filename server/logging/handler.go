package logging

import (
	"context"
	"log/slog"
	"slices"
)

// levelNames are VerneMQ's levels, the lowest first.
var levelNames = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

var levels = []slog.Level{slog.LevelDebug, slog.LevelInfo, 2, slog.LevelWarn, slog.LevelError, 12, 16, 20}

const (
	everything = slog.Level(-100)
	nothing    = slog.Level(100)
)

// levelOf gives the level of a name. Without a name it is info.
func levelOf(name string) slog.Level {
	switch name {
	case "all":
		return everything
	case "none":
		return nothing
	case "":
		return slog.LevelInfo
	}
	if i := slices.Index(levelNames, name); i >= 0 {
		return levels[i]
	}
	return slog.LevelError
}

// nameOf gives the name of the highest level that is not above l.
func nameOf(l slog.Level) string {
	switch {
	case l <= everything:
		return "all"
	case l >= nothing:
		return "none"
	}
	for i := len(levels) - 1; i > 0; i-- {
		if l >= levels[i] {
			return levelNames[i]
		}
	}
	return levelNames[0]
}

// handler is what a logger calls.
type handler struct {
	log    *Log
	module *module
	attrs  []slog.Attr
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	if level < slog.Level(h.log.lowest.Load()) {
		return false
	}
	for _, s := range h.log.sinks {
		if h.passes(s, level) {
			return true
		}
	}
	return false
}

func (h *handler) passes(s *sink, level slog.Level) bool {
	if h.module != nil && h.module.apart.Load() && !s.crashes && s.name != errorName {
		return level >= slog.Level(h.module.level.Load())
	}
	return level >= slog.Level(s.level.Load())
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	e := entry{Record: r, attrs: h.attrs}
	if h.module != nil {
		e.module = h.module.name
	}
	if h.log.repeats.passes(&e) {
		h.write(&e)
	}
	return nil
}

// write passes an entry to the places without asking whether it is a repeat.
func (h *handler) write(e *entry) {
	for _, s := range h.log.sinks {
		if h.passes(s, e.Level) {
			s.take(e)
		}
	}
}

// write does so for the module that the entry is of.
func (l *Log) write(e *entry) {
	l.mu.Lock()
	m := l.modules[e.module]
	l.mu.Unlock()
	(&handler{log: l, module: m}).write(e)
}

func (h *handler) WithAttrs(as []slog.Attr) slog.Handler {
	return &handler{h.log, h.module, append(slices.Clone(h.attrs), as...)}
}

// WithGroup has no meaning in a flat line: the attributes stay as they are.
func (h *handler) WithGroup(string) slog.Handler { return h }

// entry is a record with what its logger adds to it.
type entry struct {
	slog.Record
	module string
	attrs  []slog.Attr
}

func (e *entry) each(f func(slog.Attr)) {
	for _, a := range e.attrs {
		f(a)
	}
	e.Attrs(func(a slog.Attr) bool { f(a); return true })
}

// stack is the stack of a crash, empty for other entries.
func (e *entry) stack() (text string) {
	e.each(func(a slog.Attr) {
		if a.Key == "stack" {
			text = a.Value.String()
		}
	})
	return text
}
