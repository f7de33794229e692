package server

import (
	"fmt"
	"time"

	"vernemq/codec"
)

// watchEvery is how often the space on the disk is looked at.
const watchEvery = time.Second

var errStoreFailed = &codec.Error{Code: codec.UnspecifiedError, Text: "the store has failed"}

// safe tells that records are taken. While they are not, no message is accepted
// that would be acknowledged, and no subscription that would be kept. Sessions
// go on, in what was kept free for that.
func (b *Broker) safe() bool { return b.trouble.Load() == nil }

// Trouble says why nothing is stored, "" when all is well. Any goroutine.
func (b *Broker) Trouble() string {
	if t := b.trouble.Load(); t != nil {
		return *t
	}
	return ""
}

// storeFailed notes that the store has failed, which only a restart can mend.
// Any goroutine.
func (b *Broker) storeFailed(err error) {
	text := err.Error()
	if old := b.trouble.Swap(&text); old == nil {
		b.log.Error("nothing is stored any more", "cause", err.Error())
	}
}

// watchDisk stops taking records before the disk is full, so that what goes on
// (acknowledgements of what is stored) still finds room, and takes them again
// when there is more.
func (b *Broker) watchDisk() {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for {
		select {
		case <-b.stopping:
			return
		case <-t.C:
		}
		free, err := b.store.Free()
		if failed := b.store.Health(); failed != nil {
			b.storeFailed(failed)
			continue
		}
		b.judgeSpace(free, err)
	}
}

// judgeSpace compares what is free with what is to be kept free.
func (b *Broker) judgeSpace(free uint64, err error) {
	keep := uint64(b.config.Load().DiskReserve)
	if err != nil || keep == 0 {
		return
	}
	full := b.trouble.Load() != nil
	switch {
	case !full && free < keep:
		text := fmt.Sprintf("the disk is full: %d MiB are free, %d MiB are kept free", free>>20, keep>>20)
		b.trouble.Store(&text)
		b.log.Error("messages are refused", "cause", text)
	case full && b.store.Health() == nil && free > keep+keep/8:
		b.trouble.Store(nil)
		b.log.Warn("messages are accepted again: there is space on the disk", "free_mib", free>>20)
	}
}

// Checkpoint copies the store as it is now into a directory that does not exist
// yet. Any goroutine.
func (b *Broker) Checkpoint(dir string) error { return b.store.Checkpoint(dir) }
