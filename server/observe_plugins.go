package server

import (
	"vernemq/server/metrics"
	"vernemq/server/plugin/webhooks"
)

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
