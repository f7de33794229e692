package capacity

import _ "embed"

// builtin.json is what vmq-bench calibrate wrote on the machine that it names.
//
//go:embed builtin.json
var builtinFile []byte

// Builtin is the constants that come with the program.
func Builtin() *Calibration {
	c, err := parse(builtinFile)
	if err != nil {
		panic("builtin.json: " + err.Error()) // a test reads it
	}
	c.builtin = true
	return c
}
