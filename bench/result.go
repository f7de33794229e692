package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"vernemq/bench/hist"
)

// Result is what a scenario showed, in one run or several.
type Result struct {
	Format int    `json:"format"` // of this file
	Load   Load   `json:"load"`
	Host   Host   `json:"host"`
	Runs   []*Run `json:"runs"`
}

const format = 1

// Host is the machine that the load came from.
type Host struct {
	System string `json:"system"`
	CPUs   int    `json:"cpus"`
	Agents int    `json:"agents,omitempty"`
}

// Run is one run of a scenario.
type Run struct {
	Started   time.Time `json:"started"`
	Seconds   float64   `json:"seconds"`
	Connect   *Connect  `json:"connect,omitempty"`
	Again     *Connect  `json:"again,omitempty"` // the second connections of a storm or burst
	Flow      *Messages `json:"flow,omitempty"`
	Steps     []*Step   `json:"steps,omitempty"`
	Knee      *Step     `json:"knee,omitempty"` // the last step that held
	Broker    *Usage    `json:"broker,omitempty"`
	Generator Generator `json:"generator"`
	Series    []Sample  `json:"series,omitempty"`
	Failures  []string  `json:"failures,omitempty"`
	Notes     []string  `json:"notes,omitempty"`
}

// Connect says how connections were made.
type Connect struct {
	Clients   int              `json:"clients"` // that were to connect
	Connected int64            `json:"connected"`
	Failed    int64            `json:"failed"`
	Seconds   float64          `json:"seconds"`
	PerSecond float64          `json:"per_second"`
	Turned    int64            `json:"turned_away,omitempty"`     // with a wrong password
	Resumed   int64            `json:"resumed,omitempty"`         // TLS sessions
	Latency   Latency          `json:"latency"`                   // from when it was due to CONNACK
	TLS       *Latency         `json:"tls_latency,omitempty"`     // the TLS handshake alone
	Connack   *Latency         `json:"connack_latency,omitempty"` // from CONNECT to CONNACK
	Refused   map[string]int64 `json:"refused,omitempty"`         // by reason
	CPU       float64          `json:"cpu_us"`                    // of the broker per connection
	Memory    int64            `json:"rss_bytes_each,omitempty"`
}

// Messages says how messages went.
type Messages struct {
	Seconds    float64 `json:"seconds"`
	Offered    float64 `json:"offered_per_second,omitempty"` // open loop
	Sent       int64   `json:"sent"`
	Delivered  int64   `json:"delivered"`
	SentRate   float64 `json:"sent_per_second"`
	Rate       float64 `json:"delivered_per_second"`
	CPU        float64 `json:"cpu_us"` // of the broker per delivery
	Switches   float64 `json:"context_switches,omitempty"`
	Calls      float64 `json:"io_calls,omitempty"`   // read and write calls per delivery
	Written    float64 `json:"disk_bytes,omitempty"` // bytes written to disks per delivery
	Latency    Latency `json:"latency"`
	Lost       int64   `json:"lost"`
	Duplicates int64   `json:"duplicates"`
	Late       int64   `json:"out_of_order"`
	Foreign    int64   `json:"foreign"`
	Refused    int64   `json:"refused"`
	Unacked    int64   `json:"unacknowledged"` // QoS 1 and 2: sent, and the broker did not answer
	Unsent     int64   `json:"unsent"`         // due, but the broker took them too slowly
	Slow       int64   `json:"slow_delivered,omitempty"`
	SlowLost   int64   `json:"slow_lost,omitempty"`
	none       bool    // nothing was sent, in the warm-up neither
}

// Step is a load of the step mode and how it went.
type Step struct {
	Messages
	Held   bool   `json:"held"`
	Broken string `json:"broken,omitempty"`

	broker    *Usage // in this step
	generator Generator
}

// Usage is what the broker's process used while it was measured.
type Usage struct {
	CPUPercent float64 `json:"cpu_percent"` // of one core
	MemoryFrom int64   `json:"rss_from"`    // bytes
	MemoryTo   int64   `json:"rss_to"`
	MemoryMax  int64   `json:"rss_max"`
	Switches   float64 `json:"context_switches_per_second"`
	Calls      float64 `json:"io_calls_per_second,omitempty"`
}

// Generator is what the load cost its own side.
type Generator struct {
	CPU  float64 `json:"cpu_us"`       // per message, of sent plus delivered; of this process
	Busy float64 `json:"busy_percent"` // of the workers' time
	Lag  float64 `json:"lag_p99"`      // milliseconds by which it was late itself, open loop
}

// Latency is a distribution, in milliseconds.
type Latency struct {
	Mean      float64         `json:"mean"`
	P50       float64         `json:"p50"`
	P75       float64         `json:"p75"`
	P90       float64         `json:"p90"`
	P95       float64         `json:"p95"`
	P99       float64         `json:"p99"`
	P999      float64         `json:"p999"`
	Max       float64         `json:"max"`
	Count     uint64          `json:"count"`
	Histogram *hist.Histogram `json:"histogram,omitempty"` // nanoseconds
}

func latencyOf(h *hist.Histogram) Latency {
	ms := func(q float64) float64 { return float64(h.Quantile(q)) / 1e6 }
	copied := *h
	return Latency{h.Mean() / 1e6, ms(0.5), ms(0.75), ms(0.9), ms(0.95), ms(0.99), ms(0.999), float64(h.Max()) / 1e6, h.Count(), &copied}
}

// Sample is a second of a run.
type Sample struct {
	Second    float64 `json:"t"`
	Phase     string  `json:"phase"`
	Open      int64   `json:"open"`
	Sent      float64 `json:"sent"` // per second
	Delivered float64 `json:"delivered"`
	Connected float64 `json:"connected"`
	P50       float64 `json:"p50"` // milliseconds
	P99       float64 `json:"p99"`
	CPU       float64 `json:"cpu"` // percent of one core
	Memory    int64   `json:"rss"`
	Backlog   int64   `json:"backlog"` // messages due or sent and not delivered yet
}

// Failed tells that a run did not show what it should.
func (r *Result) Failed() bool {
	for _, run := range r.Runs {
		if len(run.Failures) > 0 {
			return true
		}
	}
	return len(r.Runs) == 0
}

// NewResult begins a result.
func NewResult(l Load, agents int) *Result {
	b, _ := os.ReadFile("/proc/sys/kernel/osrelease") // a name only
	system := runtime.GOOS + " " + string(b)
	return &Result{Format: format, Load: l, Host: Host{System: strings.TrimSpace(system), CPUs: runtime.NumCPU(), Agents: agents}}
}

// Read reads a result from a file.
func Read(file string) (*Result, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read a result: %w", err)
	}
	r := new(Result)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, err)
	}
	if r.Format != format || len(r.Runs) == 0 {
		return nil, fmt.Errorf("cannot read %s: it is no result of vmq-bench run", file)
	}
	return r, nil
}

// Write writes the result into a file, or to standard output for "-".
func (r *Result) Write(file string) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("cannot write the result: %w", err)
	}
	b = append(b, '\n')
	if file == "-" {
		_, err = os.Stdout.Write(b)
	} else {
		err = os.WriteFile(file, b, 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot write the result: %w", err)
	}
	return nil
}
