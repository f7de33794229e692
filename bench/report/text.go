// Package report writes results for people: tables, a page, a comparison.
package report

import (
	"fmt"
	"io"
	"text/tabwriter"

	"vernemq/bench"
)

// Brief writes a line of name=value for each run, for scripts.
func Brief(w io.Writer, r *bench.Result) {
	for _, run := range r.Runs {
		fmt.Fprintf(w, "scenario=%s", r.Load.Scenario)
		for _, m := range metricsOf(run) {
			if m.value == float64(int64(m.value)) { // a count
				fmt.Fprintf(w, " %s=%.0f", m.key, m.value)
			} else {
				fmt.Fprintf(w, " %s=%.6g", m.key, m.value)
			}
		}
		fmt.Fprintf(w, " failures=%d\n", len(run.Failures))
	}
}

// Failures writes what went wrong.
func Failures(w io.Writer, r *bench.Result) {
	for i, run := range r.Runs {
		for _, f := range run.Failures {
			fmt.Fprintf(w, "FAILED (run %d): %s\n", i+1, f)
		}
	}
}

// Text writes tables.
func Text(w io.Writer, r *bench.Result) {
	fmt.Fprintln(w, describe(&r.Load))
	for i, run := range r.Runs {
		if len(r.Runs) > 1 {
			fmt.Fprintf(w, "\nrun %d\n", i+1)
		}
		oneRun(w, &r.Load, run)
	}
	if len(r.Runs) > 1 {
		fmt.Fprintln(w, "\nall runs: median [smallest … largest]")
		t := table(w)
		for _, m := range across(r) {
			fmt.Fprintf(t, "%s\t%s\t[%s … %s]\n", m.name, number(m.median()), number(m.min()), number(m.max()))
		}
		t.Flush()
	}
	fmt.Fprintln(w)
	Failures(w, r)
	if !r.Failed() {
		fmt.Fprintln(w, "passed")
	}
}

func table(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func oneRun(w io.Writer, l *bench.Load, run *bench.Run) {
	t := table(w)
	for _, m := range metricsOf(run) {
		fmt.Fprintf(t, "%s\t%s\n", m.name, number(m.value))
	}
	t.Flush()
	latencies(w, run)
	if len(run.Steps) > 0 {
		steps(w, l, run)
	}
	for _, n := range run.Notes {
		fmt.Fprintln(w, "note:", n)
	}
	if m := run.Flow; m != nil && run.Generator.Lag > m.Latency.P99/2 && run.Generator.Lag > 1 {
		fmt.Fprintf(w, "note: the load generator itself was late by %.1f ms (p99): the machine is short of CPU\n", run.Generator.Lag)
	}
	if run.Generator.Busy > 90 {
		fmt.Fprintf(w, "note: the load generator was busy %.0f %% of the time: it may be the limit, not the broker\n", run.Generator.Busy)
	}
}

// distribution is a latency with its name.
type distribution struct {
	name    string
	latency *bench.Latency
	part    bool // of the one before
}

func distributions(run *bench.Run) (ds []distribution) {
	add := func(name string, l *bench.Latency, part bool) {
		if l != nil && l.Count > 0 {
			ds = append(ds, distribution{name, l, part})
		}
	}
	of := func(c *bench.Connect, word string) {
		if c != nil {
			add("connect"+word, &c.Latency, false)
			add("– TLS handshake"+word, c.TLS, true)
			add("– CONNECT to CONNACK"+word, c.Connack, true)
		}
	}
	of(run.Connect, "")
	of(run.Again, " again")
	if m := run.Flow; m != nil {
		add("message", &m.Latency, false)
	}
	return ds
}

func latencies(w io.Writer, run *bench.Run) {
	ds := distributions(run)
	if len(ds) == 0 {
		return
	}
	t := table(w)
	fmt.Fprintln(t, "\nlatency, ms\tmean\tp50\tp75\tp90\tp95\tp99\tp99.9\tmax")
	for _, d := range ds {
		l := d.latency
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\n", d.name, l.Mean, l.P50, l.P75, l.P90, l.P95, l.P99, l.P999, l.Max)
	}
	t.Flush()
}

func steps(w io.Writer, l *bench.Load, run *bench.Run) {
	t := table(w)
	fmt.Fprintln(t, "\noffered/s\tdelivered/s\tp50 ms\tp99 ms\tµs CPU\t")
	for _, s := range run.Steps {
		verdict := "held"
		if !s.Held {
			verdict = "broke: " + s.Broken
		}
		fmt.Fprintf(t, "%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%s\n", s.Offered, s.Rate, s.Latency.P50, s.Latency.P99, s.CPU, verdict)
	}
	t.Flush()
	if k := run.Knee; k != nil {
		fmt.Fprintf(w, "knee: %.0f messages/s offered held p%g ≤ %v (it was %.2f ms)\n", k.Offered, 100*l.Quantile, l.Objective,
			float64(k.Latency.Histogram.Quantile(l.Quantile))/1e6)
	}
}

// describe is the load in a line.
func describe(l *bench.Load) string {
	s := fmt.Sprintf("%s at %s, MQTT %s", l.Scenario, l.Addr, map[byte]string{4: "3.1.1", 5: "5"}[l.Level])
	if l.TLS != nil {
		s += " over TLS"
	}
	if l.Clients > 0 {
		s += fmt.Sprintf(", %d clients", l.Clients)
	}
	if l.Publishers > 0 {
		s += fmt.Sprintf(", %d publishers, %d subscribers, QoS %d, %d bytes", l.Publishers, l.Subscribers, l.QoS, l.Size)
		switch {
		case l.Burst > 0:
			s += fmt.Sprintf(", %d messages each", l.Burst)
		case l.Rate > 0:
			s += fmt.Sprintf(", open loop at %.6g messages/s", l.Rate)
		default:
			s += fmt.Sprintf(", closed loop with a window of %d", l.Window)
		}
	}
	return s
}

// number writes a number with as many digits as it deserves.
func number(v float64) string {
	switch {
	case v >= 1000 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
