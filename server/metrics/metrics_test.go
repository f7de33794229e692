package metrics

import (
	"bytes"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// registry is one with a loop that has counted something.
func registry() (*Registry, *Set) {
	s := new(Set)
	r := New([]*Set{s, new(Set)})
	r.Source(NewSystem().Emit)
	return r, s
}

// TestReference holds the exposition to what VerneMQ 2.1.2 exposes: every
// series, with its type and its labels in their order.
func TestReference(t *testing.T) {
	r, _ := registry()
	var b bytes.Buffer
	if err := r.WritePrometheus(&b, "", "VerneMQ@127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	types, series := parse(b.String())
	want, err := os.ReadFile("testdata/reference.txt")
	if err != nil {
		t.Fatal(err)
	}
	wantTypes, wantSeries := parse(string(want))
	for name, typ := range wantTypes {
		if scheduler(name) {
			continue
		}
		if types[name] != typ {
			t.Errorf("%s is a %q, want %q", name, types[name], typ)
		}
	}
	for s := range wantSeries {
		if !series[s] && !scheduler(s) {
			t.Errorf("%s is missing", s)
		}
	}
	if !series[`system_utilization_scheduler_1{node="VerneMQ@127.0.0.1"}`] {
		t.Error("system_utilization_scheduler_1 is missing")
	}
}

// scheduler tells that a metric is one of a processor: there are as many as
// there are.
func scheduler(s string) bool { return strings.HasPrefix(s, "system_utilization_scheduler_") }

// parse gives the types of an exposition and its series without values.
func parse(text string) (types map[string]string, series map[string]bool) {
	types, series = map[string]string{}, map[string]bool{}
	for _, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) == 4 && f[1] == "TYPE":
			types[f[2]] = f[3]
		case line != "" && line[0] != '#':
			series[line[:strings.LastIndexByte(line, ' ')]] = true
		}
	}
	return types, series
}

var lineFormat = regexp.MustCompile(`^[a-z_0-9]+\{node="a\\"b\\\\c"(, ?[a-zA-Z_]+="[^"]*")*\} [-+0-9.eNa]+$`)

// TestExposition checks each line, and that a name has one HELP and one TYPE, before its samples.
func TestExposition(t *testing.T) {
	r, s := registry()
	s.Inc(QueueSetup)
	s.Publish()
	r.Histogram("hook_microseconds", Label{"hook", "auth_on_register"}).Observe(300)
	var b bytes.Buffer
	if err := r.WritePrometheus(&b, "vernemq_", `a"b\c`); err != nil {
		t.Fatal(err)
	}
	seen, current := map[string]bool{}, ""
	for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		if f := strings.Fields(line); f[0] == "#" {
			if f[1] == "HELP" && len(f) < 4 {
				t.Errorf("no help: %s", line)
			}
			if f[1] == "TYPE" {
				if seen[f[2]] {
					t.Errorf("%s comes twice", f[2])
				}
				seen[f[2]], current = true, f[2]
			}
			continue
		}
		if !lineFormat.MatchString(line) {
			t.Errorf("strange line: %s", line)
		}
		if name, _, _ := strings.Cut(line, "{"); !strings.HasPrefix(name, current) {
			t.Errorf("%s stands below the TYPE of %s", name, current)
		}
	}
	for _, want := range []string{
		`vernemq_queue_setup{node="a\"b\\c"} 1`,
		`vernemq_hook_microseconds_bucket{node="a\"b\\c",le="256",hook="auth_on_register"} 0`,
		`vernemq_hook_microseconds_bucket{node="a\"b\\c",le="512",hook="auth_on_register"} 1`,
		`vernemq_hook_microseconds_sum{node="a\"b\\c",hook="auth_on_register"} 300`,
		"# TYPE process_resident_memory_bytes gauge",
	} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("missing: %s", want)
		}
	}
}

// TestCodes counts every reason code of every packet: each moves exactly one
// counter of its packet, the one with its name where there is one.
func TestCodes(t *testing.T) {
	for p := range packets {
		for version, reasons := range [][]reason{coded[p].v4, coded[p].v5} {
			for code := range 256 {
				r, s := registry()
				s.IncCode(p, version == 1, byte(code))
				s.Publish()
				moved := ""
				for _, m := range r.Read() {
					for _, x := range m.Series {
						if x.Value > 0 && strings.HasPrefix(m.Name, "mqtt_") {
							moved += m.Name
							for _, l := range x.Labels {
								moved += " " + l.Value
							}
						}
					}
				}
				want := coded[p].name + " " + []string{"4", "5"}[version]
				if i := slices.IndexFunc(reasons, func(x reason) bool { return int(x.code) == code }); i >= 0 && reasons[i].name != "" {
					want += " " + reasons[i].name
				}
				if len(reasons) == 0 {
					want = ""
				}
				if !strings.HasPrefix(moved, want) || want == "" && moved != "" || strings.Count(moved, "mqtt_") > 1 {
					t.Errorf("code %02x moves %q, want %q", code, moved, want)
				}
				if testing.Short() {
					break
				}
			}
		}
	}
}

// TestLateComers counts what parts add after the start.
func TestLateComers(t *testing.T) {
	r, _ := registry()
	r.Declare(Family{Name: "br0_vmq_bridge_publish_out_0", Type: CounterType, Help: "Messages of QoS 0 from bridge br0."})
	r.Counter("br0_vmq_bridge_publish_out_0").Add(3)
	r.Declare(Family{Name: "br0_vmq_bridge_publish_out_0", Type: GaugeType})
	r.Counter("webhooks_on_register_requests").Inc()
	r.Histogram("hook_microseconds", Label{"hook", "on_register"}).Observe(7)
	got := map[string]uint64{}
	for _, m := range r.Read() {
		if m.Type == HistogramType {
			got[m.Name] = m.Total().Count()
		} else {
			got[m.Name] = m.Sum()
		}
	}
	if got["br0_vmq_bridge_publish_out_0"] != 3 || got["webhooks_on_register_requests"] != 1 || got["hook_microseconds"] != 1 {
		t.Errorf("%v", got)
	}
}

// TestReset lets counters begin at 0, but not levels and the system's.
func TestReset(t *testing.T) {
	r, s := registry()
	s.Inc(QueueMessageIn)
	s.Inc(QueueSetup)
	s.Put(Sessions, 3)
	s.Publish()
	r.Reset()
	s.Inc(QueueSetup)
	s.Publish()
	got := map[string]uint64{}
	for _, m := range r.Read() {
		if m.Type != HistogramType {
			got[m.Name] = m.Sum()
		}
	}
	for name, want := range map[string]uint64{"queue_message_in": 0, "queue_setup": 1, "queue_processes": 3, "queue_messages_waiting": 1} {
		if got[name] != want {
			t.Errorf("%s = %d, want %d", name, got[name], want)
		}
	}
	if got["system_process_count"] == 0 {
		t.Error("system_process_count was reset")
	}
}

// TestHistogram compares buckets and quantiles with the values themselves.
func TestHistogram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Uint64Range(0, 1<<27), 1, 200).Draw(t, "values")
		h := new(Histogram)
		for _, v := range values {
			h.Observe(v)
		}
		d := collect([]*Histogram{h})
		slices.Sort(values)
		below, sum := uint64(0), uint64(0)
		for i, bound := range d.Bounds {
			below += d.Counts[i]
			n := 0
			for _, v := range values {
				if v <= bound {
					n++
				}
			}
			if int(below) != n {
				t.Fatalf("%d values up to %d, want %d", below, bound, n)
			}
		}
		for _, v := range values {
			sum += v
		}
		if d.Sum != sum || d.Count() != uint64(len(values)) {
			t.Fatalf("sum %d count %d", d.Sum, d.Count())
		}
		for _, q := range []float64{0.5, 0.99} {
			exact := values[max(int(math.Ceil(q*float64(len(values)))), 1)-1]
			if got := d.Quantile(q); exact <= d.Bounds[len(d.Bounds)-1] && (got < exact || got > max(2*exact, 1)) {
				t.Fatalf("quantile %v is %d, exactly %d", q, got, exact)
			}
		}
	})
}

// TestLatency measures a turn with a message and a connection.
func TestLatency(t *testing.T) {
	s := new(Set)
	begin := time.Now()
	s.Begin(begin)
	first := s.Stamp()
	if second := s.Stamp(); first == 0 || second != 0 {
		t.Errorf("stamps %d and %d", first, second)
	}
	s.Delivered(first)
	s.Delivered(0)
	s.Answered(s.Arrival())
	s.End(begin.Add(3 * time.Millisecond))
	for name, h := range map[string]*Histogram{"delivery": &s.latency.delivery, "connect": &s.latency.connect, "turn": &s.latency.turn} {
		if d := collect([]*Histogram{h}); d.Count() != 1 || d.Sum != 3000 {
			t.Errorf("%s: %d values, %d us", name, d.Count(), d.Sum)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	r, _ := registry()
	for b.Loop() {
		r.Read()
	}
}

func BenchmarkWritePrometheus(b *testing.B) {
	r, _ := registry()
	for b.Loop() {
		_ = r.WritePrometheus(&bytes.Buffer{}, "", "VerneMQ@127.0.0.1")
	}
}

func BenchmarkTurn(b *testing.B) {
	s, now := new(Set), time.Now()
	for b.Loop() {
		s.Begin(now)
		s.Delivered(s.Stamp())
		s.End(now)
	}
}

// TestQuantileOfFew: of ten values, nine are not yet 99 %.
func TestQuantileOfFew(t *testing.T) {
	h := new(Histogram)
	for range 9 {
		h.Observe(100)
	}
	h.Observe(100_000)
	d := collect([]*Histogram{h})
	if p50, p99 := d.Quantile(0.5), d.Quantile(0.99); p50 != 128 || p99 != 131072 {
		t.Errorf("p50 %d, p99 %d", p50, p99)
	}
}
