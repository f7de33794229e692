package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"vernemq/bench"
)

// progress shows how a run goes on: one line that is written anew on a
// terminal, a line now and then elsewhere.
type progress struct {
	to       *os.File
	terminal bool
	quiet    bool
	lines    int
	run      string
	phase    string
}

// plainEvery is how many samples lie between lines that stay.
const plainEvery = 10

func newProgress(to *os.File, quiet bool) *progress {
	_, err := unix.IoctlGetTermios(int(to.Fd()), unix.TCGETS)
	return &progress{to: to, terminal: err == nil, quiet: quiet}
}

func (p *progress) begin(run, of int) {
	p.lines, p.phase, p.run = 0, "", ""
	if of > 1 {
		p.run = fmt.Sprintf("run %d/%d  ", run, of)
	}
}

func (p *progress) show(s bench.Sample) {
	if p.quiet {
		return
	}
	line := p.run + line(s)
	if p.terminal {
		if w, err := unix.IoctlGetWinsize(int(p.to.Fd()), unix.TIOCGWINSZ); err == nil && w.Col > 0 && len(line) >= int(w.Col) {
			line = line[:w.Col-1] // a line that wraps cannot be written anew
		}
		fmt.Fprintf(p.to, "\r\x1b[K%s", line)
		return
	}
	if p.lines%plainEvery == 0 || s.Phase != p.phase {
		fmt.Fprintln(p.to, line)
		p.lines = 0
	}
	p.phase = s.Phase
	p.lines++
}

func (p *progress) end() {
	if p.terminal && !p.quiet {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

func line(s bench.Sample) string {
	out := fmt.Sprintf("%4.0f s  %-8s %7d open", s.Second, s.Phase, s.Open)
	if s.Connected > 0 {
		out += fmt.Sprintf("  %.0f connects/s", s.Connected)
	}
	if s.Sent > 0 || s.Delivered > 0 {
		out += fmt.Sprintf("  in %.0f/s  out %.0f/s", s.Sent, s.Delivered)
	}
	if s.P99 > 0 { // not in the warm-up
		out += fmt.Sprintf("  p50 %.2f ms  p99 %.2f ms", s.P50, s.P99)
	}
	if s.Memory > 0 {
		out += fmt.Sprintf("  cpu %.0f%%  rss %.0f MiB", s.CPU, float64(s.Memory)/(1<<20))
	}
	return out
}
