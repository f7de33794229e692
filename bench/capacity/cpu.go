package capacity

import "math"

// Point is a measured load of messages.
type Point struct {
	Shape     string  `json:"shape"`
	QoS       byte    `json:"qos"`
	Size      int     `json:"size"`
	In        float64 `json:"in_per_second"`
	Out       float64 `json:"out_per_second"`
	CPU       float64 `json:"cpu_us_per_second"`
	Predicted float64 `json:"predicted_us_per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Lag       float64 `json:"generator_lag_p99_ms"`
}

// kib is the payload that goes through the broker, KiB a second.
func (p *Point) kib() float64 { return (p.In + p.Out) * float64(p.Size) / 1024 }

// cpu is the processor time of a loop in µs a second:
//
//	in × In + out × Out + KiB × Payload + n × Wake / (1 + n × Warm / 1e6)
//
// where n = in + out. The last term is what a message costs more on a machine
// that rests in between: waking up, cold caches. It has an upper bound, so that
// a busy loop pays In and Out only.
func (k *Costs) cpu(payload, in, out, kib float64) float64 {
	return in*k.In.Value + out*k.Out.Value + kib*payload + k.wakes(in+out)
}

func (k *Costs) wakes(n float64) float64 { return n * k.Wake.Value / (1 + n*k.Warm.Value/1e6) }

// fit is Costs and the cost of payload as numbers: in, out, wake, payload, warm.
type fit [5]float64

// fitCosts finds the costs that come closest to the points in relative terms.
// Warm is not linear: it is searched for. With payload < 0 that is fitted, too.
func fitCosts(points []Point, payload float64) fit {
	var best fit
	least := math.Inf(1)
	for warm := 5.0; warm < 2000; warm *= 1.2 {
		var rows [][]float64
		var y []float64
		for i := range points {
			p := &points[i]
			n, cpu := p.In+p.Out, p.CPU
			row := []float64{p.In / cpu, p.Out / cpu, n / (1 + n*warm/1e6) / cpu}
			if payload < 0 {
				row = append(row, p.kib()/cpu)
				y = append(y, 1)
			} else {
				y = append(y, 1-p.kib()*payload/cpu)
			}
			rows = append(rows, row)
		}
		if f, rest := solve(rows, y); rest < least {
			least = rest
			best = fit{f[0], f[1], f[2], payload, warm}
			if payload < 0 {
				best[3] = f[3]
			}
		}
	}
	return best
}

// fitSpread gives the costs with their standard errors, from the costs that
// come out when one point is left out (jackknife).
func fitSpread(points []Point, payload float64) (k Costs, perKiB Constant) {
	all := fitCosts(points, payload)
	n := float64(len(points))
	var mean, square fit
	for i := range points {
		f := fitCosts(append(append([]Point(nil), points[:i]...), points[i+1:]...), payload)
		for j := range f {
			mean[j] += f[j] / n
			square[j] += f[j] * f[j] / n
		}
	}
	constant := func(j int, unit string) Constant {
		spread := math.Sqrt((n - 1) * max(square[j]-mean[j]*mean[j], 0))
		return Constant{all[j], unit, len(points), spread}
	}
	k = Costs{constant(0, microsUnit), constant(1, microsUnit), constant(2, microsUnit), constant(4, warmUnit)}
	return k, constant(3, microsUnit+" per KiB")
}
