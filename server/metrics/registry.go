package metrics

import (
	"fmt"
	"slices"
	"sync"

	vm "github.com/VictoriaMetrics/metrics"
)

// Registry knows all metrics of a node and reads them. Any goroutine.
type Registry struct {
	sets []*Set

	mu       sync.Mutex     // guards what follows
	families []*Family      // in the order in which they are shown; only added to
	index    map[string]int // place in families
	fixed    [][]fixed      // for each family, the series that are always there
	sources  []Source
	counters []ownedCounter
	observed map[string][]histogram // by family
	running  map[string]bool        // parts
	zero     map[string]uint64      // counts at the latest Reset
}

// Source gives values of metrics that are read where they are, when somebody
// asks. It runs on the goroutine of who asks, and must not use the registry.
type Source func(emit Emit)

// Emit takes one value. The name must be in the catalogue.
type Emit func(name string, value uint64, labels ...Label)

// fixed is a series that is there from the start.
type fixed struct {
	labels []Label
	at     int // in a Set, -1 when it is read elsewhere
}

type ownedCounter struct {
	name    string
	labels  []Label
	counter *vm.Counter
}

type histogram struct {
	labels []Label
	from   []*Histogram // added up
	read   func() *Distribution
}

// Metric is a family with its values.
type Metric struct {
	*Family
	Series []Series
}

// Series is one value, or one distribution of a histogram, with its labels.
type Series struct {
	Labels []Label
	Value  uint64
	*Distribution
}

// New makes a registry for the sets of the loops.
func New(sets []*Set) *Registry {
	r := &Registry{sets: sets, index: map[string]int{}, observed: map[string][]histogram{}, running: map[string]bool{}, zero: map[string]uint64{}}
	r.addFamilies()
	for _, h := range []struct {
		name string
		of   func(*latency) *Histogram
	}{
		{"publish_to_deliver_microseconds", func(l *latency) *Histogram { return &l.delivery }},
		{"connect_microseconds", func(l *latency) *Histogram { return &l.connect }},
		{"loop_turn_microseconds", func(l *latency) *Histogram { return &l.turn }},
		{"loop_backlog_messages", func(l *latency) *Histogram { return &l.backlog }},
	} {
		var hs []*Histogram
		for _, s := range sets {
			hs = append(hs, h.of(&s.latency))
		}
		r.observed[h.name] = []histogram{{from: hs}}
	}
	return r
}

func (r *Registry) add(f Family, series ...fixed) {
	if len(series) == 0 && f.Type != HistogramType {
		for _, v := range f.values {
			series = append(series, fixed{[]Label{{f.label, v}}, -1})
		}
		if len(series) == 0 && dynamic[f.Name] == nil {
			series = []fixed{{nil, -1}}
		}
	}
	r.index[f.Name] = len(r.families)
	r.families = append(r.families, &f)
	r.fixed = append(r.fixed, series)
}

// dynamic are the families whose series are those of what exists, as
// listeners, with their labels.
var dynamic = map[string][]string{
	"listener_connections": {"listener", "type"}, "listener_max_connections": {"listener", "type"}, "listener_accepted": {"listener", "type"},
	"listener_up": {"listener", "type"}, "http_connections": {"listener"}, "limits_hit": {"limit"}, "build_info": {"version"},
	"loop_busy_microseconds": {"loop"}, "loop_inbox_messages": {"loop"}, "loop_inbox_bytes": {"loop"}, "hook_microseconds": {"hook"},
}

func (r *Registry) addFamilies() {
	for _, f := range socketFamilies {
		r.add(f)
	}
	for _, v := range versioned {
		v.Type = CounterType
		series := []fixed{{[]Label{{"mqtt_version", "4"}}, int(v.from)}, {[]Label{{"mqtt_version", "5"}}, int(v.from) + 1}}
		if v.Name == "mqtt_pubrec_invalid_error" {
			series = series[:1]
		}
		r.add(v.Family, series...)
	}
	for p := range coded {
		f := Family{Name: coded[p].name, Type: CounterType, Help: packetHelp[p]}
		if Packet(p) == AuthReceived || Packet(p) == AuthSent {
			f.Part = authPart
		}
		r.add(f, codedSeries(Packet(p))...)
	}
	for _, c := range counted {
		r.add(c.Family, fixed{nil, int(c.at)})
	}
	for _, f := range slices.Concat(readFamilies, schedulerFamilies()) {
		r.add(f)
	}
}

// codedSeries are the series of a packet, where each is counted.
func codedSeries(p Packet) (out []fixed) {
	for version, reasons := range [][]reason{coded[p].v4, coded[p].v5} {
		for _, x := range reasons {
			labels := []Label{{"mqtt_version", []string{"4", "5"}[version]}}
			if x.name != "" {
				key := "reason_code"
				if p == ConnackSent && version == 0 {
					key = "return_code"
				}
				labels = append(labels, Label{key, x.name})
			}
			out = append(out, fixed{labels, int(codedAt[2*int(p)+version][x.code])})
		}
	}
	return out
}

// Source adds a source of values.
func (r *Registry) Source(s Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sources = append(r.sources, s)
}

// Counter makes a counter that any goroutine may count with. The name must be
// in the catalogue.
func (r *Registry) Counter(name string, labels ...Label) *vm.Counter {
	c := new(vm.Counter)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.must(name)
	r.counters = append(r.counters, ownedCounter{name, labels, c})
	return c
}

// Histogram makes a histogram. The name must be in the catalogue.
func (r *Registry) Histogram(name string, labels ...Label) *Histogram {
	h := new(Histogram)
	r.histogram(name, histogram{labels: labels, from: []*Histogram{h}})
	return h
}

// Distribution adds a histogram that is kept elsewhere.
func (r *Registry) Distribution(name string, read func() *Distribution, labels ...Label) {
	r.histogram(name, histogram{labels: labels, read: read})
}

func (r *Registry) histogram(name string, h histogram) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.must(name)
	r.observed[name] = append(r.observed[name], h)
}

// must holds that a name is in the catalogue. Under mu.
func (r *Registry) must(name string) {
	if _, ok := r.index[name]; !ok {
		panic(fmt.Sprintf("metrics: %s is not in the catalogue", name))
	}
}

// Run tells that a part runs, so that its metrics are more than names.
func (r *Registry) Run(part string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[part] = true
}

// Running tells whether what a family belongs to runs, or is no part that may
// be left out.
func (r *Registry) Running(f *Family) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !slices.Contains(optionalParts, f.Part) || r.running[f.Part]
}

// Families are all metrics.
func (r *Registry) Families() []*Family {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.families)
}

// Declare adds a metric to the catalogue, as one whose name has that of a
// bridge in it. One that is there already stays.
func (r *Registry) Declare(f Family) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.index[f.Name]; !there {
		r.add(f)
	}
}
