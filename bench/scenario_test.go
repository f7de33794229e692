package bench

import (
	"strings"
	"testing"
	"time"
)

// TestSuite holds the cases of the Open MQTT Benchmark Suite.
func TestSuite(t *testing.T) {
	for name, want := range map[string]struct {
		clients, pubs, subs int
		rate, connect, out  float64
		level               byte
	}{
		"conn-tcp-10K-100":          {clients: 10_000, connect: 100, level: 4},
		"conn-tcp-1M-5K":            {clients: 1_000_000, connect: 5000, level: 4},
		"fanout-1-1K-1-1K":          {pubs: 1, subs: 1000, rate: 1, out: 1000, level: 4},
		"fanout-5-1000-5-250K":      {pubs: 5, subs: 1000, rate: 250, out: 250_000, level: 4},
		"p2p-1K-1K-1K-1K":           {pubs: 1000, subs: 1000, rate: 1000, out: 1000, level: 4},
		"p2p-50K-50K-50K-50K":       {pubs: 50_000, subs: 50_000, rate: 50_000, out: 50_000, level: 4},
		"sharedsub-1K-5-1K-1K":      {pubs: 1000, subs: 5, rate: 1000, out: 1000, level: 5},
		"sharedsub-50K-500-50K-50K": {pubs: 50_000, subs: 500, rate: 50_000, out: 50_000, level: 5},
	} {
		for _, n := range []string{name, "singlenode-" + name} {
			s, err := Find(n)
			if err != nil {
				t.Fatal(err)
			}
			l := s.Load
			if l.Clients != want.clients || l.Publishers != want.pubs || l.Subscribers != want.subs || l.Rate != want.rate || l.Level != want.level ||
				l.Rate*float64(l.fan()) != want.out || want.connect != 0 && l.ConnectRate != want.connect {
				t.Errorf("%s: %+v", n, l)
			}
			if l.Duration != 30*time.Minute || l.KeepAlive != 300 || l.messages() && (l.QoS != 1 || l.Size != 16) {
				t.Errorf("%s: %+v", n, l)
			}
		}
	}
}

// TestScenariosAreSound: the defaults of each scenario pass its own checks.
func TestScenariosAreSound(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Scenarios() {
		l := s.Load
		l.Addr, l.Username = "127.0.0.1:1883", "somebody"
		l.DefaultWindow()
		if err := l.checkFlags(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if l.messages() {
			if err := l.checkMessages(); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
		if names[s.Name] || s.Summary == "" {
			t.Errorf("%s: twice, or without a summary", s.Name)
		}
		names[s.Name] = true
	}
	if _, err := Find("singlenode-pairs"); err == nil || !strings.Contains(err.Error(), "there are conn-tcp") {
		t.Error(err)
	}
}

func TestRescale(t *testing.T) {
	scaled := func(name string, by float64) Load {
		s, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Load.Rescale(by); err != nil {
			t.Fatal(err)
		}
		return s.Load
	}
	if l := scaled("p2p-50K-50K-50K-50K", 0.1); l.Publishers != 5000 || l.Subscribers != 5000 || l.Rate != 5000 || l.ConnectRate != 2000 {
		t.Errorf("%+v", l)
	}
	if l := scaled("fanout-5-1000-5-250K", 0.1); l.Publishers != 5 || l.Subscribers != 100 || l.Rate*float64(l.fan()) != 25_000 {
		t.Errorf("%+v", l)
	}
	if l := scaled("sharedsub-1K-5-1K-1K", 0.1); l.Publishers != 100 || l.Subscribers != 2 || l.Rate != 100 {
		t.Errorf("%+v", l)
	}
	if l := scaled("conn-tcp-10K-100", 0.5); l.Clients != 5000 || l.ConnectRate != 50 {
		t.Errorf("%+v", l)
	}
	for _, by := range []float64{0, -1, 1e6} {
		if err := new(Load).Rescale(by); err == nil {
			t.Errorf("scale %v is taken", by)
		}
	}
}

// TestCheck: a load that cannot be is refused, with the limit that it breaks.
func TestCheck(t *testing.T) {
	for want, change := range map[string]func(*Load){
		"protocol level 3: 4 or 5":                func(l *Load) { l.Level = 3 },
		"0 publishers, 4 subscribers: at least 1": func(l *Load) { l.Publishers = 0 },
		"0 clients: at least 1":                   func(l *Load) { l.Kind, l.Publishers, l.Subscribers = Hold, 0, 0 },
		"QoS 3: 0, 1 or 2":                        func(l *Load) { l.QoS = 3 },
		"payload of 15 bytes: 16":                 func(l *Load) { l.Size = 15 },
		"pairs need":                              func(l *Load) { l.Publishers = 3 },
		"a fan-in needs":                          func(l *Load) { l.Shape, l.Publishers = FanIn, 3 },
		"unacknowledged messages: 1 to 10000":     func(l *Load) { l.Inflight = 0 },
		"window 0":                                func(l *Load) { l.Rate, l.Window = 0, 0 },
		"at least 1, and not all":                 func(l *Load) { l.Kind = SlowGroup },
		"0 messages per publisher":                func(l *Load) { l.Kind = Retained },
		"need QoS 1 or 2":                         func(l *Load) { l.Kind, l.Burst = Offline, 1 },
		"rate -1: 0 or more":                      func(l *Load) { l.Rate = -1 },
		"0 handshakes":                            func(l *Load) { l.Parallel = 0 },
		"keep alive of 70000":                     func(l *Load) { l.KeepAlive = 70000 },
		"0 workers: 1 to 64":                      func(l *Load) { l.Workers = 0 },
		"duration 0s":                             func(l *Load) { l.Duration = 0 },
		"steps need a flow":                       func(l *Load) { l.Step, l.Rate = true, 0 },
		"steps need an --objective":               func(l *Load) { l.Step = true },
		"no password without a user name":         func(l *Load) { l.Password = "x" },
		"need 9000064 open files":                 func(l *Load) { l.Publishers, l.Subscribers = 4_500_000, 4_500_000 },
		`source address "x"`:                      func(l *Load) { l.Sources = []string{"x"} },
	} {
		l := testLoad(t, "pairs", "127.0.0.1:1883", change)
		if err := l.Check(1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	l := testLoad(t, "pairs", "192.0.2.1:1883", func(l *Load) { l.Publishers, l.Subscribers = 20_000, 20_000 })
	err := l.checkMachine(limits{files: 1 << 20, ports: 28_232}, 1)
	if err == nil || !strings.Contains(err.Error(), "a source address has 28232 ports: give 2 source addresses, for example --source 127.0.0.2,127.0.0.3") {
		t.Error(err)
	}
	if err := l.checkMachine(limits{files: 1 << 20, ports: 28_232}, 2); err != nil {
		t.Error(err)
	}
	l.Publishers, l.Subscribers = 4_500_000, 4_500_000
	if err := l.CheckElsewhere(2); err != nil {
		t.Error(err)
	}
	l.Rate, l.Window = 0, 1000
	if err := l.Check(2); err == nil || !strings.Contains(err.Error(), "cannot split a closed loop") {
		t.Error(err)
	}
}

func TestParseObjective(t *testing.T) {
	q, d, err := ParseObjective("p99.9=5ms")
	if err != nil || q < 0.9989 || q > 0.9991 || d != 5*time.Millisecond {
		t.Error(q, d, err)
	}
	for _, s := range []string{"", "p99", "99=5ms", "p100=5ms", "p99=5", "p99=-5ms", "p0=5ms"} {
		if _, _, err := ParseObjective(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}
