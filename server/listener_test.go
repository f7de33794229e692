package server

import (
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"

	"vernemq/server/config"
)

func TestReadBufferSize(t *testing.T) {
	rmem := func(s string) fstest.MapFS {
		return fstest.MapFS{"proc/sys/net/ipv4/tcp_rmem": {Data: []byte(s)}}
	}
	for _, c := range []struct {
		user   []int
		root   fstest.MapFS
		want   int
		warned bool
	}{
		{nil, rmem("4096 131072 6291456"), 262144, false},
		{[]int{0, 0}, rmem("4096 87380 6291456"), 174760, false},
		{[]int{4096, 300000}, rmem("4096 131072 6291456"), 300000, false},
		{nil, rmem("1 9223372036854775807 1"), 2 << 20, false},
		{nil, fstest.MapFS{}, 0, false},
		{nil, rmem("some"), 0, true},
	} {
		cfg := &config.Config{}
		for _, n := range c.user {
			cfg.Listeners = append(cfg.Listeners, config.Listener{BufferSizes: [3]int{1, 2, n}})
		}
		var out strings.Builder
		got := readBuffer(cfg, c.root, slog.New(slog.NewTextHandler(&out, nil)))
		if got != c.want || (out.Len() > 0) != c.warned {
			t.Errorf("%v %v: %d, want %d; %s", c.user, c.root, got, c.want, out.String())
		}
	}
}
