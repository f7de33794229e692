package capacity

import (
	"fmt"
	"io"
	"math"
)

// Print writes a line for each constant, with tabs.
func (c *Calibration) Print(w io.Writer) {
	fmt.Fprintln(w, "CONSTANT\tVALUE\tSPREAD\tUNIT\tRUNS")
	for _, k := range c.constants() {
		if k.Runs == 0 {
			fmt.Fprintf(w, "%s\tnot measured\n", k.name)
			continue
		}
		fmt.Fprintf(w, "%s\t%.4g\t±%.2g\t%s\t%d\n", k.name, k.Value, k.Spread, k.Unit, k.Runs)
	}
	fmt.Fprintf(w, "\nkernel: %s\n", c.KernelSource)
	if n := len(c.Points); n > 0 {
		far, late := 0, 0
		for _, p := range c.Points {
			if math.Abs(p.Predicted/p.CPU-1) > 0.2 {
				far++
			}
			if p.Lag > disturbed {
				late++
			}
		}
		fmt.Fprintf(w, "fit: %d of %d runs of messages are more than 20 %% off; in %d the generator was held up by other work\n", far, n, late)
	}
}
