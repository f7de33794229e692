package reactor

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Inbox is a queue with many writers that is drained on one loop. Items keep
// the order of each writer.
type Inbox[T any] struct {
	loop  *Loop
	drain func([]T)
	size  atomic.Int64 // items in in; any goroutine reads
	mu    sync.Mutex
	in    []T // under mu
	spare []T // the loop's
}

// inboxKept is the capacity up to which an inbox keeps its slices after a
// burst.
const inboxKept = 8192

type drainer interface{ drainAll() }

// NewInbox makes an inbox of a loop. drain must not keep the slice. Any
// goroutine.
func NewInbox[T any](l *Loop, drain func([]T)) *Inbox[T] {
	b := &Inbox[T]{loop: l, drain: drain}
	l.inboxMu.Lock()
	defer l.inboxMu.Unlock()
	var list []drainer
	if old := l.inboxes.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = append(list, b)
	l.inboxes.Store(&list)
	return b
}

// Put adds an item. A loop that has ended takes none. Any goroutine.
func (b *Inbox[T]) Put(v T) {
	if b.loop.ended.Load() {
		return
	}
	b.mu.Lock()
	b.in = append(b.in, v)
	n := len(b.in)
	b.size.Store(int64(n))
	b.mu.Unlock()
	if n == 1 {
		b.loop.Ring()
	}
}

// PutAll adds items. Any goroutine.
func (b *Inbox[T]) PutAll(vs []T) {
	if len(vs) == 0 || b.loop.ended.Load() {
		return
	}
	b.mu.Lock()
	first := len(b.in) == 0
	b.in = append(b.in, vs...)
	b.size.Store(int64(len(b.in)))
	b.mu.Unlock()
	if first {
		b.loop.Ring()
	}
}

// Len is the number of items that wait. Any goroutine.
func (b *Inbox[T]) Len() int { return int(b.size.Load()) }

func (b *Inbox[T]) drainAll() { b.handle(b.take()) }

// take empties the inbox.
func (b *Inbox[T]) take() (items []T) {
	if b.size.Load() == 0 {
		return nil
	}
	b.mu.Lock()
	items = b.in
	b.in, b.spare = b.spare[:0], nil
	b.size.Store(0)
	b.mu.Unlock()
	return items
}

// handle gives items to the loop's function and keeps their slice.
func (b *Inbox[T]) handle(items []T) {
	if len(items) == 0 {
		return
	}
	b.loop.guard(nil, func() { b.drain(items) })
	clear(items)
	b.spare = items[:0]
	if cap(items) > inboxKept {
		b.spare = nil
	}
}
