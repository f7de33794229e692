package tuning

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestFormulas computes by hand for a million connections on a kernel with its
// usual buffers and much memory.
func TestFormulas(t *testing.T) {
	h := &Host{PageSize: 4096, Memory: 1 << 40, SynCookies: 1, Cores: 16}
	p := Plan{Connections: 1_000_000, Sockets: 15}
	idle := 64<<20 + 1_000_000*(plainCost().broker+plainCost().kernel)
	data := int64(20_000*(131072+16384) + 1000*4194304)
	for name, v := range map[string][2]int64{
		"descriptors":       {p.Descriptors(), 1_000_000 + 15 + 1000 + 256},
		"connects a second": {p.ConnectRate(), 33_334},
		"backlog":           {p.Backlog(), 33_334},
		"half-open":         {p.halfOpen(h), 33_334},
		"packets":           {p.Packets(), 20_000},
		"closing":           {p.Closing(), 250_000},
		"tracked":           {p.Tracked(), 1_250_000},
		"cores":             {p.Cores(), 2},
		"tasks":             {p.Tasks(h), 320},
		"idle memory":       {p.idleMemory(), idle},
		"data":              {p.bufferBytes(h), data},
		"memory":            {p.Memory(h), idle + data},
		"tcp_mem":           {p.TCPPages(h).Max, part(data, 4096)},
	} {
		if v[0] != v[1] {
			t.Errorf("%s: %d, want %d", name, v[0], v[1])
		}
	}
	// Over TLS a connection takes more memory, a connect more time and packets.
	s := Plan{Connections: 1_000_000, Secured: 600_000}
	if got, want := s.idleMemory(), idle+600_000*(secureCost().broker+secureCost().kernel-plainCost().broker-plainCost().kernel); got != want {
		t.Errorf("idle memory with TLS: %d, want %d", got, want)
	}
	if got, want := s.Cores(), part(2*(13_334*plainCost().connect+20_000*secureCost().connect), 1e9); got != want {
		t.Errorf("cores with TLS: %d, want %d", got, want)
	}
	if got := s.Packets(); got != 28_000 {
		t.Errorf("packets with TLS: %d", got)
	}
	// A size that is asked for is doubled and does not grow.
	p.Send, p.Receive = 16384, 8192
	if got, want := p.bufferBytes(h), int64(20_000*(32768+16384)+1000*32768); got != want {
		t.Errorf("with buffer_sizes: %d, want %d", got, want)
	}
	// tcp_mem never takes more than half of the memory.
	h.Memory = 1 << 30
	if got := p.TCPPages(h).Max; got != 1<<29/4096 {
		t.Errorf("tcp_mem of a small host: %d pages", got)
	}
	h.SynCookies = 0
	if got := p.halfOpen(h); got != 44_446 {
		t.Errorf("half-open without cookies: %d", got)
	}
}

// TestDocs: docs/tuning.md gives what the formulas make of what was measured.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../docs/tuning.md")
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{PageSize: 4096, SynCookies: 1} // with the buffers of a usual kernel
	p, s := Plan{Connections: 1_000_000}, Plan{Connections: 1_000_000, Secured: 1_000_000}
	for _, want := range []string{
		fmt.Sprintf("| %s, over TLS %s |", size(Value(p.Memory(h))), size(Value(s.Memory(h)))),
		fmt.Sprintf("| %d, over TLS %d |", p.Cores(), s.Cores()),
		fmt.Sprintf("| 20,000, over TLS %d,%03d |", s.Packets()/1000, s.Packets()%1000),
		fmt.Sprintf("  %s  ", size(Value(p.Memory(h)))), // of the example
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("docs/tuning.md does not say %q", want)
		}
	}
}

func TestPlanCheck(t *testing.T) {
	for _, c := range []struct {
		plan Plan
		fail string
	}{
		{Plan{Connections: 1}, ""},
		{Plan{Connections: MaxConnections, Send: MaxBuffer, Receive: MaxBuffer}, ""},
		{Plan{Connections: 0}, "cannot judge for 0 connections: the number must be from 1 to 100000000"},
		{Plan{Connections: -5}, "cannot judge for -5 connections"},
		{Plan{Connections: MaxConnections + 1}, "100000001 connections"},
		{Plan{Connections: 5, Secured: 6}, "cannot judge for 6 connections over TLS: the number must be from 0 to all (5)"},
		{Plan{Connections: 1, Send: -1}, "a buffer of -1 bytes"},
		{Plan{Connections: 1, Receive: MaxBuffer + 1}, "from 0 to 1073741824"},
	} {
		err := c.plan.Check()
		if (err != nil) != (c.fail != "") || err != nil && !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%+v: %v", c.plan, err)
		}
	}
	// The most that may be asked for does not overflow.
	h := &Host{PageSize: 4096, Memory: Unknown, Receive: TCPMemory{1, int64(Unlimited), int64(Unlimited)}, Send: TCPMemory{1, int64(Unlimited), int64(Unlimited)}}
	if p := (Plan{Connections: MaxConnections}); p.Memory(h) <= 0 || p.TCPPages(h).Max <= 0 {
		t.Error("overflow")
	}
}

func TestContradictions(t *testing.T) {
	for _, c := range []struct {
		host string
		plan Plan
		want []string // beginnings
	}{
		{"bare-metal", Plan{Connections: 1_000_000, Sockets: 63}, nil},
		{"small-vm", Plan{Connections: 1000, Sockets: 1}, nil},
		{"small-vm", Plan{Connections: 600_000, Sockets: 1, Send: 1 << 20}, []string{
			"RLIMIT_NOFILE is 524288 (soft 1024), but max_connections allows 600000 connections, which want 601257: ",
			"net.core.somaxconn is 4096,", "net.ipv4.tcp_mem is 10923 14567 21846,", "net.core.wmem_max is 212992,"}},
		{"container-v1", Plan{Connections: 100_000, Sockets: 7}, []string{
			"cgroup memory.limit_in_bytes is 512.0 MiB, but max_connections allows 100000 connections, which want " + size(Value((Plan{Connections: 100_000}).idleMemory())) + " when all are idle: "}},
		{"container-v1", Plan{Connections: 70_000, Sockets: 7}, nil},
	} {
		h, err := readHost(t, c.host)
		if err != nil {
			t.Fatal(err)
		}
		got := Contradictions(h, c.plan)
		if len(got) != len(c.want) {
			t.Errorf("%s %d: %q", c.host, c.plan.Connections, got)
			continue
		}
		for i, s := range got {
			if !strings.HasPrefix(s, c.want[i]) || strings.Contains(s, "\n") || !strings.Contains(s, " Remedy: ") || strings.HasSuffix(s, "Remedy: ") {
				t.Errorf("%s: %q, want %q", c.host, s, c.want[i])
			}
		}
	}
}
