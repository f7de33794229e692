// Package logging writes the broker's log in VerneMQ's format: to the console,
// to a file, or to both (reference: logs).
package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Options say where the log goes.
type Options struct {
	Console       string // off, file, console, both
	File          string // path of the log file
	Level         string // debug, info, notice, warning, error, critical, alert, emergency
	ConsoleFormat string // text or json
	FileFormat    string
}

// Open makes the logger.
func Open(o Options, console io.Writer) (*slog.Logger, *Log, error) {
	l := new(Log)
	var hs []*handler
	if o.Console == "file" || o.Console == "both" {
		f, err := openFile(o.File)
		if err != nil {
			return nil, nil, err
		}
		h := newHandler(f, levelOf(o.Level), o.FileFormat)
		hs, l.file = append(hs, h), f
		l.add("consolefile", "file", o.File, o.Level, h)
	}
	if o.Console == "console" || o.Console == "both" {
		h := newHandler(console, levelOf(o.Level), o.ConsoleFormat)
		hs = append(hs, h)
		l.add("console", "standard_io", "", o.Level, h)
	}
	return slog.New(fanout(hs)), l, nil
}

func levelOf(name string) slog.Level {
	switch name {
	case "debug", "all":
		return slog.LevelDebug
	case "info":
		return slog.LevelInfo
	case "notice", "warning":
		return slog.LevelWarn
	case "":
		return slog.LevelInfo
	case "none":
		return math.MaxInt
	}
	return slog.LevelError
}

func nameOf(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warning"
	}
	return "error"
}

// fanout passes records to several handlers.
type fanout []*handler

func (f fanout) Enabled(_ context.Context, l slog.Level) bool {
	for _, h := range f {
		if l >= h.level.Level() {
			return true
		}
	}
	return false
}

func (f fanout) Handle(_ context.Context, r slog.Record) error {
	for _, h := range f {
		if r.Level >= h.level.Level() {
			if err := h.write(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f fanout) WithAttrs(as []slog.Attr) slog.Handler {
	out := make(fanout, len(f))
	for i, h := range f {
		c := *h
		c.attrs = append(append([]slog.Attr(nil), h.attrs...), as...)
		out[i] = &c
	}
	return out
}

// WithGroup has no meaning in a flat line: the attributes stay as they are.
func (f fanout) WithGroup(string) slog.Handler { return f }

// handler writes records to one place.
type handler struct {
	mu    *sync.Mutex
	to    io.Writer
	level *slog.LevelVar // shared by copies
	json  bool
	attrs []slog.Attr
}

func newHandler(to io.Writer, level slog.Level, format string) *handler {
	h := &handler{mu: new(sync.Mutex), to: to, level: new(slog.LevelVar), json: format == "json"}
	h.level.Set(level)
	return h
}

func (h *handler) write(r slog.Record) error {
	var b bytes.Buffer
	if h.json {
		h.writeJSON(&b, r)
	} else {
		h.writeText(&b, r)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.to.Write(b.Bytes())
	return err
}

// writeText gives `2026-11-22T09:42:03.134049+00:00 [warning] message key=value`.
func (h *handler) writeText(b *bytes.Buffer, r slog.Record) {
	b.WriteString(r.Time.UTC().Format("2006-01-02T15:04:05.000000+00:00"))
	fmt.Fprintf(b, " [%s] %s", nameOf(r.Level), oneLine(r.Message))
	h.each(r, func(a slog.Attr) {
		v := a.Value.String()
		if v == "" || strings.ContainsAny(v, " \"=") || oneLine(v) != v {
			v = fmt.Sprintf("%q", v)
		}
		fmt.Fprintf(b, " %s=%s", a.Key, v)
	})
	b.WriteByte('\n')
}

func (h *handler) writeJSON(b *bytes.Buffer, r slog.Record) {
	m := map[string]any{"level": nameOf(r.Level), "msg": r.Message, "time": r.Time.UnixMicro()}
	h.each(r, func(a slog.Attr) { m[a.Key] = jsonValue(a.Value) })
	line, err := json.Marshal(m) // sorts the keys
	if err != nil {
		line, _ = json.Marshal(map[string]any{"level": "error", "msg": err.Error(), "time": time.Now().UnixMicro()})
	}
	b.Write(append(line, '\n'))
}

func jsonValue(v slog.Value) any {
	switch v.Kind() {
	case slog.KindInt64, slog.KindUint64, slog.KindFloat64, slog.KindBool:
		return v.Any()
	}
	return v.String()
}

func (h *handler) each(r slog.Record, f func(slog.Attr)) {
	for _, a := range h.attrs {
		f(a)
	}
	r.Attrs(func(a slog.Attr) bool { f(a); return true })
}

// oneLine keeps what a client sent from forging log lines.
func oneLine(s string) string {
	clean := func(r rune) rune {
		if unicode.IsPrint(r) { // no control, no separator, no change of direction
			return r
		}
		return '?'
	}
	return strings.Map(clean, s)
}
