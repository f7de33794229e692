package server

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	giveBackEvery = 10 * time.Second
	giveBackFrom  = 16 << 20 // bytes more than last time, or an eighth more
)

// giveBack returns memory to the system after a storm. The runtime does so by
// itself, but in many minutes: it collects garbage every two while little is
// allocated, pools are only emptied by the second collection, and what is free
// then is handed over slowly.
func (b *Broker) giveBack() {
	t := time.NewTicker(giveBackEvery)
	defer t.Stop()
	var k keeper
	for {
		select {
		case <-b.stopping:
			return
		case <-t.C:
		}
		if held, allocated := heapHeld(); k.wants(held, allocated) {
			debug.FreeOSMemory()
			after, _ := heapHeld()
			k.freed(held, after)
		}
	}
}

// heapHeld is the heap that the system has not got back, and all that was ever
// allocated, in bytes.
func heapHeld() (held, allocated uint64) {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() + s[1].Value.Uint64() + s[2].Value.Uint64(), s[3].Value.Uint64()
}

// keeper decides when it is worth while to look for memory to give back: when
// little has been allocated since the last look, and much more is held than
// was needed after the last time.
type keeper struct{ allocated, needed uint64 }

func (k *keeper) wants(held, allocated uint64) bool {
	quiet := allocated-k.allocated < held/64
	k.allocated = allocated
	return quiet && held > k.needed+max(giveBackFrom, k.needed/8)
}

// freed notes what came of it. As long as a lot came, there may be more.
func (k *keeper) freed(before, after uint64) {
	if k.needed = after; before-min(before, after) > before/10 {
		k.needed = 0
	}
}
