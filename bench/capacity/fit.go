package capacity

import "math"

// Line fits y = intercept + slope × x by least squares. spread is the standard
// error of the slope.
func Line(x, y []float64) (slope, intercept, spread float64) {
	n := float64(len(x))
	var mx, my, xx, xy float64
	for i := range x {
		mx += x[i] / n
		my += y[i] / n
	}
	for i := range x {
		xx += (x[i] - mx) * (x[i] - mx)
		xy += (x[i] - mx) * (y[i] - my)
	}
	if xx == 0 {
		return 0, my, 0
	}
	slope = xy / xx
	intercept = my - slope*mx
	if n > 2 {
		var rest float64
		for i := range x {
			d := y[i] - intercept - slope*x[i]
			rest += d * d
		}
		spread = math.Sqrt(rest / (n - 2) / xx)
	}
	return slope, intercept, spread
}

// solve finds the factors, none of them negative, with which the rows come
// closest to y, and the sum of the squares that remains. A factor that would be
// negative is left out, the most negative one first.
func solve(rows [][]float64, y []float64) (factors []float64, rest float64) {
	n := len(rows[0])
	factors = make([]float64, n)
	used := make([]int, n)
	for i := range used {
		used[i] = i
	}
	for len(used) > 0 {
		f, worst := normal(rows, y, used), -1
		for i, v := range f {
			if v < 0 && (worst < 0 || v < f[worst]) {
				worst = i
			}
		}
		if worst < 0 {
			for i, c := range used {
				factors[c] = f[i]
			}
			break
		}
		used = append(used[:worst:worst], used[worst+1:]...)
	}
	for i, row := range rows {
		d := y[i]
		for c, v := range row {
			d -= v * factors[c]
		}
		rest += d * d
	}
	return factors, rest
}

// normal solves the normal equations of some columns.
func normal(rows [][]float64, y []float64, columns []int) []float64 {
	n := len(columns)
	m := make([][]float64, n)
	for i, a := range columns {
		m[i] = make([]float64, n+1)
		for r, row := range rows {
			for j, b := range columns {
				m[i][j] += row[a] * row[b]
			}
			m[i][n] += row[a] * y[r]
		}
	}
	return eliminate(m)
}

// eliminate is Gaussian elimination with pivots. What the equations leave open
// is 0.
func eliminate(m [][]float64) []float64 {
	n := len(m)
	size := make([]float64, n)
	for i := range m {
		size[i] = m[i][i]
	}
	for c := range n {
		p := c
		for r := c; r < n; r++ {
			if math.Abs(m[r][c]) > math.Abs(m[p][c]) {
				p = r
			}
		}
		m[c], m[p] = m[p], m[c]
		if math.Abs(m[c][c]) <= 1e-12*size[c] {
			continue
		}
		for r := range n {
			if r == c {
				continue
			}
			k := m[r][c] / m[c][c]
			for j := c; j <= n; j++ {
				m[r][j] -= k * m[c][j]
			}
		}
	}
	out := make([]float64, n)
	for i := range m {
		if math.Abs(m[i][i]) > 1e-12*size[i] {
			out[i] = m[i][n] / m[i][i]
		}
	}
	return out
}
