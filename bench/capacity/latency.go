package capacity

import (
	"fmt"
	"math"
	"slices"

	"vernemq/tuning"
)

// latency is a queueing estimate (M/M/1): base + walk over the receivers +
// waiting. The kernel, the network and the receivers' own time are in the base,
// as far as they were in the calibration.
func (e *Estimate) latency(loops float64) {
	d, q, l := &e.Demand, &e.k.QoS[e.Demand.QoS], &e.k.Latency
	if d.Rate*d.Fanout == 0 {
		return
	}
	u := min(e.cpu(loops)/1e6, 0.99)
	// A message's receivers are spread over the loops, which walk at once.
	walk := d.Fanout / min(loops, max(d.Fanout, 1)) * (q.Out.Value + float64(d.Payload)/1024*e.k.Payload.Value) / 1000
	work := walk + (q.In.Value+float64(d.Payload)/1024*e.k.Payload.Value)/1000
	x := u / (1 - u)
	wait := func(quantile, growth float64) float64 {
		part := u / (1 - quantile) // u × e^(-(1-u)t/work) = 1 - quantile
		queue := 0.0
		if part > 1 {
			queue = work / (1 - u) * math.Log(part)
		}
		return max(queue, growth*x)
	}
	e.step("work of a message", work, "ms", "in + its share of the receivers in a loop × out")
	const how = "%.3g ms at low load + %.3g of %.3g ms for the walk over the receivers + %.3g ms waiting (the larger of M/M/1 at %.0f %% and measured growth %.3g ms × u/(1-u))"
	w := wait(0.5, l.GrowthP50.Value)
	e.add("latency p50", l.P50.Value+walk/2+w, "ms", how, l.P50.Value, 0.5, walk, w, 100*u, l.GrowthP50.Value)
	w = wait(0.99, l.GrowthP99.Value)
	e.add("latency p99", l.P99.Value+walk+w, "ms", how, l.P99.Value, 1.0, walk, w, 100*u, l.GrowthP99.Value)
}

// limits compares with a host, the tightest first. What is not known there is
// left out.
func (e *Estimate) limits(h *tuning.Host, link float64) {
	add := func(name, unit string, need float64, have tuning.Value, scale float64) {
		if have > 0 && have != tuning.Unlimited {
			e.Limits = append(e.Limits, Limit{name, need, float64(have) / scale, unit})
		}
	}
	memory := max(e.Value("memory of the broker"), e.Value("memory after a storm")) + e.Value("memory of the kernel") + e.Value("socket buffers")
	room := h.Memory
	if h.CgroupMemory > 0 && (room <= 0 || h.CgroupMemory < room) {
		room = h.CgroupMemory
	}
	if q := h.CgroupMilliCores; q > 0 && (h.Cores <= 0 || q/1000 < h.Cores) {
		add("cores", "cores", e.Value("cores"), q, 1000)
	} else {
		add("cores", "cores", e.Value("cores"), h.Cores, 1)
	}
	add("memory", "MiB", memory, room, mib)
	add("descriptors", "files", e.Value("descriptors"), h.FilesHard, 1)
	add("network", "Mbit/s", max(e.Value("network in"), e.Value("network out")), tuning.Value(link), 1e6)
	slices.SortStableFunc(e.Limits, func(a, b Limit) int { // more used first
		switch {
		case a.Used() > b.Used():
			return -1
		case a.Used() < b.Used():
			return 1
		}
		return 0
	})
}

// where says where the constants were measured.
func (c *Calibration) where() string {
	s := fmt.Sprintf("measured %s on %s, %d CPUs, %s", c.Made.Format("2006-01-02"), c.Processor, c.Host.CPUs, c.Host.System)
	if c.TLS != "" {
		s += ", over " + c.TLS
	}
	if c.Quick {
		s += " (quick)"
	}
	if c.builtin {
		return "built in, not of this machine: " + s
	}
	return c.file + ": " + s
}
