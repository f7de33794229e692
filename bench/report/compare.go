package report

import (
	"fmt"
	"io"
	"slices"

	"vernemq/bench"
)

// Compare writes the figures of two results side by side, with the ratio of
// their medians and how far single runs may stretch it.
func Compare(w io.Writer, a, b *bench.Result) error {
	if a.Load.Scenario != b.Load.Scenario {
		return fmt.Errorf("cannot compare %s with %s: the results are of different scenarios", a.Load.Scenario, b.Load.Scenario)
	}
	fmt.Fprintf(w, "A: %s (%s)\nB: %s (%s)\n", describe(&a.Load), runs(a), describe(&b.Load), runs(b))
	t := table(w)
	fmt.Fprintln(t, "\t"+"A\tB\tB/A\tspread")
	others := across(b)
	for _, x := range across(a) {
		i := slices.IndexFunc(others, func(s series) bool { return s.key == x.key })
		if i < 0 {
			continue
		}
		y := &others[i]
		ratio, spread := "-", ""
		if x.median() > 0 {
			ratio = fmt.Sprintf("%.3f", y.median()/x.median())
		}
		if x.min() > 0 {
			spread = fmt.Sprintf("%.3f … %.3f", y.min()/x.max(), y.max()/x.min())
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", x.name, number(x.median()), number(y.median()), ratio, spread)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot write the comparison: %w", err)
	}
	if len(a.Runs) == 1 || len(b.Runs) == 1 {
		fmt.Fprintln(w, "one run says nothing about spread: use --runs")
	}
	return nil
}

// runs says how many runs there were, and how many of them failed: their
// figures are of what came before.
func runs(r *bench.Result) string {
	failed := 0
	for _, run := range r.Runs {
		if len(run.Failures) > 0 {
			failed++
		}
	}
	s := fmt.Sprintf("%d runs", len(r.Runs))
	if failed > 0 {
		s += fmt.Sprintf(", %d failed", failed)
	}
	return s
}
