package disk

import "time"

// pace decides when the writer lingers: after a commit it waits a moment for
// more, so that what comes and goes in that time is not written. It does so
// while there is much to write and a good part of it turns out to be saved.
// Else a batch that comes to an idle writer is committed at once.
type pace struct {
	latest time.Time // when a commit began

	since          time.Time // begin of the window
	written, saved int       // in it

	lingers bool
	not     time.Time // it is no use until then
}

const (
	lingerTime   = time.Millisecond // from the beginning of a commit to the next one
	lingerWrites = 50               // writes expected in that time
	paceWindow   = 10 * lingerTime
	noLingerTime = 200 * time.Millisecond
)

// pause is how long a commit may still wait.
func (p *pace) pause(now time.Time) time.Duration {
	if !p.lingers {
		return 0
	}
	return lingerTime - now.Sub(p.latest)
}

// commit counts a group whose commit begins: writes, and those saved by
// annihilation between its batches.
func (p *pace) commit(now time.Time, written, saved int) {
	p.latest = now
	p.written += written
	p.saved += saved
	d := now.Sub(p.since)
	if d < paceWindow {
		return
	}
	if p.lingers && 3*p.saved < p.written {
		p.not = now.Add(noLingerTime)
	}
	much := p.written+p.saved >= lingerWrites*int(d/lingerTime)
	p.lingers = much && !now.Before(p.not)
	p.since, p.written, p.saved = now, 0, 0
}
