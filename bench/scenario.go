package bench

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Scenario is a load with a name.
type Scenario struct {
	Name    string
	Summary string
	Load    Load
}

// base is what loads have in common.
func base(kind Kind) Load {
	return Load{
		Kind: kind, Level: 4, ConnectRate: 2000, Parallel: 256, KeepAlive: 300, Inflight: 100, Size: 64, Batch: 64,
		Warm: 2 * time.Second, Duration: 10 * time.Second, Timeout: 10 * time.Second,
		Workers: min(max(1, runtime.NumCPU()/2), 16), Scale: 1,
	}
}

// suiteTime is the steady state of the Open MQTT Benchmark Suite.
const suiteTime = 30 * time.Minute

// suite makes a load of the Open MQTT Benchmark Suite: QoS 1, 16 bytes.
func suite(kind Kind, change func(*Load)) Load {
	l := base(kind)
	l.Duration, l.Size, l.QoS = suiteTime, 16, 1
	change(&l)
	return l
}

func suiteFlow(shape Shape, pubs, subs int, rate float64) Load {
	return suite(Flow, func(l *Load) {
		l.Shape, l.Publishers, l.Subscribers, l.Rate = shape, pubs, subs, rate
		if shape == Shared {
			l.Level = 5
		}
	})
}

func suiteHold(n int, rate float64) Load {
	return suite(Hold, func(l *Load) { l.Clients, l.ConnectRate, l.QoS, l.Size = n, rate, 0, 0 })
}

// own makes a load of our own.
func own(kind Kind, change func(*Load)) Load {
	l := base(kind)
	change(&l)
	return l
}

func ownFlow(shape Shape, pubs, subs int) Load {
	return own(Flow, func(l *Load) { l.Shape, l.Publishers, l.Subscribers = shape, pubs, subs })
}

// Scenarios lists the scenarios: those of the Open MQTT Benchmark Suite under
// their own names, then ours.
func Scenarios() []Scenario {
	return []Scenario{
		{"conn-tcp-10K-100", "10,000 idle clients at 100 connections/s", suiteHold(10_000, 100)},
		{"fanout-1-1K-1-1K", "1 publisher, 1,000 subscribers, 1 message/s in, 1,000/s out", suiteFlow(FanOut, 1, 1000, 1)},
		{"p2p-1K-1K-1K-1K", "1,000 pairs, 1 message/s each", suiteFlow(Pairs, 1000, 1000, 1000)},
		{"sharedsub-1K-5-1K-1K", "1,000 publishers at 1 message/s, 5 subscribers sharing", suiteFlow(Shared, 1000, 5, 1000)},
		{"conn-tcp-1M-5K", "1,000,000 idle clients at 5,000 connections/s", suiteHold(1_000_000, 5000)},
		{"fanout-5-1000-5-250K", "5 publishers at 50 messages/s, 1,000 subscribers, 250,000/s out", suiteFlow(FanOut, 5, 1000, 250)},
		{"p2p-50K-50K-50K-50K", "50,000 pairs, 1 message/s each", suiteFlow(Pairs, 50_000, 50_000, 50_000)},
		{"sharedsub-50K-500-50K-50K", "50,000 publishers at 1 message/s, 500 subscribers sharing", suiteFlow(Shared, 50_000, 500, 50_000)},
		{"pairs", "publisher i to subscriber i", ownFlow(Pairs, 50, 50)},
		{"fanin", "each subscriber takes its share of the publishers", ownFlow(FanIn, 100, 1)},
		{"fanout", "each subscriber takes every message", ownFlow(FanOut, 1, 500)},
		{"shared", "all subscribers share one subscription", own(Flow, func(l *Load) { l.Shape, l.Publishers, l.Subscribers, l.Level = Shared, 100, 5, 5 })},
		{"hold", "idle clients: memory of a freshly started broker per connection", own(Hold, func(l *Load) {
			l.Clients, l.Duration = 10_000, 3*time.Second
		})},
		{"connect-storm", "clients that connect all at once", own(Hold, func(l *Load) {
			l.Clients, l.ConnectRate, l.Parallel, l.Duration = 5000, 0, 1000, time.Second
		})},
		{"reconnect-storm", "all clients connect again while their old connections are open", own(TakeOver, func(l *Load) {
			l.Clients, l.ConnectRate, l.Parallel, l.Duration = 5000, 0, 1000, time.Second
		})},
		{"auth", "clients with user names and passwords: connects through the broker's plugin", own(Auth, func(l *Load) {
			l.Clients, l.ConnectRate, l.Duration = 2000, 0, time.Second
		})},
		{"tls", "idle TLS connections, the same with resumed sessions, messages beside them", own(Secured, func(l *Load) {
			l.Shape, l.Clients, l.Publishers, l.Subscribers, l.Rate, l.ConnectRate = Pairs, 2000, 50, 50, 2000, 0
			l.Duration, l.TLS = 5*time.Second, &TLS{Resume: true}
		})},
		{"offline-burst", "messages queue for persistent sessions that are away; then all come back", own(Offline, func(l *Load) {
			l.Shape, l.Publishers, l.Subscribers, l.QoS, l.Burst, l.ConnectRate = Pairs, 1000, 1000, 1, 100, 0
		})},
		{"retained-flood", "subscribers that each get every retained message", own(Retained, func(l *Load) {
			l.Shape, l.Publishers, l.Subscribers, l.QoS, l.Burst, l.ConnectRate = FanOut, 10, 10, 1, 1000, 0
		})},
		{"slow-consumer", "a fan-out in which some subscribers stop reading", own(SlowGroup, func(l *Load) {
			l.Shape, l.Publishers, l.Subscribers, l.Slow, l.Rate, l.Size = FanOut, 1, 20, 1, 1000, 2048 // more than sockets buffer
		})},
	}
}

const suitePrefix = "singlenode-"

// Find finds a scenario by its name; those of the suite may have the prefix
// that the suite gives them.
func Find(name string) (Scenario, error) {
	all := Scenarios()
	i := slices.IndexFunc(all, func(s Scenario) bool {
		return s.Name == name || s.Load.Duration == suiteTime && suitePrefix+s.Name == name
	})
	if i >= 0 {
		all[i].Load.Scenario = all[i].Name
		return all[i], nil
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return Scenario{}, fmt.Errorf("unknown scenario %q; there are %s", name, strings.Join(names, ", "))
}

// Rescale multiplies clients and rates. In a fan-out it multiplies the
// subscribers only: the rate out, which gives the case its name, follows.
func (l *Load) Rescale(by float64) error {
	if by <= 0 || by > 1000 {
		return fmt.Errorf("scale %v: more than 0, at most 1000", by)
	}
	l.Scale = by
	least := func(n, at int) int {
		if n == 0 {
			return 0
		}
		return max(int(math.Round(float64(n)*by)), min(n, at))
	}
	l.Clients = least(l.Clients, 1)
	if !l.messages() {
		l.ConnectRate *= by
		return nil
	}
	l.Subscribers = least(l.Subscribers, 2) // a group of one shares nothing
	if l.Shape == FanOut {
		return nil
	}
	l.Publishers = least(l.Publishers, 2)
	l.Rate *= by
	return nil
}

// Suite tells that the scenario is one of the Open MQTT Benchmark Suite.
func (s Scenario) Suite() bool { return s.Load.Duration == suiteTime }

// DefaultWindow sets a window that keeps every publisher and subscriber busy.
func (l *Load) DefaultWindow() { l.Window = max(2000, 64*l.Publishers, 20*int(l.fan())) }
