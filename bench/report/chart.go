package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// chart is a line chart in SVG. Colours come from the page's style.
type chart struct {
	Title    string
	x        string // what the x axis shows
	fromZero bool
	lines    []linePlot
	xTicks   []tick // made from the values when empty
}

// linePlot is a line with the class of its colour.
type linePlot struct {
	name, class string
	points      [][2]float64
}

// tick is a place on an axis.
type tick struct {
	at    float64
	label string
}

const (
	width, height           = 640, 240
	left, right, top, under = 64, 16, 12, 40
)

// niceTicks are about n round numbers from 0 to max.
func niceTicks(most float64, n int) (ts []tick) {
	if most <= 0 {
		most = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most/float64(n))))
	for _, f := range []float64{1, 2, 5, 10} {
		if most/(step*f) <= float64(n) {
			step *= f
			break
		}
	}
	for i := 0; ; i++ {
		at := float64(i) * step
		ts = append(ts, tick{at, short(at)})
		if at >= most {
			return ts
		}
	}
}

// short writes a number for an axis.
func short(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= u.size {
			return fmt.Sprintf("%.4g%s", v/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.4g", v)
}

func (c *chart) bounds() (minX, maxX, maxY float64) {
	minX, maxX = math.Inf(1), math.Inf(-1)
	for _, l := range c.lines {
		for _, p := range l.points {
			minX, maxX, maxY = min(minX, p[0]), max(maxX, p[0]), max(maxY, p[1])
		}
	}
	if c.fromZero {
		minX = 0
	}
	if minX >= maxX {
		minX, maxX = min(minX, 0), maxX+1
	}
	return minX, maxX, maxY
}

// empty tells that there is nothing to draw.
func (c *chart) empty() bool {
	for _, l := range c.lines {
		if len(l.points) > 1 {
			return false
		}
	}
	return true
}

// SVG draws the chart.
func (c *chart) SVG() template.HTML {
	minX, maxX, maxY := c.bounds()
	ys := niceTicks(maxY, 5)
	maxY = ys[len(ys)-1].at
	x := func(v float64) float64 { return left + (v-minX)/(maxX-minX)*(width-left-right) }
	y := func(v float64) float64 { return height - under - v/maxY*(height-top-under) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, width, height, html.EscapeString(c.Title))
	for _, t := range ys {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text class="y" x="%d" y="%.1f">%s</text>`,
			left, width-right, y(t.at), y(t.at), left-8, y(t.at)+4, t.label)
	}
	xs := c.xTicks
	if len(xs) == 0 {
		xs = niceTicks(maxX, 8)
	}
	for _, t := range xs {
		if t.at >= minX && t.at <= maxX {
			fmt.Fprintf(&b, `<text class="x" x="%.1f" y="%d">%s</text>`, x(t.at), height-under+18, t.label)
		}
	}
	fmt.Fprintf(&b, `<text class="x" x="%d" y="%d">%s</text>`, (left+width-right)/2, height-4, html.EscapeString(c.x))
	for _, l := range c.lines {
		b.WriteString(l.draw(x, y))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

func (l *linePlot) draw(x, y func(float64) float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<polyline class="%s" points="`, l.class)
	for _, p := range l.points {
		fmt.Fprintf(&b, "%.1f,%.1f ", x(p[0]), y(p[1]))
	}
	b.WriteString(`"/>`)
	if len(l.points) <= 30 { // more would hide the line
		for _, p := range l.points {
			fmt.Fprintf(&b, `<circle class="%s" cx="%.1f" cy="%.1f" r="2.5"><title>%s: %s</title></circle>`,
				l.class, x(p[0]), y(p[1]), html.EscapeString(l.name), number(p[1]))
		}
	}
	return b.String()
}

// Legend names the lines when there are several.
func (c *chart) Legend() template.HTML {
	if len(c.lines) < 2 {
		return ""
	}
	var b strings.Builder
	for _, l := range c.lines {
		fmt.Fprintf(&b, `<span><i class="%s"></i>%s</span>`, l.class, html.EscapeString(l.name))
	}
	return template.HTML(b.String())
}
