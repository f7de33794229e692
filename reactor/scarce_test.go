package reactor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// scarceEnv makes the test binary a broker that is short of descriptors.
const scarceEnv = "REACTOR_TEST_SCARCE"

// The reactor that runs out of descriptors is in a process of its own. It keeps
// its connections, and takes new ones once there is room.
func TestOutOfDescriptors(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), scarceEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		var failed, lines int
		if _, err := fmt.Sscan(string(rest), &failed, &lines); err != nil || failed < 1 || lines < 1 || lines > 4*failed {
			t.Errorf("failures and lines in the log: %q", rest)
		}
	}()
	var address string
	if _, err := fmt.Fscanln(out, &address); err != nil {
		t.Fatal(err)
	}
	var served, all []*client
	for i := range 80 {
		c, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(2 * patience))
		x := &client{TB: t, Conn: c}
		x.send(hello(i))
		all = append(all, x)
	}
	waits := 0
	for _, c := range all {
		_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if waits > 0 {
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		}
		if n, err := io.ReadFull(c, make([]byte, 3)); err == nil {
			served = append(served, c)
		} else if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			waits++
		} else {
			t.Fatalf("a connection has ended: %v", err)
		}
		_ = c.SetReadDeadline(time.Now().Add(2 * patience))
	}
	if waits == 0 || len(served) < 10 {
		t.Fatalf("%d wait, %d are served", waits, len(served))
	}
	for _, c := range served {
		c.send([]byte("hello"))
		c.expect([]byte("hello"))
	}
	for _, c := range served {
		c.Close()
	}
	for _, c := range all {
		if !slices.Contains(served, c) {
			if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
				t.Fatalf("a connection that waited: %v", err)
			}
			c.Close()
		}
	}
}

// lineCounter counts lines of a log.
type lineCounter struct{ n atomic.Int64 }

func (l *lineCounter) Write(b []byte) (int, error) {
	l.n.Add(int64(strings.Count(string(b), "\n")))
	return len(b), nil
}

// runScarce echoes until its standard input ends.
func runScarce() int {
	limit := unix.Rlimit{Cur: 64, Max: 64}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	lines := &lineCounter{}
	w := &world{}
	r, err := New(Config{
		Loops:          2,
		ConnectTimeout: func() time.Duration { return patience },
		NewHandler: func(l *Loop) Handler {
			h := &handler{world: w, loop: l}
			w.handlers = append(w.handlers, h)
			return h
		},
		Log: slog.New(slog.NewTextHandler(lines, nil)),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	r.Start()
	li, err := r.Listen(ListenOptions{Name: "test", Network: "tcp", Address: "127.0.0.1:0"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(li.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	fmt.Println(r.Stats().AcceptErrors, lines.n.Load())
	if err := r.Stop(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
