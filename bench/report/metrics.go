package report

import (
	"maps"
	"slices"
	"strings"

	"vernemq/bench"
)

// metric is a figure of a run.
type metric struct {
	key, name string
	value     float64
}

// metricsOf lists the figures that a run has.
func metricsOf(run *bench.Run) (ms []metric) {
	add := func(key, name string, v float64) { ms = append(ms, metric{key, name, v}) }
	if c := run.Connect; c != nil {
		connects(c, "", "", add)
	}
	if c := run.Again; c != nil {
		connects(c, "again_", " again", add)
	}
	if m := run.Flow; m != nil {
		messages(m, add)
	}
	if k := run.Knee; k != nil {
		add("knee_per_s", "knee, messages/s", k.Offered)
	}
	if u := run.Broker; u != nil {
		add("broker_cpu_percent", "broker, % of a core", u.CPUPercent)
		add("rss_mib", "broker memory, MiB", float64(u.MemoryTo)/(1<<20))
		add("rss_max_mib", "broker memory at most, MiB", float64(u.MemoryMax)/(1<<20))
		add("switches_per_s", "broker context switches/s", u.Switches)
		if u.Calls > 0 {
			add("io_calls_per_s", "broker read and write calls/s", u.Calls)
		}
	}
	if run.Generator.CPU > 0 {
		add("generator_cpu_us", "generator, µs of CPU per message in or out", run.Generator.CPU)
	}
	if run.Generator.Lag > 0 {
		add("generator_lag_p99_ms", "generator late by itself, p99, ms", run.Generator.Lag)
	}
	add("generator_busy_percent", "generator busy, %", run.Generator.Busy)
	return ms
}

func connects(c *bench.Connect, key, word string, add func(key, name string, v float64)) {
	add(key+"connected", "clients connected"+word, float64(c.Connected))
	add(key+"connects_per_s", "connects/s"+word, c.PerSecond)
	add(key+"connect_p99_ms", "connect p99"+word+", ms", c.Latency.P99)
	if c.TLS != nil {
		add(key+"tls_resumed", "TLS sessions resumed"+word, float64(c.Resumed))
	}
	if c.Turned > 0 {
		add(key+"turned_away", "turned away with a wrong password"+word, float64(c.Turned))
	}
	for _, reason := range slices.Sorted(maps.Keys(c.Refused)) {
		code, _, _ := strings.Cut(reason, " ")
		add(key+"refused_"+code, "refused"+word+": "+reason, float64(c.Refused[reason]))
	}
	if c.CPU > 0 {
		add(key+"cpu_us_per_connect", "broker, µs of CPU per connect"+word, c.CPU)
		add(key+"connects_per_cpu_s", "connects per second of the broker's CPU"+word, 1e6/c.CPU)
	}
	if c.Memory != 0 {
		add("rss_bytes_per_conn", "broker memory per connection, bytes", float64(c.Memory))
	}
}

func messages(m *bench.Messages, add func(key, name string, v float64)) {
	add("sent", "messages sent", float64(m.Sent))
	add("delivered", "messages delivered", float64(m.Delivered))
	if m.SentRate > 0 {
		add("sent_per_s", "sent/s", m.SentRate)
	}
	add("msgs_per_s", "delivered/s", m.Rate)
	add("p50_ms", "message p50, ms", m.Latency.P50)
	add("p99_ms", "message p99, ms", m.Latency.P99)
	if m.CPU > 0 {
		add("cpu_us_per_msg", "broker, µs of CPU per delivery", m.CPU)
		if m.Written > 0 {
			add("disk_bytes_per_msg", "broker, bytes written to disk per delivery", m.Written)
		}
	}
	add("lost", "lost", float64(m.Lost))
	add("duplicates", "duplicates", float64(m.Duplicates))
	add("out_of_order", "out of order", float64(m.Late))
	if m.Unsent > 0 {
		add("unsent", "due and not sent", float64(m.Unsent))
	}
	if m.Slow > 0 || m.SlowLost > 0 {
		add("slow_delivered", "delivered to slow subscribers", float64(m.Slow))
		add("slow_lost", "not delivered to slow subscribers", float64(m.SlowLost))
	}
}

// series is a figure over all runs of a result.
type series struct {
	key, name string
	values    []float64
}

func (s *series) min() float64 { return slices.Min(s.values) }
func (s *series) max() float64 { return slices.Max(s.values) }

func (s *series) median() float64 {
	v := slices.Sorted(slices.Values(s.values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// across collects the figures of all runs.
func across(r *bench.Result) (all []series) {
	for _, run := range r.Runs {
		for _, m := range metricsOf(run) {
			i := slices.IndexFunc(all, func(s series) bool { return s.key == m.key })
			if i < 0 {
				i = len(all)
				all = append(all, series{key: m.key, name: m.name})
			}
			all[i].values = append(all[i].values, m.value)
		}
	}
	return all
}
