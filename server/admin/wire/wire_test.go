package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vernemq/server/admin"
	"vernemq/server/admin/admintest"
	"vernemq/server/admin/output"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func node(t testing.TB) *admintest.Node {
	t.Helper()
	n, err := admintest.New("../testdata/vernemq.conf")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// exchange runs a line over a connection; use has the client's side of it.
func exchange(t testing.TB, n *admin.Node, args []string, use func(net.Conn)) error {
	t.Helper()
	client, server := net.Pipe()
	request, err := Request(args)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		defer server.Close()
		done <- Serve(t.Context(), server, bytes.TrimSpace(request), n)
	}()
	use(client)
	client.Close()
	return <-done
}

func ask(t testing.TB, n *admin.Node, line string) (text string, code int, err error) {
	var b bytes.Buffer
	served := exchange(t, n, strings.Fields(line), func(c net.Conn) {
		code, err = Receive(c, func(format string) output.Format { return output.New(format, &b, &b, false) })
	})
	if served != nil {
		t.Error(served)
	}
	return b.String(), code, err
}

// TestSame runs lines over a connection and directly: the answers are the same.
func TestSame(t *testing.T) {
	for _, line := range []string{"session show", "session show --format=json", "session show --format=csv", "session show --format=bad", "session show --user --client_id=off-1 --format=json",
		"set nosuch=1 --format=json", "set max_inflight_messages=7 --all --format=json", "session show --nope", "nosuch", "cluster join", "retain show --format=json", "--help", "script show --format=json"} {
		n := node(t)
		got, code, err := ask(t, &n.Node, line)
		n = node(t)
		var want bytes.Buffer
		format := output.Human
		if c, err := n.Parse(strings.Fields(line)); err == nil {
			format = c.Format
		}
		w := output.New(format, &want, &want, false)
		wantCode, _ := n.Run(context.Background(), strings.Fields(line), w)
		_ = w.Close()
		if got != want.String() || code != wantCode || err != nil {
			t.Errorf("%s: exit %d, %v\n%s\nwant exit %d\n%s", line, code, err, got, wantCode, want.String())
		}
	}
}

// TestCut ends the broker in the middle of an answer.
func TestCut(t *testing.T) {
	for _, answer := range []string{"", `{"k":"format","t":"human"}` + "\n", `{"k":"format","t":"json"}` + "\n" + `{"k":"table","n":["a"]}` + "\n" + `{"k":"row","c":["x"]}` + "\n" + `{"k":"ro`} {
		var b bytes.Buffer
		code, err := Receive(strings.NewReader(answer), func(format string) output.Format { return output.New(format, &b, &b, false) })
		if code == 0 || err == nil {
			t.Errorf("%q: exit %d, %v", answer, code, err)
		}
		if !strings.HasSuffix(answer, "ro") && !errors.Is(err, ErrCut) {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// TestGone closes the client's side while a large answer comes: the command
// ends.
func TestGone(t *testing.T) {
	n := node(t)
	c := n.Sessions.List[0]
	for i := range 100_000 {
		c.ID = fmt.Sprint(i)
		n.Sessions.List = append(n.Sessions.List, c)
	}
	start := time.Now()
	err := exchange(t, &n.Node, []string{"session", "show", "--limit=1000000"}, func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 100_000))
	})
	if err == nil || time.Since(start) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

// TestTrace ends a trace from the client's side and hears the last word.
func TestTrace(t *testing.T) {
	n := node(t)
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		request, _ := Request([]string{"trace", "client", "client-id=x"})
		_ = Serve(context.Background(), c, request, &n.Node)
	}()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	time.AfterFunc(50*time.Millisecond, func() { _ = c.(*net.UnixConn).CloseWrite() })
	var b bytes.Buffer
	code, err := Receive(c, func(format string) output.Format { return output.New(format, &b, &b, false) })
	if code != 0 || err != nil || b.String() != "No sessions found for client \"x\"\nDone.\n" {
		t.Errorf("exit %d, %v, %q", code, err, b.String())
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte(`{"args":["session","show"]}`))
	f.Add([]byte(`{"args":["x"]}`))
	f.Add([]byte(`nonsense`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var r request
		if json.Unmarshal(line, &r) == nil && len(r.Args) > 0 && r.Args[0] == "trace" {
			return
		}
		n := node(t)
		client, server := net.Pipe()
		go func() {
			_ = Serve(context.Background(), server, line, &n.Node)
			server.Close()
		}()
		defer client.Close()
		if _, err := Receive(client, func(format string) output.Format { return output.New(format, io.Discard, io.Discard, false) }); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	})
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"k":"format","t":"human"}` + "\n" + `{"k":"table","n":["a"]}` + "\n" + `{"k":"row","c":["x"]}` + "\n" + `{"k":"exit"}` + "\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, _ = Receive(bytes.NewReader(answer), func(format string) output.Format { return output.New(format, io.Discard, io.Discard, false) })
	})
}
