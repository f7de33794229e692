package disk

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// InMemory is for tests: a small store that ends with the process. Who opens
// another one with the same options, after closing it, finds what it had.
func InMemory() Options {
	return Options{Dir: "store", FS: vfs.NewMem(), Cache: 1 << 20, MemTable: 256 << 10}
}

// pebbleOptions are the settings for many small records that are mostly
// written, read once and deleted.
func pebbleOptions(s *Store) *pebble.Options {
	o := &pebble.Options{
		FS: s.guard, Logger: pebbleLog{s.fail}, Merger: bodyMerger,
		Cache: s.cache, MemTableSize: 32 << 20,
		// A burst fills memtables faster than they are flushed; the writer
		// waits only when four are full.
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       32,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                1000,
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             1 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		FormatMajorVersion:          formatOf(s.opts.Sync),
		EventListener:               events(s.fail),
	}
	if s.opts.MemTable > 0 {
		o.MemTableSize = s.opts.MemTable
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 16 << 10
		o.Levels[i].IndexBlockSize = 64 << 10
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	return o
}

// formatOf is Pebble's format. The newer one notes in the WAL how much of it
// was synced, so that damage in that part is not taken for the ragged end that
// a crash leaves. Without Sync that note would be untrue. Pebble never goes
// back: a store that was opened with Sync once may be refused after a power
// loss without it.
func formatOf(sync bool) pebble.FormatMajorVersion {
	if sync {
		return pebble.FormatWALSyncChunks
	}
	return pebble.FormatColumnarBlocks
}

func events(fail *failure) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if fail.disk() == nil { // Pebble repeats what cannot succeed
				fail.log.Error("pebble: " + err.Error())
			}
		},
		DataCorruption: func(i pebble.DataCorruptionInfo) { fail.damage(i.Path, i.Details) },
	}
}
