package logging

import (
	"bytes"
	"log/slog"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// FuzzLine holds that whatever a client sends becomes one line, in every
// format, and nothing in it is a control character.
func FuzzLine(f *testing.F) {
	f.Add("client stopped", "a\nb\u2028\x1b[31m\"=")
	f.Fuzz(func(t *testing.T, message, value string) {
		r := slog.NewRecord(time.Unix(1e9, 0), slog.LevelWarn, message, 0)
		r.AddAttrs(slog.String("client", value), slog.String("empty", ""))
		e := &entry{Record: r, module: "m"}
		h := syslogHeader{app: "a", host: "h", rfc5424: true}
		for _, write := range []format{writeExtended, writeSimple, writeJSON, crashFormat(100), h.write} {
			var b bytes.Buffer
			write(&b, e)
			line := b.Bytes()
			if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' || !utf8.Valid(line) {
				t.Fatalf("%q", line)
			}
			for _, c := range string(line[:len(line)-1]) {
				if unicode.IsControl(c) && c != '\t' {
					t.Fatalf("control character in %q", line)
				}
			}
		}
	})
}

// FuzzSchedule holds that a time of rotation lies ahead, and not farther than
// two months.
func FuzzSchedule(f *testing.F) {
	for _, s := range []string{"$D0", "$W5D16", "$M31D23", "", "$", "$WD", "$M1"} {
		f.Add(s, int64(1.7e9))
	}
	f.Fuzz(func(t *testing.T, s string, unix int64) {
		x, ok := parseSchedule(s)
		if !ok || x.hour < 0 || x.hour > 23 || x.weekday < -1 || x.weekday > 6 || x.day < 0 || x.day > 31 || x.weekday >= 0 && x.day > 0 || unix < 0 || unix > 1e11 {
			return // the configuration lets none of these in
		}
		from := time.Unix(unix, 0).UTC()
		if at := x.next(from); !at.After(from) || at.Sub(from) > 63*24*time.Hour || at.Hour() != x.hour {
			t.Fatalf("%q after %v is %v", s, from, at)
		}
	})
}
