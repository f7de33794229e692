package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

func metricsCommands() []Command {
	return []Command{
		{Name: "metrics show", About: "Show all system metrics", run: metricsShow, Flags: metricsFlags,
			Text: "Shows the metrics. Labels select: all that are given must match."},
		{Name: "metrics reset", About: "Set the counters to 0", run: metricsReset, Hidden: true, Text: "Sets the counters to 0."},
	}
}

var metricsFlags = []Param{
	{Name: "with-descriptions", Short: 'd', Type: bareType, About: "also shows what each metric means"},
	{Name: "aggregate", Short: 'a', Value: "<true|false>", Type: boolType, About: "sums up over labels. Default: true."},
	{Name: "mqtt_version", Type: fieldType, Value: "<4|5>", About: "only this version of MQTT"},
	{Name: "return_code", Type: fieldType, Value: "<code>", About: "only this code of a CONNACK of MQTT 3: success, unsupported_protocol_version, client_identifier_not_valid, server_unavailable, bad_username_or_password, not_authorized"},
	{Name: "reason_code", Type: fieldType, Value: "<code>", About: "only this reason code of MQTT 5, in small letters, such as not_authorized"},
	{Name: "group", Type: fieldType, Value: "<group>", About: "only this partition of the replicated data"},
}

func metricsShow(_ context.Context, c *Call) error {
	b, err := c.broker()
	if err != nil {
		return err
	}
	want := map[string]string{}
	for _, f := range c.flags {
		switch f.Name {
		case "with-descriptions", "aggregate":
		default:
			want[f.Name] = f.Value
		}
	}
	aggregate, _ := c.Flag("aggregate")
	w := metricLines{described: c.On("with-descriptions")}
	var sum *Metric
	for m := range b.Metrics.Each {
		if !labelled(m, want) {
			continue
		}
		if aggregate == "false" {
			w.write(m)
			continue
		}
		if sum != nil && sum.Name == m.Name {
			sum.add(m)
			continue
		}
		w.write(sum)
		sum = m.clone()
	}
	w.write(sum)
	return c.text(w.String())
}

// labelled tells whether a metric has all labels. One without a value is none.
func labelled(m *Metric, want map[string]string) bool {
	for name, value := range want {
		if value == "" || m.Labels[name] != value {
			return false
		}
	}
	return true
}

func (m *Metric) clone() *Metric {
	c := *m
	if m.Histogram != nil {
		h := *m.Histogram
		h.Buckets = slices.Clone(h.Buckets)
		c.Histogram = &h
	}
	return &c
}

// add adds another series of the same metric.
func (m *Metric) add(x *Metric) {
	m.Value += x.Value
	if m.Histogram == nil || x.Histogram == nil {
		return
	}
	m.Histogram.Count += x.Histogram.Count
	m.Histogram.Sum += x.Histogram.Sum
	for i := range min(len(m.Histogram.Buckets), len(x.Histogram.Buckets)) {
		m.Histogram.Buckets[i].Count += x.Histogram.Buckets[i].Count
	}
}

type metricLines struct {
	strings.Builder
	described bool
}

func (w *metricLines) write(m *Metric) {
	if m == nil {
		return
	}
	if w.described {
		fmt.Fprintf(w, "# %s\n", m.Description)
	}
	if h := m.Histogram; h != nil {
		fmt.Fprintf(w, "histogram.%s_bucket_infinity = %d\n", m.Name, h.Count)
		for _, b := range slices.Backward(h.Buckets) {
			fmt.Fprintf(w, "histogram.%s_bucket_%d = %d\n", m.Name, b.Bound, b.Count)
		}
		fmt.Fprintf(w, "histogram.%s_count = %d\nhistogram.%s_sum = %d\n\n", m.Name, h.Count, m.Name, h.Sum)
		return
	}
	fmt.Fprintf(w, "%s.%s = %d\n", m.Kind, m.Name, m.Value)
	if w.described {
		w.WriteByte('\n')
	}
}

func metricsReset(_ context.Context, c *Call) error {
	b, err := c.broker()
	if err != nil {
		return err
	}
	b.Metrics.Reset()
	return c.done()
}
