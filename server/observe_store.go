package server

import (
	"vernemq/queue/store/disk"
	"vernemq/server/metrics"
)

// observeStore measures the store.
func (b *Broker) observeStore() {
	b.registry.Source(func(emit metrics.Emit) {
		m := b.store.Metrics()
		emit("store_disk_bytes", m.DiskBytes)
		emit("store_waiting_bytes", uint64(max(m.Waiting, 0)))
		emit("store_commits", m.Groups)
		emit("store_records", m.Writes)
		emit("store_log_bytes", m.WALBytes)
		emit("store_compacted_bytes", m.FlushedBytes)
		emit("store_compactions", uint64(max(m.Compactions, 0)))
		emit("store_read_amplification", uint64(m.ReadAmp))
		emit("store_queues_deleting", uint64(max(m.Deleting, 0)))
		emit("store_readers_waiting", uint64(b.readers.pending()))
		failed := uint64(0)
		if !b.safe() {
			failed = 1
		}
		emit("store_failed", failed)
	})
	b.registry.Distribution("store_commit_microseconds", func() *metrics.Distribution {
		m := b.store.Metrics()
		d := &metrics.Distribution{Counts: m.Latency[:], Sum: uint64(m.LatencySeconds * 1e6)}
		for i := range disk.LatencyBuckets - 1 {
			d.Bounds = append(d.Bounds, 1<<i) // a bucket ends below the power, which a count of whole microseconds does not tell from at
		}
		return d
	})
}
