package disk

import (
	"math/bits"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// LatencyBuckets is the number of buckets of Metrics.Latency.
const LatencyBuckets = 24

// Metrics are the figures of a store since it was opened.
type Metrics struct {
	DiskBytes     uint64 // all files
	Compactions   int64  // in progress
	ReadAmp       int    // files a read may have to look at
	WALBytes      uint64 // written to the log
	FlushedBytes  uint64 // written by flushes and compactions
	Waiting       int64  // bytes handed over and not committed
	Deleting      int64  // queues being deleted
	Batches       uint64 // committed, or refused after a failure
	Groups        uint64 // commits of batches: Batches/Groups batches each
	Writes        uint64 // records written: Writes/Groups records each
	Bytes         uint64 // of those records, in Pebble's batch format
	CommitSeconds float64
	// Latency counts batches by the time from Commit to done: bucket i is less
	// than 2^i microseconds and not less than half of that; the last one is open.
	Latency        [LatencyBuckets]uint64
	LatencySeconds float64 // sum
}

type figures struct {
	mu sync.Mutex
	m  Metrics
}

// group counts a group before its batches are given back.
func (f *figures) group(batches []*Batch, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.m.Groups++
	f.m.Batches += uint64(len(batches))
	f.m.CommitSeconds += d.Seconds()
	for _, b := range batches {
		waited := time.Since(b.handed)
		f.m.LatencySeconds += waited.Seconds()
		f.m.Latency[min(bits.Len64(uint64(waited.Microseconds())), LatencyBuckets-1)]++
	}
}

func (f *figures) wrote(w *pebble.Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.m.Writes += uint64(w.Count())
	f.m.Bytes += uint64(w.Len())
}

func (f *figures) deleting(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.m.Deleting = int64(n)
}

func (f *figures) read() Metrics {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.m
}

// Metrics reads the figures.
func (s *Store) Metrics() Metrics {
	p := s.db.Metrics()
	m := s.figures.read()
	m.DiskBytes = p.DiskSpaceUsage()
	m.Compactions = p.Compact.NumInProgress
	m.ReadAmp = p.ReadAmp()
	m.WALBytes = p.WAL.BytesWritten
	for _, l := range p.Levels {
		m.FlushedBytes += l.TableBytesFlushed + l.TableBytesCompacted
	}
	m.Waiting = s.Behind()
	return m
}
