package session

import (
	"slices"
	"strings"
	"testing"
)

// TestFullWhileRead lets more messages come for an absent client than it may have
// while what a restart has left is being read: the newest is not lost.
func TestFullWhileRead(t *testing.T) {
	w := newWorld()
	run := func(lines ...string) {
		t.Helper()
		for _, line := range lines {
			if err := w.run(strings.Fields(line)); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
	}
	run("limits offline=1 lifo", "a connect v4 persistent", "a sub 1 t,1", "b connect v4", "a lost",
		"b pub t old q=1 id=1", "restart", "b connect v4", "slow")
	a := w.clients["a"]
	a.session.BeforeLoad()
	out, in, bounds := w.store.left(a.session.client())
	run("repeat 70 b pub t N q=1 id=1")
	a.session.Load(out, in, bounds)
	run("disk")
	w.said = nil
	run("a connect v4 persistent", "disk")
	if !slices.ContainsFunc(w.said, func(s string) bool { return strings.HasSuffix(s, `t "70"`) }) {
		t.Errorf("the newest message is lost: %q", w.said)
	}
	w.check(t, 0)
}
