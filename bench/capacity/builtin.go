package capacity

import "vernemq/tuning"

// Builtin is the constants that come with the program, over TCP or over TLS.
func Builtin(tls bool) *Calibration {
	c, err := parse(tuning.Measured(tls))
	if err != nil {
		panic("what was measured: " + err.Error()) // a test reads it
	}
	c.builtin = true
	return c
}
