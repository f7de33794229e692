package server

import (
	"vernemq/queue/store/disk"
	"vernemq/server/metrics"
)

// diskStore is a store that is on disk. Health is the failure after which it
// takes no more writes.
type diskStore interface {
	Metrics() disk.Metrics
	Health() error
}

// observeStore measures the store, if it is on disk.
func (b *Broker) observeStore() {
	st, ok := b.store.(diskStore)
	if !ok {
		return
	}
	b.registry.Run("store on disk")
	b.registry.Source(func(emit metrics.Emit) {
		m := st.Metrics()
		emit("store_disk_bytes", m.DiskBytes)
		emit("store_waiting_bytes", uint64(max(m.Waiting, 0)))
		emit("store_commits", m.Groups)
		emit("store_records", m.Writes)
		if st.Health() != nil {
			emit("store_failed", 1)
		}
	})
	b.registry.Distribution("store_commit_microseconds", func() *metrics.Distribution {
		m := st.Metrics()
		d := &metrics.Distribution{Counts: m.Latency[:], Sum: uint64(m.LatencySeconds * 1e6)}
		for i := range disk.LatencyBuckets - 1 {
			d.Bounds = append(d.Bounds, 1<<i) // a bucket ends below the power, which a count of whole microseconds does not tell from at
		}
		return d
	})
}
