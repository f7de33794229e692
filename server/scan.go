package server

import (
	"context"
	"errors"
	"math/bits"
	"time"
)

// scanBlock is the number of places of a client table that a turn of a loop looks
// at without looking at the clock.
const scanBlock = 64

// scanTime is how long a turn of a loop looks at clients; the block that it has
// begun comes on top. Then it is the turn of messages.
const scanTime = 100 * time.Microsecond

// block yields the clients whose place by hash lies in one block of the table
// and gives the cursor of the next block, 0 after the last one. A walk begins
// with 0 and may be interrupted: the table may grow and shrink meanwhile. A
// client that is there all the time is yielded at least once, and twice only if
// the table shrinks.
//
// The blocks are walked in the order of their reversed numbers. A table that
// doubles splits each block in two, whose numbers differ in the highest bit: in
// that order both halves of a block stand beside each other, so that what was
// walked before and what was not stay apart.
func (t *clientTable) block(cursor uint64, yield func(*client)) (next uint64) {
	n := uint64(len(t.slots))
	if n == 0 {
		return 0
	}
	size := min(scanBlock, n)
	blocks := n/size - 1 // as a mask
	first := (cursor & blocks) * size
	// Clients whose place was taken stand behind it, without a gap.
	for i := first; i < first+size || t.slots[i&(n-1)] != nil && i < first+n; i++ {
		c := t.slots[i&(n-1)]
		if c == nil {
			continue
		}
		if home := start(c.session.Key) & (n - 1); home >= first && home < first+size {
			yield(c)
		}
	}
	cursor |= ^blocks
	return bits.Reverse64(bits.Reverse64(cursor) + 1)
}

// walk yields all clients of the broker to f, on their loops, some in each turn:
// until scanTime is over or full tells that it is enough. between runs on the
// caller's goroutine after each turn, while the loops go on; it returns false to
// end the walk.
func (b *Broker) walk(ctx context.Context, f func(*loop, *client), full, between func() bool) error {
	done := make(chan struct{}, 1)
	for _, l := range b.loops {
		for cursor, more := uint64(0), true; more; {
			l.reactor.Post(func() {
				cursor = l.look(cursor, f, full)
				done <- struct{}{}
			})
			if err := b.await(ctx, done); err != nil {
				return err
			}
			if more = cursor != 0; !between() {
				return nil
			}
		}
	}
	return nil
}

// look yields the clients of a turn, from a cursor on, and gives the next one, 0
// at the end.
func (l *loop) look(cursor uint64, f func(*loop, *client), full func() bool) (next uint64) {
	end := time.Now().Add(scanTime)
	for {
		cursor = l.clients.block(cursor, func(c *client) { f(l, c) })
		if cursor == 0 || full() || !time.Now().Before(end) {
			return cursor
		}
	}
}

// never and always are answers to walk.
func never() bool  { return false }
func always() bool { return true }

// onLoop runs f on a loop and waits for it.
func (b *Broker) onLoop(ctx context.Context, l *loop, f func()) error {
	done := make(chan struct{}, 1)
	l.reactor.Post(func() { f(); done <- struct{}{} })
	return b.await(ctx, done)
}

// onLoopSafely does so and waits until what f has written is safe.
func (b *Broker) onLoopSafely(ctx context.Context, l *loop, f func()) error {
	done := make(chan struct{}, 1)
	l.reactor.Post(func() {
		written := l.ledger.written
		f()
		if l.ledger.written == written {
			done <- struct{}{}
			return
		}
		l.whenSafe(func() { done <- struct{}{} })
	})
	if err := b.await(ctx, done); err != nil {
		return err
	}
	if t := b.Trouble(); t != "" {
		return errors.New(t)
	}
	return nil
}
