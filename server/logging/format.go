package logging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// format writes an entry as one line, or for crashes as several.
type format func(b *bytes.Buffer, e *entry)

func formatOf(asJSON, simple bool) format {
	switch {
	case asJSON:
		return writeJSON
	case simple:
		return writeSimple
	}
	return writeExtended
}

const stamp = "2006-01-02T15:04:05.000000+00:00"

// writeExtended gives `2026-11-22T09:42:03.134049+00:00 [warning] message key=value`,
// with the module before the message if there is one.
func writeExtended(b *bytes.Buffer, e *entry) {
	fmt.Fprintf(b, "%s [%s] ", e.Time.UTC().Format(stamp), nameOf(e.Level))
	if e.module != "" {
		b.WriteString(e.module + ": ")
	}
	writeBody(b, e, "")
	b.WriteByte('\n')
}

// writeSimple gives `2026-11-22T09:42:03.134049+00:00 warning: message key=value`.
func writeSimple(b *bytes.Buffer, e *entry) {
	fmt.Fprintf(b, "%s %s: ", e.Time.UTC().Format(stamp), nameOf(e.Level))
	writeBody(b, e, "")
	b.WriteByte('\n')
}

// writeBody writes the message and the attributes, but for one.
func writeBody(b *bytes.Buffer, e *entry, but string) {
	b.WriteString(oneLine(e.Message))
	e.each(func(a slog.Attr) {
		if a.Key == but {
			return
		}
		v := a.Value.String()
		if v == "" || strings.ContainsAny(v, " \"=") || oneLine(v) != v {
			v = fmt.Sprintf("%q", v)
		}
		fmt.Fprintf(b, " %s=%s", a.Key, v)
	})
}

func writeJSON(b *bytes.Buffer, e *entry) {
	m := map[string]any{}
	e.each(func(a slog.Attr) { m[a.Key] = jsonValue(a.Value) })
	m["level"], m["msg"], m["time"] = nameOf(e.Level), e.Message, e.Time.UnixMicro()
	if e.module != "" {
		m["module"] = e.module
	}
	line, err := json.Marshal(m) // sorts the keys
	if err != nil {
		line, _ = json.Marshal(map[string]any{"level": "error", "msg": err.Error(), "time": e.Time.UnixMicro()})
	}
	b.WriteString(controls.ReplaceAllStringFunc(string(line), func(s string) string {
		r, _ := utf8.DecodeRuneInString(s)
		return fmt.Sprintf("\\u%04x", r)
	}))
	b.WriteByte('\n')
}

// controls are the control characters that JSON may hold as they are, but a
// terminal should not see.
var controls = regexp.MustCompile(`[\x{7f}-\x{9f}]`)

func jsonValue(v slog.Value) any {
	switch v.Kind() {
	case slog.KindInt64, slog.KindUint64, slog.KindBool:
		return v.Any()
	}
	return v.String()
}

// crashFormat writes a crash with its stack below it, cut to a size in bytes.
func crashFormat(size int) format {
	return func(b *bytes.Buffer, e *entry) {
		start := b.Len()
		fmt.Fprintf(b, "%s [%s] ", e.Time.UTC().Format(stamp), nameOf(e.Level))
		writeBody(b, e, "stack")
		for line := range strings.Lines(e.stack()) {
			b.WriteString("\n    " + oneLine(strings.TrimRight(line, "\n")))
		}
		if line := b.Bytes()[start:]; size > 0 && len(line) > size {
			line = cut(line, size)
			b.Truncate(start)
			b.Write(line)
		}
		b.WriteByte('\n')
	}
}

// cut shortens a text of more than size bytes, and shows that it did.
func cut(text []byte, size int) []byte {
	if len(text) <= size {
		return text
	}
	for size > 0 && !utf8.RuneStart(text[size]) {
		size--
	}
	return slices.Concat(text[:size], []byte("…"))
}

// oneLine keeps what a client sent from forging log lines.
func oneLine(s string) string {
	clean := func(r rune) rune {
		if unicode.IsPrint(r) || r == '\t' { // no control, no separator, no change of direction
			return r
		}
		return '?'
	}
	return strings.Map(clean, s)
}
