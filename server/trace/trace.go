// Package trace shows what a client and the broker say to each other, in the
// lines of VerneMQ's `trace client`. Passwords and authentication data are not
// shown.
//
// Loops and hooks write to a Trace from any goroutine and never wait for it; Run
// hands the lines to who asked for them.
package trace

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"vernemq/codec"
)

// Options are those of a trace.
type Options struct {
	Mountpoint, ID string
	RateMax        int // packets in RateInterval, more end the trace
	RateInterval   time.Duration
	Truncate       int  // bytes of a payload that are shown
	Times          bool // lines begin with the time
}

// backlog is the number of lines that wait for who reads them. More are lost,
// and counted.
const backlog = 4096

// Trace is one trace that runs.
type Trace struct {
	options Options
	lines   chan string
	ended   chan struct{} // closed by End

	mu     sync.Mutex // guards what follows
	over   bool
	lost   int
	began  time.Time // of the interval whose packets are counted
	inTime int
}

// New makes a trace that takes lines already.
func New(o Options) *Trace {
	return &Trace{options: o, lines: make(chan string, backlog), ended: make(chan struct{})}
}

// Matches tells that the trace is of a client.
func (t *Trace) Matches(mountpoint, id string) bool {
	return t.options.ID == id && t.options.Mountpoint == mountpoint
}

// Truncate is the number of bytes of a payload that are shown.
func (t *Trace) Truncate() int { return t.options.Truncate }

// Say adds a line. Further lines of it are indented already.
func (t *Trace) Say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.say(time.Now(), fmt.Sprintf(format, args...))
}

func (t *Trace) say(now time.Time, text string) {
	if t.over {
		return
	}
	if t.lost > 0 {
		select {
		case t.lines <- fmt.Sprintf("%s%d lines lost: nobody reads as fast.", t.stamp(now), t.lost):
			t.lost = 0
		default:
			t.lost++
			return
		}
	}
	select {
	case t.lines <- t.stamp(now) + text:
	default:
		t.lost++
	}
}

func (t *Trace) stamp(now time.Time) string {
	if !t.options.Times {
		return ""
	}
	return now.UTC().Format("2006-01-02T15:04:05Z ")
}

// Packet shows a packet from the client, or to it. pid names the connection.
func (t *Trace) Packet(pid string, received bool, v codec.Version, f codec.Frame) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	now := time.Now()
	if t.exceeds(now) {
		t.say(now, "Trace rate limit triggered.")
		t.end()
		return
	}
	var b strings.Builder
	b.WriteString(pid)
	if received {
		b.WriteString(" MQTT RECV: ")
	} else {
		b.WriteString(" MQTT SEND: ")
	}
	if t.options.Mountpoint != "" {
		fmt.Fprintf(&b, "MP: %q ", t.options.Mountpoint)
	}
	fmt.Fprintf(&b, "CID: %q ", t.options.ID)
	(&writer{&b, v, t.options.Truncate}).packet(f)
	t.say(now, strings.TrimSuffix(b.String(), "\n"))
}

// exceeds counts a packet and tells whether there were too many.
func (t *Trace) exceeds(now time.Time) bool {
	if now.Sub(t.began) >= t.options.RateInterval {
		t.began, t.inTime = now, 0
	}
	t.inTime++
	return t.inTime > t.options.RateMax
}

// End ends the trace, after a last line if there is one.
func (t *Trace) End(last string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last != "" {
		t.say(time.Now(), last)
	}
	t.end()
}

func (t *Trace) end() {
	if !t.over {
		t.over = true
		close(t.ended)
	}
}

// Run gives the lines to a function until the trace or ctx ends, or the
// function fails.
func (t *Trace) Run(ctx context.Context, line func(string) error) error {
	defer t.End("")
	for {
		select {
		case s := <-t.lines:
			if err := line(s); err != nil {
				return err
			}
			continue
		case <-ctx.Done():
		case <-t.ended:
		}
		return t.rest(line)
	}
}

// rest gives out what waits after the end.
func (t *Trace) rest(line func(string) error) error {
	t.End("")
	for {
		select {
		case s := <-t.lines:
			if err := line(s); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// payload writes an indented payload, cut.
func payload(b *strings.Builder, p []byte, limit int) {
	b.WriteString("    ")
	cut := len(p) > limit
	if cut {
		p = p[:limit]
	}
	b.WriteString(text(p))
	if cut {
		b.WriteString(" (truncated)")
	}
	b.WriteByte('\n')
}

// text shows bytes; those that are no printable text as \xNN.
func text(p []byte) string {
	var b strings.Builder
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n <= 1 || !unicode.IsPrint(r) {
			fmt.Fprintf(&b, "\\x%02x", p[:n])
		} else {
			b.Write(p[:n])
		}
		p = p[n:]
	}
	return b.String()
}
