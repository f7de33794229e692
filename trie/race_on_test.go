//go:build race

package trie

// raceEnabled tells tests to do less, as each step takes longer.
const raceEnabled = true
