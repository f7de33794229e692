package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	stepFactor = 1.25
	maxSteps   = 60 // 1.25^60 is above half a million
)

// steps raises the rate until the objective or the delivery breaks. The last
// rate that held is the knee.
func (r *runner) steps(ctx context.Context) error {
	rate := r.load.Rate
	for range maxSteps {
		held, err := r.try(ctx, rate)
		if err != nil {
			r.keepKnee()
			return err
		}
		if !held {
			break
		}
		rate *= stepFactor
	}
	r.keepKnee()
	if r.run.Knee == nil {
		r.failf("already the first step of %.0f messages/s broke: %s", r.load.Rate, r.run.Steps[len(r.run.Steps)-1].Broken)
	}
	return nil
}

// maxTries is how often a step is run that breaks while the generator itself
// is short of CPU.
const maxTries = 4

// try runs a step. One that breaks is run once more, since one bad moment of
// the machine is no limit of the broker; more often while it is the generator
// that is late.
func (r *runner) try(ctx context.Context, rate float64) (held bool, err error) {
	for i := range maxTries {
		s, err := r.step(ctx, rate)
		if s != nil {
			r.run.Steps = append(r.run.Steps, s)
		}
		if s == nil || err != nil {
			return false, err
		}
		if s.Held || i > 0 && !r.late() {
			return s.Held, nil
		}
	}
	return false, nil
}

// late tells that the generator alone used up a good part of the objective.
func (r *runner) late() bool {
	return time.Duration(r.lag.Quantile(r.load.Quantile)) > r.load.Objective/2
}

func (r *runner) keepKnee() {
	for _, s := range r.run.Steps {
		if s.Held {
			r.run.Knee = s
			r.run.Flow, r.run.Broker, r.run.Generator = &s.Messages, s.broker, s.generator
		}
	}
}

// step runs one rate.
func (r *runner) step(ctx context.Context, rate float64) (*Step, error) {
	gone := r.total.Lost
	m, err := r.messages(ctx, rate)
	if m == nil {
		return nil, err
	}
	s := &Step{Messages: *m, broker: r.run.Broker, generator: r.run.Generator}
	s.Broken = r.broken(m)
	if n := r.total.Lost - gone; n > 0 {
		s.Broken = fmt.Sprintf("the broker ended %d connections (first: %s)", n, r.cause)
		err = errors.Join(err, errors.New(s.Broken))
	}
	if err != nil && s.Broken == "" {
		s.Broken = err.Error()
	}
	s.Held = s.Broken == ""
	return s, err
}

// broken says what a step did not hold. A broker that falls behind need not be
// looked for apart: messages are as old as their due time says.
func (r *runner) broken(m *Messages) string {
	if fs := m.faults(r.load.QoS); len(fs) > 0 {
		return strings.Join(fs, ", ")
	}
	got := time.Duration(m.Latency.Histogram.Quantile(r.load.Quantile))
	if got <= r.load.Objective {
		return ""
	}
	s := fmt.Sprintf("p%g was %v, the objective is %v", 100*r.load.Quantile, got.Round(10*time.Microsecond), r.load.Objective)
	if r.late() {
		s += fmt.Sprintf(" (the generator itself was late by %v: too little CPU)",
			time.Duration(r.lag.Quantile(r.load.Quantile)).Round(10*time.Microsecond))
	}
	return s
}

// ParseObjective reads an objective such as p99=50ms.
func ParseObjective(s string) (quantile float64, limit time.Duration, err error) {
	q, d, ok := strings.Cut(s, "=")
	if ok {
		_, err = fmt.Sscanf(q, "p%g", &quantile)
		if err == nil {
			limit, err = time.ParseDuration(d)
		}
	}
	if !ok || err != nil || quantile <= 0 || quantile >= 100 || limit <= 0 {
		return 0, 0, fmt.Errorf("objective %q: a percentile and a time, such as p99=50ms", s)
	}
	return quantile / 100, limit, nil
}
