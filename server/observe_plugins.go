package server

import (
	"sync"
	"time"

	"vernemq/server/hooks"
	"vernemq/server/metrics"
	"vernemq/server/plugin/webhooks"
)

// hookTimes are the times that hooks took which were not answered at once, by
// hook.
type hookTimes struct {
	mu    sync.Mutex
	times map[hooks.Name]*metrics.Histogram
}

// hookTook counts one. Any goroutine.
func (b *Broker) hookTook(hook hooks.Name, d time.Duration) {
	b.hookTimes.mu.Lock()
	h := b.hookTimes.times[hook]
	if h == nil {
		h = b.registry.Histogram("hook_microseconds", metrics.Label{Key: "hook", Value: hook.String()})
		if b.hookTimes.times == nil {
			b.hookTimes.times = map[hooks.Name]*metrics.Histogram{}
		}
		b.hookTimes.times[hook] = h
	}
	b.hookTimes.mu.Unlock()
	h.Observe(uint64(d.Microseconds()))
}

// observePlugins measures what plugins do.
func (b *Broker) observePlugins() {
	for _, p := range b.Plugins() {
		b.registry.Run(p.Name)
	}
	b.registry.Source(func(emit metrics.Emit) {
		p, ok := b.Plugin("vmq_webhooks").(*webhooks.Plugin)
		if !ok {
			return
		}
		for _, f := range p.Totals() {
			name := "webhooks_" + f.Hook.String()
			emit(name+"_requests", f.Requests)
			emit(name+"_errors", f.Errors)
			emit(name+"_bytes_sent", f.Bytes)
			emit(name+"_cancelled", f.Canceled)
			emit(name+"_timeouts", f.Timeouts)
			emit(name+"_elapsed_ms", uint64(f.Elapsed.Milliseconds()))
		}
	})
}
