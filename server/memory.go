package server

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	giveBackEvery = 10 * time.Second
	giveBackFrom  = 64 << 20 // bytes that are kept for nothing
)

// giveBack returns memory to the system after a storm. The runtime does so by
// itself, but takes many minutes, and another process may need it now.
func (b *Broker) giveBack() {
	t := time.NewTicker(giveBackEvery)
	defer t.Stop()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case <-b.stopping:
			return
		case <-t.C:
		}
		metrics.Read(sample)
		free, objects, live := sample[0].Value.Uint64()+sample[1].Value.Uint64(), sample[2].Value.Uint64(), sample[3].Value.Uint64()
		if idle := free + objects - min(objects, live); idle > giveBackFrom && idle > live {
			debug.FreeOSMemory()
		}
	}
}
