package capacity

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"vernemq/tuning"
)

// round is a calibration with round numbers.
func round() *Calibration {
	bytes := func(v float64) Constant { return Constant{v, bytesUnit, 1, 0} }
	ms := func(v float64) Constant { return Constant{v, milliUnit, 1, 0} }
	c := &Calibration{
		Format: format, Base: bytes(10 * mib), Intercept: bytes(11 * mib), Connection: bytes(1024), Subscription: bytes(256),
		Kernel: bytes(4096), Connect: Constant{20, microsUnit, 1, 0}, Payload: Constant{1, microsUnit + " per KiB", 1, 0},
		Latency: Latencies{ms(0.1), ms(1), ms(0), ms(2)},
	}
	for q := range c.QoS {
		c.QoS[q] = costs(float64(4*(q+1)), float64(2*(q+1)), 10, 100)
	}
	return c
}

func host() *tuning.Host {
	return &tuning.Host{PageSize: 4096, Memory: 8 << 30, Cores: 4, FilesHard: 20000, CgroupMemory: tuning.Unlimited}
}

func estimate(t *testing.T, d Demand) *Estimate {
	t.Helper()
	e, err := Plan(d, round(), host(), 1e9)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestArithmetic holds each figure to numbers worked out by hand.
func TestArithmetic(t *testing.T) {
	e := estimate(t, Demand{Connections: 1024 * 1024, Rate: 10000, Fanout: 10, Payload: 1024, QoS: 1, Subscriptions: 4096, Queued: 1000, KeepAlive: 0})
	// In a loop of n: 10000/n × 8 + 100000/n × 4 + 110000/n KiB × 1 = 590000/n,
	// and wakes w = 110000/n × 10 ÷ (1 + 11/n): n = 1 gives 0.68 of a core.
	for name, want := range map[string]float64{
		"loops for the load": 1, "connect storm": 34953 * 20e-6, "loops": 1, "CPU of the load": 0.59 + 1.1/12, "cores": 2,
		"memory of the broker": 13 + 1024 + 1, "disk": 1000 * (92 + 1024) / float64(mib), "memory of the kernel": 4096,
		"network in":  8 * (10000*(1050+90) + 100000*94) / 1e6,
		"network out": 8 * (100000*(1050+90) + 10000*94) / 1e6,
		"descriptors": 1024*1024 + 1 + 1256,
		// walk 10 × (4 + 1) µs, work that + 9 µs.
		"work of a message": 0.059, "latency p50": 0.1 + 0.025 + waitOf(0.059, 0.5, 0.59+1.1/12),
	} {
		if got := e.Value(name); !near(got, want, 1e-3) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if first := e.Limits[0]; first.Name != "descriptors" || !near(first.Used(), float64(1024*1024+1257)/20000, 1e-9) {
		t.Errorf("%+v", e.Limits)
	}
}

// TestTLS holds what TLS changes to numbers worked out by hand.
func TestTLS(t *testing.T) {
	k := round()
	k.TLS, k.Connection.Value, k.Storm, k.Connect.Value = "TLS 1.3", 3072, Constant{6144, bytesUnit, 1, 0}, 500
	d := Demand{Connections: 300_000, TLS: true, Rate: 1000, Fanout: 1, Payload: 20_000, KeepAlive: 0}
	e, err := Plan(d, k, host(), 1e9)
	if err != nil {
		t.Fatal(err)
	}
	// 10,000 connects of 500 µs in a second: 5 cores, which are half of all.
	along := 20_026 + 2*29 + 14*90.0
	for name, want := range map[string]float64{
		"connect storm": 5, "loops": 9, "cores": 10, "memory of the broker": 13 + 300_000*3072.0/mib,
		"memory after a storm": 13 + 300_000*6144.0/mib, "network in": 8 * 1000 * (along + 90) / 1e6,
	} {
		if got := e.Value(name); !near(got, want, 1e-6) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	plain := d
	plain.TLS = false
	a, b := tuning.Judge(host(), d.host()), tuning.Judge(host(), plain.host())
	changed := map[string]bool{}
	for i := range a.Items {
		changed[a.Items[i].Name] = a.Items[i].Wanted != b.Items[i].Wanted
	}
	if !changed["memory"] || !changed["cores"] || !changed["net.core.netdev_max_backlog"] || changed["net.core.somaxconn"] {
		t.Errorf("%v", changed)
	}
	var out strings.Builder
	if e.Print(&out, false); !strings.Contains(out.String(), "--connections 300000 --tls writes the files") {
		t.Error(out.String())
	}
	if _, err := Plan(plain, k, host(), 1e9); err == nil || !strings.Contains(err.Error(), "give --tls") {
		t.Error(err)
	}
	if _, err := Plan(d, round(), host(), 1e9); err == nil || !strings.Contains(err.Error(), "vmq-bench calibrate --tls") {
		t.Error(err)
	}
}

// TestStorm: what a connection takes when it comes is counted from the rest
// before.
func TestStorm(t *testing.T) {
	c := storm([]memoryPoint{{rss: 1000}, {connections: 10, arrived: 1600, rss: 1300}, {connections: 30, arrived: 2500, rss: 1900}})
	if c.Value != 60 || c.Runs != 2 || c.Spread != 0 {
		t.Error(c)
	}
}

func waitOf(work, quantile, u float64) float64 { return work / (1 - u) * math.Log(u/(1-quantile)) }

// TestLoops: no loop is busier than the headroom, and one loop less would be.
func TestLoops(t *testing.T) {
	for _, rate := range []float64{1, 1e3, 1e5, 1e6, 1e8} {
		e := estimate(t, Demand{Connections: 1000, Rate: rate, Fanout: 2, KeepAlive: 60})
		n := e.Value("loops for the load")
		if e.cpu(n) > headroom*1e6 || n > 1 && e.cpu(n-1) <= headroom*1e6 {
			t.Errorf("%v/s: %v loops", rate, n)
		}
	}
}

func TestIdle(t *testing.T) {
	e := estimate(t, Demand{Connections: 60000, Fanout: 1, KeepAlive: 60})
	if got, want := e.Value("CPU of the load"), (1000*6+2000*10/1.2)/1e6; !near(got, want, 1e-9) {
		t.Errorf("CPU of pings is %v, want %v", got, want)
	}
	if e.Value("latency p50") != 0 || !near(e.Value("memory of the broker"), 10+60000*1024.0/mib, 1e-9) {
		t.Errorf("%+v", e.Figures)
	}
}

// TestWire: large payloads take several frames; QoS adds packets.
func TestWire(t *testing.T) {
	for qos, want := range [][2]float64{{10026 + 7*90, 90}, {10026 + 7*90, 94}, {10026 + 7*90 + 94, 188}} {
		d := Demand{Payload: 10000, QoS: qos}
		if along, back := d.wire(); along != want[0] || back != want[1] {
			t.Errorf("QoS %d: %v, %v, want %v", qos, along, back, want)
		}
	}
}

func TestBadDemands(t *testing.T) {
	ok := Demand{Connections: 10, Rate: 1, Fanout: 1}
	for want, change := range map[string]func(*Demand){
		"connections 0: 1 to 100000000":                 func(d *Demand) { d.Connections = 0 },
		"connections 100000001: 1 to 100000000":         func(d *Demand) { d.Connections = 100_000_001 },
		"rate -1: more than 0":                          func(d *Demand) { d.Rate = -1 },
		"rate NaN":                                      func(d *Demand) { d.Rate = math.NaN() },
		"rate 2e+09: more than 0, at most 1e9":          func(d *Demand) { d.Rate = 2e9 },
		"fanout -0.5: 0 to the connections (10)":        func(d *Demand) { d.Fanout = -0.5 },
		"fanout 11: 0 to the connections (10)":          func(d *Demand) { d.Fanout = 11 },
		"rate × fanout 5e+09":                           func(d *Demand) { d.Rate, d.Fanout = 1e9, 5 },
		"payload 268435456: 0 to 268435455":             func(d *Demand) { d.Payload = 268_435_456 },
		"payload -1":                                    func(d *Demand) { d.Payload = -1 },
		"QoS 3: 0, 1 or 2":                              func(d *Demand) { d.QoS = 3 },
		"subscriptions -1":                              func(d *Demand) { d.Subscriptions = -1 },
		"queued messages 10000000001: 0 to 10000000000": func(d *Demand) { d.Queued = 10_000_000_001 },
		"keep alive 65536: 0 to 65535":                  func(d *Demand) { d.KeepAlive = 65536 },
	} {
		d := ok
		change(&d)
		if _, err := Plan(d, round(), host(), 1e9); err == nil || !strings.Contains(err.Error(), "cannot plan for "+want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := Plan(ok, round(), host(), 0); err == nil {
		t.Error("a link of 0 bit/s is accepted")
	}
}

// TestCalibrationFile: what is written is read; what is broken is refused with
// the file and the field.
func TestCalibrationFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.json")
	want := round()
	want.Points = []Point{{Shape: "pairs", In: 1, Out: 1, CPU: 10}}
	if err := want.Write(file); err != nil {
		t.Fatal(err)
	}
	got, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if want.file = file; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	whole, _ := os.ReadFile(file)
	for wanted, text := range map[string]string{
		"it is no JSON":               "{",
		"field format is 0":           "{}",
		"field connection is missing": strings.Replace(string(whole), `"connection"`, `"other"`, 1),
		"field base is -1":            strings.Replace(string(whole), "10485760", "-1", 1),
		"field base has the unit":     strings.Replace(string(whole), `"bytes"`, `"MiB"`, 1),
		"field base.value: string":    strings.Replace(string(whole), "10485760", `"much"`, 1),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(file); err == nil || !strings.Contains(err.Error(), wanted) || !strings.Contains(err.Error(), file) {
			t.Errorf("%v, want %q and the file", err, wanted)
		}
	}
	if _, err := Read(file + ".not"); err == nil || !strings.Contains(err.Error(), file+".not") {
		t.Error(err)
	}
}

func TestBuiltin(t *testing.T) {
	for _, tls := range []bool{false, true} {
		k := Builtin(tls)
		if !strings.HasPrefix(k.where(), "built in, not of this machine") || k.Quick || (k.TLS != "") != tls {
			t.Error(k.where())
		}
		for _, c := range k.constants() {
			if c.Runs < 1 && (tls || c.name != "storm") {
				t.Errorf("%s is not measured", c.name)
			}
		}
	}
	plain, secure := Builtin(false), Builtin(true)
	if secure.Connection.Value <= plain.Connection.Value || secure.Connect.Value <= plain.Connect.Value || secure.Storm.Value < secure.Connection.Value {
		t.Errorf("TLS costs %v, %v, %v in a storm", secure.Connection, secure.Connect, secure.Storm)
	}
}

func TestKernelFiles(t *testing.T) {
	n, err := slabs("slabinfo - version: 2.1\n# name <active_objs> …\nTCP 10 12 2432 13 8 : tunables 0 0 0\nfilp 32 32 256 16 1 : x\n")
	if want := 10*8*4096/13.0 + 32*4096/16; err != nil || !near(n, want, 1e-9) {
		t.Error(n, want, err)
	}
	if n, err := meminfo("MemTotal: 5 kB\nSlab:             100 kB\n"); err != nil || n != 102400 {
		t.Error(n, err)
	}
	if n := buffers("sockets: used 17\nTCP: inuse 4 orphan 0 tw 0 alloc 6 mem 171\nUDP: inuse 0 mem 9\n"); n != 171*4096 {
		t.Error(n)
	}
	for _, f := range []func(string) (float64, error){slabs, meminfo} {
		if _, err := f("nonsense\n"); err == nil {
			t.Error("nonsense is accepted")
		}
	}
}

func TestPrint(t *testing.T) {
	var b strings.Builder
	e := estimate(t, Demand{Connections: 1000, Rate: 100, Fanout: 2, KeepAlive: 60})
	e.Print(&b, true)
	if !strings.HasPrefix(b.String(), "constants: ") || !strings.Contains(b.String(), "CPU of the load: 100 in/s × 4 µs + 200 out/s × 2 µs") {
		t.Error(b.String())
	}
}

// TestQuota: a control group that may use two cores has no more.
func TestQuota(t *testing.T) {
	for quota, want := range map[tuning.Value]float64{tuning.Unknown: 64, tuning.Unlimited: 64, 2500: 2.5, 100_000: 64} {
		e, err := Plan(Demand{Connections: 1000}, Builtin(false), &tuning.Host{PageSize: 4096, Cores: 64, CgroupMilliCores: quota}, 1e9)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(e.Limits, func(l Limit) bool { return l.Name == "cores" })
		if i < 0 || e.Limits[i].Have != want {
			t.Errorf("quota %v: %+v", quota, e.Limits)
		}
	}
}
