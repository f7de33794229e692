//go:build race

package e2e

// raceEnabled says that this test binary, and so the broker it builds, has the
// race detector in it.
const raceEnabled = true
