package logging

import (
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The same line is written so many times in so long; further ones are counted
// and the count is written in the end.
const (
	sameLines  = 5
	samePeriod = 10 * time.Second
	sameKept   = 1024 // lines that are remembered
)

// repeats finds lines that are the same but for their time and for the peer's
// address, which is another for each connection.
type repeats struct {
	mu    sync.Mutex // guards lines
	lines map[string]*repeat
}

type repeat struct {
	since time.Time
	count int
	last  entry
}

// passes tells whether an entry is to be written.
func (r *repeats) passes(e *entry) bool {
	if e.Level < slog.LevelWarn {
		return true
	}
	key := keyOf(e)
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.lines[key]
	if x == nil {
		if len(r.lines) < sameKept {
			r.lines[key] = &repeat{since: e.Time, count: 1}
		}
		return true
	}
	if x.count++; x.count <= sameLines {
		return true
	}
	x.last = *e
	return false
}

// flush writes the counts of periods that are over, of all with a zero time.
func (r *repeats) flush(now time.Time, write func(*entry)) {
	r.mu.Lock()
	var over []repeat
	for k, x := range r.lines {
		if now.IsZero() || now.Sub(x.since) >= samePeriod {
			if x.count > sameLines {
				over = append(over, *x)
			}
			delete(r.lines, k)
		}
	}
	r.mu.Unlock()
	for _, x := range over {
		x.last.Record = x.last.Clone()
		x.last.AddAttrs(slog.Int("repeated", x.count-sameLines))
		write(&x.last)
	}
}

func keyOf(e *entry) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(int(e.Level)) + e.module + "\x00" + e.Message)
	e.each(func(a slog.Attr) {
		if a.Key != "peer" && a.Key != "stack" {
			b.WriteString("\x00" + a.Key + "\x00" + a.Value.String())
		}
	})
	return b.String()
}
