package logging

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// queueBytes bounds what waits to be written to a place.
const queueBytes = 1 << 20

// output is what a sink writes to. Only the sink's goroutine calls it.
type output interface {
	// write writes lines: whole entries, one after the other.
	write(lines [][]byte) error
	close() error
}

// sink is a place of the log, with the goroutine that writes there.
type sink struct {
	name    string
	file    string // path, if it is a file
	level   atomic.Int64
	format  format
	crashes bool // takes crashes only
	out     output

	mu     sync.Mutex // guards what follows
	lines  [][]byte
	size   int // of lines, bytes
	lost   int
	asked  []func(output)
	closed bool

	filled chan struct{} // something waits, or closed
	done   sync.WaitGroup
}

// take queues an entry. It never waits for the place.
func (s *sink) take(e *entry) {
	if s.crashes && e.stack() == "" {
		return
	}
	var b bytes.Buffer
	s.format(&b, e)
	s.mu.Lock()
	if s.size+b.Len() > queueBytes && len(s.lines) > 0 {
		s.lost++
	} else {
		s.lines, s.size = append(s.lines, b.Bytes()), s.size+b.Len()
	}
	s.mu.Unlock()
	s.wake()
}

// ask runs f with the output on the sink's goroutine, soon.
func (s *sink) ask(f func(output)) {
	s.mu.Lock()
	s.asked = append(s.asked, f)
	s.mu.Unlock()
	s.wake()
}

func (s *sink) wake() {
	select {
	case s.filled <- struct{}{}:
	default:
	}
}

// run writes until the sink is closed.
func (s *sink) run() {
	for {
		<-s.filled
		s.mu.Lock()
		lines, lost, asked, closed := s.lines, s.lost, s.asked, s.closed
		s.lines, s.size, s.lost, s.asked = nil, 0, 0, nil
		s.mu.Unlock()
		for _, f := range asked {
			f(s.out)
		}
		queued := len(lines)
		if lost > 0 {
			lines = append(lines, s.lostLine(lost))
		}
		if len(lines) > 0 {
			if err := s.out.write(lines); err != nil { // a log that cannot be written ends nothing
				s.mu.Lock()
				s.lost += queued + lost
				s.mu.Unlock()
			}
		}
		if closed {
			return
		}
	}
}

// lostLine tells of lines that could not be written.
func (s *sink) lostLine(n int) []byte {
	r := slog.NewRecord(time.Now(), slog.LevelWarn, fmt.Sprintf("%d log lines were lost: they could not be written, or not fast enough", n), 0)
	var b bytes.Buffer
	s.format(&b, &entry{Record: r})
	return b.Bytes()
}

// close writes what is queued and closes the place, or gives up when ctx ends.
func (s *sink) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake()
	done := make(chan struct{})
	go func() { s.done.Wait(); close(done) }()
	select {
	case <-done:
		return s.out.close()
	case <-ctx.Done():
		return fmt.Errorf("cannot write the end of the log %s: %w", s.name, ctx.Err())
	}
}

// plain is an output without anything special, as the console.
type plain struct{ io.Writer }

func (p plain) write(lines [][]byte) error {
	_, err := p.Write(bytes.Join(lines, nil))
	return err
}

func (plain) close() error { return nil }
