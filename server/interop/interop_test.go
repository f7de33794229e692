package interop

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"vernemq/queue/store/disk"
	"vernemq/server"
	"vernemq/server/config"
)

// TestInterop runs the scripts of testdata, with each packet written whole and
// byte by byte.
func TestInterop(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		s, err := readScript(file)
		if err != nil {
			t.Error(err)
			continue
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		for _, way := range []struct {
			name        string
			loops, step int
		}{{"whole, 1 loop", 1, 1 << 30}, {"byte by byte, 3 loops", 3, 1}} {
			t.Run(name+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				s.run(t, way.loops, way.step)
			})
		}
	}
}

// run runs all cases at the same time: some wait for seconds.
func (s *script) run(t *testing.T, loops, step int) {
	var runs []*run
	for i := range s.cases {
		for _, level := range s.cases[i].levels {
			runs = append(runs, &run{of: &s.cases[i], level: level, step: step, clients: map[string]*client{}})
		}
	}
	b := start(t, s.config(t, loops, len(runs)))
	errs := make([]error, len(runs))
	var done sync.WaitGroup
	for i, r := range runs {
		r.address = b.Listeners()[i].Addr().String()
		done.Go(func() { errs[i] = r.run() })
	}
	done.Wait()
	for i, r := range runs {
		t.Run(fmt.Sprintf("%s/level %d", r.of.title, r.level), func(t *testing.T) {
			if errs[i] != nil {
				t.Error(errs[i])
			}
		})
	}
}

// config gives the configuration of a script, with so many listeners.
func (s *script) config(t *testing.T, loops, listeners int) *config.Config {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "vernemq.conf")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	settings := append([]string{
		"listener.tcp.default = 127.0.0.1:0", "listener.tcp.allowed_protocol_versions = 3,4,5",
		"allow_anonymous = on", "plugins.vmq_acl = off", "plugins.vmq_passwd = off",
		"systree_enabled = off", "reactor.loops = " + strconv.Itoa(loops),
	}, s.settings...)
	l, err := config.Load(file, settings, config.Dirs{Base: ".", Etc: "testdata", Data: dir, Log: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	one := c.Listeners[0]
	c.Listeners = nil
	for i := range listeners {
		one.Name, one.Mountpoint = strconv.Itoa(i), strconv.Itoa(i)
		c.Listeners = append(c.Listeners, one)
	}
	return c
}

// start runs a broker until the test ends.
func start(t *testing.T, c *config.Config) *server.Broker {
	t.Helper()
	st, err := disk.Open(disk.Options{Dir: "store", Node: "test", FS: vfs.NewMem(), Cache: 1 << 20, MemTable: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	b, err := server.New(c, st, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	return b
}
