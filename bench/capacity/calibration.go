// Package capacity measures what a broker costs on a host and works out what a
// load will need. docs/capacity.md explains the model.
package capacity

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"vernemq/bench"
)

// Where calibrate writes.
const (
	DefaultFile    = "vmq-bench.calibration.json"
	DefaultTLSFile = "vmq-bench.calibration-tls.json"
)

// FileOf is where calibrate writes and plan looks.
func FileOf(tls bool) string {
	if tls {
		return DefaultTLSFile
	}
	return DefaultFile
}

const format = 1

// Constant is a measured number. Spread is its standard error, over Runs
// runs; 0 runs: not measured.
type Constant struct {
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Runs   int     `json:"runs"`
	Spread float64 `json:"spread"`
}

func (c Constant) String() string {
	if c.Runs == 0 {
		return "not measured"
	}
	return fmt.Sprintf("%.4g ± %.2g %s (%d runs)", c.Value, c.Spread, c.Unit, c.Runs)
}

// Costs is the processor time of messages of one QoS. See cpu.
type Costs struct {
	In   Constant `json:"in"`
	Out  Constant `json:"out"`
	Wake Constant `json:"wake"`
	Warm Constant `json:"warm"`
}

// Latencies of messages with one receiver.
type Latencies struct {
	P50       Constant `json:"p50"`
	P99       Constant `json:"p99"`
	GrowthP50 Constant `json:"growth_p50"` // per u/(1-u), u = busy part of a loop
	GrowthP99 Constant `json:"growth_p99"`
}

// Calibration is what was measured on a host.
type Calibration struct {
	Format       int        `json:"format"`
	Made         time.Time  `json:"made"`
	Host         bench.Host `json:"host"`
	Processor    string     `json:"processor"`
	Quick        bool       `json:"quick,omitempty"`
	TLS          string     `json:"tls,omitempty"` // version, suite, certificate; "": plain TCP
	Base         Constant   `json:"base"`          // broker without connections, fresh
	Intercept    Constant   `json:"intercept"`     // of the line through idle connections
	Connection   Constant   `json:"connection"`    // idle, in the broker: slope of that line
	Storm        Constant   `json:"storm"`         // over TLS, before the broker has given back what handshakes needed
	Subscription Constant   `json:"subscription"`
	Kernel       Constant   `json:"kernel"`      // of a connection, one end
	KernelBase   Constant   `json:"kernel_base"` // of the whole machine
	KernelSource string     `json:"kernel_source"`
	Connect      Constant   `json:"connect"` // with its TLS handshake
	Payload      Constant   `json:"payload"` // of each KiB in and each KiB out
	QoS          [3]Costs   `json:"qos"`
	Latency      Latencies  `json:"latency"`
	Points       []Point    `json:"points"`
	builtin      bool
	file         string
}

// fits tells that the constants are those of the demand's transport.
func (c *Calibration) fits(d Demand) error {
	switch {
	case d.TLS && c.TLS == "":
		return fmt.Errorf("cannot plan for TLS with constants of plain TCP (%s): vmq-bench calibrate --tls measures others", c.where())
	case !d.TLS && c.TLS != "":
		return fmt.Errorf("cannot plan for plain TCP with constants of TLS (%s): give --tls, or a file of vmq-bench calibrate", c.where())
	}
	return nil
}

// Builtin tells that the constants are those of the program.
func (c *Calibration) Builtin() bool { return c.builtin }

// named is a constant with its place in the file.
type named struct {
	name string
	unit string
	need bool
	*Constant
}

const (
	bytesUnit  = "bytes"
	microsUnit = "µs of CPU"
	warmUnit   = "µs"
	milliUnit  = "ms"
)

func (c *Calibration) constants() []named {
	all := []named{
		{"base", bytesUnit, true, &c.Base},
		{"intercept", bytesUnit, true, &c.Intercept}, {"connection", bytesUnit, true, &c.Connection},
		{"storm", bytesUnit, c.TLS != "", &c.Storm}, {"subscription", bytesUnit, false, &c.Subscription},
		{"kernel", bytesUnit, true, &c.Kernel}, {"kernel_base", bytesUnit, false, &c.KernelBase}, {"connect", microsUnit, true, &c.Connect},
		{"payload", microsUnit + " per KiB", true, &c.Payload},
	}
	for q := range c.QoS {
		k, name := &c.QoS[q], func(s string) string { return fmt.Sprintf("qos[%d].%s", q, s) }
		all = append(all, named{name("in"), microsUnit, true, &k.In}, named{name("out"), microsUnit, true, &k.Out},
			named{name("wake"), microsUnit, true, &k.Wake}, named{name("warm"), warmUnit, true, &k.Warm})
	}
	l := &c.Latency
	return append(all, named{"latency.p50", milliUnit, true, &l.P50}, named{"latency.p99", milliUnit, true, &l.P99},
		named{"latency.growth_p50", milliUnit, true, &l.GrowthP50}, named{"latency.growth_p99", milliUnit, true, &l.GrowthP99})
}

// check names the field that makes no sense.
func (c *Calibration) check() error {
	if c.Format != format {
		return fmt.Errorf("field format is %d, want %d: is it a file of vmq-bench calibrate?", c.Format, format)
	}
	for _, k := range c.constants() {
		switch {
		case k.need && k.Runs < 1:
			return fmt.Errorf("field %s is missing or has no runs", k.name)
		case k.Runs < 1:
		case k.Unit != k.unit:
			return fmt.Errorf("field %s has the unit %q, want %q", k.name, k.Unit, k.unit)
		case math.IsNaN(k.Value), k.Value < 0, k.Value > 1e12:
			return fmt.Errorf("field %s is %v: 0 to 1e12", k.name, k.Value)
		}
	}
	return nil
}

// Read reads a calibration.
func Read(file string) (*Calibration, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the calibration: %w", err)
	}
	c, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("cannot read the calibration %s: %w", file, err)
	}
	c.file = file
	return c, nil
}

func parse(b []byte) (*Calibration, error) {
	c := new(Calibration)
	if err := json.Unmarshal(b, c); err != nil {
		var t *json.UnmarshalTypeError
		if errors.As(err, &t) {
			return nil, fmt.Errorf("field %s: %s in place of %s", t.Field, t.Value, t.Type)
		}
		return nil, fmt.Errorf("it is no JSON: %w", err)
	}
	return c, c.check()
}

// Write writes a calibration into a file, or to standard output for "-".
func (c *Calibration) Write(file string) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err == nil && file == "-" {
		_, err = os.Stdout.Write(append(b, '\n'))
	} else if err == nil {
		err = os.WriteFile(file, append(b, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot write the calibration: %w", err)
	}
	return nil
}
