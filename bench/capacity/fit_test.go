package capacity

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func near(a, b, part float64) bool { return math.Abs(a-b) <= part*max(math.Abs(a), math.Abs(b), 1e-9) }

// TestLine: a line is found again exactly, and with noise within its spread.
func TestLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slope := rapid.Float64Range(-1e4, 1e4).Draw(t, "slope")
		start := rapid.Float64Range(-1e8, 1e8).Draw(t, "start")
		noise := rapid.SampledFrom([]float64{0, 1000}).Draw(t, "noise")
		n := rapid.IntRange(3, 20).Draw(t, "n")
		var x, y []float64
		for i := range n {
			x = append(x, float64(1000*i))
			y = append(y, start+slope*x[i]+noise*rapid.Float64Range(-1, 1).Draw(t, "error"))
		}
		gotSlope, gotStart, spread := Line(x, y)
		// Errors of at most e at the points turn the line by at most
		// e × sum|x-mean| / sum(x-mean)², below 2e/1000 for three points or more.
		if d := math.Abs(gotSlope - slope); d > 2*noise/1000+1e-6*math.Max(1, math.Abs(slope)) {
			t.Fatalf("slope %v, want %v (off by %v, spread %v)", gotSlope, slope, d, spread)
		}
		if d := math.Abs(gotStart - start); d > 4*noise+1e-6*math.Max(1e4, math.Abs(start)) {
			t.Fatalf("start %v, want %v (off by %v)", gotStart, start, d)
		}
		if noise == 0 && spread > 1e-3 {
			t.Fatalf("spread %v of an exact line", spread)
		}
	})
}

func TestLineOfOnePlace(t *testing.T) {
	if slope, start, spread := Line([]float64{5, 5}, []float64{1, 3}); slope != 0 || start != 2 || spread != 0 {
		t.Error(slope, start, spread)
	}
}

// TestSolveIsNotNegative: a cost below zero becomes zero, and the rest fits.
func TestSolveIsNotNegative(t *testing.T) {
	f, _ := solve([][]float64{{1, 0}, {0, 1}, {1, 1}}, []float64{2, -1, 1.5})
	if f[1] != 0 || !near(f[0], 1.75, 1e-9) {
		t.Error(f)
	}
	f, rest := solve([][]float64{{1, 2}, {2, 4}}, []float64{1, 2}) // columns that cannot be told apart
	if rest > 1e-9 {
		t.Error(f, rest)
	}
}

// points are what a broker with these costs would show.
func points(k Costs, payload float64, noise func() float64) (out []Point) {
	for _, s := range shots(false) {
		if s.qos != 0 {
			continue
		}
		p := Point{Shape: s.shape, Size: s.size, In: s.rate, Out: s.rate}
		if s.shape == "fanout" {
			p.Out = s.rate * float64(s.sub)
		}
		p.CPU = k.cpu(payload, p.In, p.Out, p.kib()) * (1 + noise())
		out = append(out, p)
	}
	return out
}

func costs(in, out, wake, warm float64) Costs {
	c := func(v float64, unit string) Constant { return Constant{v, unit, 1, 0} }
	return Costs{c(in, microsUnit), c(out, microsUnit), c(wake, microsUnit), c(warm, warmUnit)}
}

// TestFitCosts: the runs of a calibration tell the costs apart, and with noise
// of 5 % what they predict stays within 15 %.
func TestFitCosts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := costs(rapid.Float64Range(2, 20).Draw(t, "in"), rapid.Float64Range(1, 8).Draw(t, "out"),
			rapid.Float64Range(4, 20).Draw(t, "wake"), rapid.Float64Range(20, 300).Draw(t, "warm"))
		payload := rapid.Float64Range(0.05, 1).Draw(t, "payload")
		noise := rapid.SampledFrom([]float64{0, 0.05}).Draw(t, "noise")
		ps := points(k, payload, func() float64 { return noise * rapid.Float64Range(-1, 1).Draw(t, "error") })
		got := fitCosts(ps, -1)
		fitted := costs(got[0], got[1], got[2], got[4])
		for _, p := range ps {
			want := k.cpu(payload, p.In, p.Out, p.kib())
			if have := fitted.cpu(got[3], p.In, p.Out, p.kib()); !near(have, want, 0.02+2.6*noise) {
				t.Fatalf("%s %v/s: %v, want %v (%v)", p.Shape, p.In, have, want, got)
			}
		}
	})
}

func TestFitSpread(t *testing.T) {
	k, payload := fitSpread(points(costs(5, 2, 10, 100), 0.2, func() float64 { return 0 }), -1)
	if !near(k.In.Value, 5, 0.05) || !near(k.Out.Value, 2, 0.05) || !near(payload.Value, 0.2, 0.05) || k.In.Spread > 0.5 || k.In.Runs != 12 {
		t.Errorf("%+v, %+v", k, payload)
	}
}
