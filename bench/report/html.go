package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"

	"vernemq/bench"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// view is what the page shows.
type view struct {
	Title    string
	Load     string
	Host     string
	Failed   bool
	Tiles    []tile
	Runs     []runView
	Settings [][2]string
	Spread   []series
}

// tile is a figure at the head of the page.
type tile struct{ Name, Value string }

type runView struct {
	Title     string
	Failures  []string
	Notes     []string
	Knee      string
	Latencies []distributionView
	Charts    []*chart
	Steps     []stepView
	Metrics   []tile
}

type distributionView struct {
	Name   string
	Values []string
}

type stepView struct {
	Values []string
	Held   bool
	Broken string
}

// Median, Min and Max are the figures of a series for the page.
func (s series) Name() string   { return s.name }
func (s series) Median() string { return number(s.median()) }
func (s series) Min() string    { return number(s.min()) }
func (s series) Max() string    { return number(s.max()) }

// HTML writes a page that needs nothing but itself.
func HTML(w io.Writer, r *bench.Result) error {
	v := view{Title: r.Load.Scenario, Load: describe(&r.Load), Failed: r.Failed(), Settings: settings(&r.Load)}
	v.Host = fmt.Sprintf("%s, %d CPUs", r.Host.System, r.Host.CPUs)
	if r.Host.Agents > 0 {
		v.Host += fmt.Sprintf(", %d agents", r.Host.Agents)
	}
	if len(r.Runs) > 0 {
		v.Host += ", " + r.Runs[0].Started.UTC().Format("2 January 2006 15:04 UTC")
	}
	all := across(r)
	v.Tiles = tiles(all)
	if len(r.Runs) > 1 {
		v.Spread = all
	}
	for i, run := range r.Runs {
		v.Runs = append(v.Runs, viewOf(i, &r.Load, run))
	}
	return page.Execute(w, v)
}

// tiles are the figures that matter most, as far as the runs have them.
func tiles(all []series) (ts []tile) {
	for _, key := range []string{"knee_per_s", "msgs_per_s", "p50_ms", "p99_ms", "cpu_us_per_msg", "lost", "again_connects_per_s", "connected",
		"connects_per_s", "connect_p99_ms", "cpu_us_per_connect", "rss_bytes_per_conn", "rss_max_mib"} {
		for _, s := range all {
			if s.key == key && len(ts) < 6 {
				ts = append(ts, tile{s.name, number(s.median())})
			}
		}
	}
	return ts
}

func settings(l *bench.Load) [][2]string {
	return [][2]string{
		{"clients, publishers, subscribers", fmt.Sprintf("%d, %d, %d", l.Clients, l.Publishers, l.Subscribers)},
		{"scale", fmt.Sprint(l.Scale)},
		{"warm-up, duration", fmt.Sprintf("%v, %v", l.Warm, l.Duration)},
		{"connect rate, handshakes at once", fmt.Sprintf("%g/s, %d", l.ConnectRate, l.Parallel)},
		{"keep alive", fmt.Sprintf("%d s", l.KeepAlive)},
		{"unacknowledged messages of a publisher", fmt.Sprint(l.Inflight)},
		{"workers", fmt.Sprint(l.Workers)},
	}
}

func viewOf(i int, l *bench.Load, run *bench.Run) runView {
	v := runView{Title: fmt.Sprintf("Run %d, %.0f s", i+1, run.Seconds), Failures: run.Failures, Notes: run.Notes}
	for _, d := range distributions(run) {
		x := d.latency
		dv := distributionView{Name: d.name}
		for _, ms := range []float64{x.Mean, x.P50, x.P75, x.P90, x.P95, x.P99, x.P999, x.Max} {
			dv.Values = append(dv.Values, fmt.Sprintf("%.2f", ms))
		}
		v.Latencies = append(v.Latencies, dv)
	}
	for _, s := range run.Steps {
		v.Steps = append(v.Steps, stepView{[]string{number(s.Offered), number(s.Rate), fmt.Sprintf("%.2f", s.Latency.P50),
			fmt.Sprintf("%.2f", s.Latency.P99), fmt.Sprintf("%.2f", s.CPU)}, s.Held, s.Broken})
	}
	if run.Knee != nil {
		v.Knee = fmt.Sprintf("The knee is %.0f messages/s: the last load that held p%g ≤ %v.", run.Knee.Offered, 100*l.Quantile, l.Objective)
	}
	for _, m := range metricsOf(run) {
		v.Metrics = append(v.Metrics, tile{m.name, number(m.value)})
	}
	for _, c := range charts(run) {
		if !c.empty() {
			v.Charts = append(v.Charts, c)
		}
	}
	return v
}

// charts are all that a run may give.
func charts(run *bench.Run) []*chart {
	over := func(f func(bench.Sample) float64) (ps [][2]float64) {
		for _, s := range run.Series {
			ps = append(ps, [2]float64{s.Second, f(s)})
		}
		return ps
	}
	cs := []*chart{percentiles(run), stepChart(run)}
	if run.Flow != nil {
		cs = append(cs, &chart{Title: "Messages per second", x: "seconds", fromZero: true, lines: []linePlot{
			{"published", "a", over(func(s bench.Sample) float64 { return s.Sent })},
			{"delivered", "b", over(func(s bench.Sample) float64 { return s.Delivered })}}},
			&chart{Title: "Latency over time, ms", x: "seconds", fromZero: true, lines: []linePlot{
				{"p50", "a", over(func(s bench.Sample) float64 { return s.P50 })},
				{"p99", "b", over(func(s bench.Sample) float64 { return s.P99 })}}})
	}
	cs = append(cs, &chart{Title: "Open connections", x: "seconds", fromZero: true, lines: []linePlot{
		{"open", "a", over(func(s bench.Sample) float64 { return float64(s.Open) })}}})
	if run.Broker != nil {
		cs = append(cs, &chart{Title: "Broker CPU, % of a core", x: "seconds", fromZero: true, lines: []linePlot{
			{"CPU", "a", over(func(s bench.Sample) float64 { return s.CPU })}}},
			&chart{Title: "Broker memory, MiB", x: "seconds", fromZero: true, lines: []linePlot{
				{"RSS", "a", over(func(s bench.Sample) float64 { return float64(s.Memory) / (1 << 20) })}}})
	}
	return cs
}

// percentiles draws latency by percentile; each nine takes the same width.
func percentiles(run *bench.Run) *chart {
	c := &chart{Title: "Latency by percentile, ms", x: "percentile"}
	for n, p := range []string{"0", "90", "99", "99.9", "99.99", "99.999"} {
		c.xTicks = append(c.xTicks, tick{float64(n), p})
	}
	for _, d := range distributions(run) {
		h := d.latency.Histogram
		if h == nil || d.part {
			continue
		}
		l := linePlot{name: d.name, class: string("abc"[len(c.lines)])}
		most := math.Log10(float64(h.Count())) // one message of 1,000 says nothing about p99.99
		for nines := 0.0; nines <= min(most, 5); nines += 0.1 {
			l.points = append(l.points, [2]float64{nines, float64(h.Quantile(1-math.Pow(10, -nines))) / 1e6})
		}
		c.lines = append(c.lines, l)
	}
	return c
}

// stepChart draws latency against load.
func stepChart(run *bench.Run) *chart {
	p50 := linePlot{name: "p50", class: "a"}
	p99 := linePlot{name: "p99", class: "b"}
	for i, s := range run.Steps {
		if i > 0 && s.Offered == run.Steps[i-1].Offered { // tried again: the last one counts
			p50.points, p99.points = p50.points[:len(p50.points)-1], p99.points[:len(p99.points)-1]
		}
		p50.points = append(p50.points, [2]float64{s.Offered, s.Latency.P50})
		p99.points = append(p99.points, [2]float64{s.Offered, s.Latency.P99})
	}
	return &chart{Title: "Latency by load, ms", x: "messages offered per second", lines: []linePlot{p50, p99}}
}
