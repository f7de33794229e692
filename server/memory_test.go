package server

import "testing"

// TestKeeper follows a storm: nothing is given back while it lasts, all of it
// soon after, and then nobody is bothered again, however much is in use.
func TestKeeper(t *testing.T) {
	const mib = 1 << 20
	var k keeper
	for i, x := range []struct {
		held, allocated uint64 // MiB
		want            bool
		after           uint64 // when memory was freed
	}{
		{held: 20, allocated: 20},
		{held: 900, allocated: 2000},
		{held: 1000, allocated: 2900},
		{held: 1000, allocated: 2901, want: true, after: 600}, // pools keep the rest for once
		{held: 600, allocated: 2902, want: true, after: 500},
		{held: 500, allocated: 2903, want: true, after: 490}, // so much is in use
		{held: 500, allocated: 2904},
		{held: 540, allocated: 2905},
		{held: 800, allocated: 3500},
		{held: 800, allocated: 3501, want: true, after: 490},
		{held: 490, allocated: 3502, want: true, after: 490},
		{held: 490, allocated: 3503},
	} {
		if got := k.wants(x.held*mib, x.allocated*mib); got != x.want {
			t.Errorf("step %d: %v", i, got)
		}
		if x.want {
			k.freed(x.held*mib, x.after*mib)
		}
	}
}
