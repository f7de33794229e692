package httpapi

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"vernemq/server/admin/admintest"
)

func serve(t testing.TB) (*admintest.Node, *httptest.Server) {
	t.Helper()
	n, err := admintest.New("../testdata/vernemq.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []string{"mgmt", "metrics", "api2", "httppub"} {
		if err := n.Keys.Add("KEY_"+scope, scope, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/api/v1/", Management(&n.Node, n.Keys))
	mux.Handle("/api/v2/", Clients(&n.Node, n.Keys))
	mux.Handle("/restmqtt/api/v1/publish", Publish(&publisher{}, n.Keys, always(PublishOptions{})))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return n, s
}

var update = flag.Bool("update", false, "write the transcript anew")

// request does what a line says: [-I|-X METHOD] [-u KEY] [-H 'NAME: VALUE']
// [-d BODY] PATH, and shows what a test looks at in the response.
func request(t testing.TB, s *httptest.Server, line string) string {
	t.Helper()
	method, path, body := http.MethodGet, "", ""
	header := http.Header{}
	user := ""
	args := words(line)
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-X":
			i++
			method = args[i]
		case "-u":
			i++
			user = args[i]
		case "-H":
			i++
			k, v, _ := strings.Cut(args[i], ": ")
			header.Add(k, v)
		case "-d":
			i++
			method, body = http.MethodPost, args[i]
		default:
			path = args[i]
		}
	}
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	if user != "" {
		r.SetBasicAuth(user, "")
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		return fmt.Sprintf("error %v\n", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	fmt.Fprintln(&out, resp.StatusCode)
	for _, h := range []string{"Allow", "Content-Type", "Www-Authenticate", "Access-Control-Max-Age", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Allow-Origin"} {
		if v := resp.Header.Get(h); v != "" {
			fmt.Fprintf(&out, "%s: %s\n", strings.ToLower(h), v)
		}
	}
	if resp.Header.Get("Content-Type") == typeJSON && method != http.MethodHead && !json.Valid(b) {
		t.Errorf("%s: no JSON: %s", line, b)
	}
	if len(b) > 0 {
		fmt.Fprintf(&out, "%s\n", b)
	}
	return out.String()
}

// words splits a line at blanks outside of '…'.
func words(line string) (out []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}

// TestTranscript does the requests of testdata/requests.txt. Status, headers
// and bodies have the shapes of VerneMQ 2.1.2, but for its defects.
func TestTranscript(t *testing.T) {
	const file = "testdata/requests.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, s := serve(t)
	var got strings.Builder
	for line := range strings.SplitSeq(string(want), "\n") {
		if cmd, ok := strings.CutPrefix(line, "$ curl "); ok {
			fmt.Fprintf(&got, "%s\n%s\n", line, request(t, s, cmd))
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got.String() != string(want) {
		g, w := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
		for i := range g {
			if i >= len(w) || g[i] != w[i] {
				t.Fatalf("line %d:\n%s\nwant\n%s", i+1, strings.Join(g[max(0, i-3):min(i+3, len(g))], "\n"), strings.Join(w[max(0, i-3):min(i+3, len(w))], "\n"))
			}
		}
		t.Error("less than wanted")
	}
}

// TestStopped asks while the broker is stopped.
func TestStopped(t *testing.T) {
	n, s := serve(t)
	n.Stopped = true
	if got := request(t, s, "-u KEY_mgmt /api/v1/session/show"); !strings.HasPrefix(got, "400\n") || !strings.Contains(got, "broker stopped") {
		t.Error(got)
	}
	if got := request(t, s, "-u KEY_api2 /api/v2/client?client_id=dash-1"); !strings.HasPrefix(got, "503\n") {
		t.Error(got)
	}
}

// TestLarge streams a table that is larger than any buffer.
func TestLarge(t *testing.T) {
	n, s := serve(t)
	c := n.Sessions.List[0]
	for i := range 50_000 {
		c.ID = fmt.Sprintf("client-%d", i)
		n.Sessions.List = append(n.Sessions.List, c)
	}
	got := request(t, s, "-u KEY_mgmt /api/v1/session/show?--client_id&--limit=1000000")
	if n := strings.Count(got, `"client_id"`); n != 50_006 {
		t.Errorf("%d rows", n)
	}
}

// TestMethods compares what HEAD and GET answer.
func TestMethods(t *testing.T) {
	_, s := serve(t)
	for _, path := range []string{"/api/v1/cluster/show", "/api/v1/nosuch", "/api/v2/client?client_id=dash-1"} {
		user := "KEY_mgmt"
		if strings.Contains(path, "v2") {
			user = "KEY_api2"
		}
		get, _, _ := strings.Cut(request(t, s, "-u "+user+" "+path), "{")
		head := request(t, s, "-X HEAD -u "+user+" "+path)
		if get != head {
			t.Errorf("%s: %s and %s", path, get, head)
		}
	}
}

func FuzzArguments(f *testing.F) {
	f.Add("session/show?--client_id=a%2Fb&--limit=1")
	f.Add("set?a=b")
	f.Add("%zz?%")
	n, err := admintest.New("../testdata/vernemq.conf")
	if err != nil {
		f.Fatal(err)
	}
	h := Management(&n.Node, nil)
	f.Fuzz(func(t *testing.T, tail string) {
		if strings.ContainsAny(tail, " \r\n\x00#") || strings.Contains(tail, "stop") {
			return
		}
		r, err := http.NewRequest(http.MethodGet, "http://x/api/v1/"+tail, nil)
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusInternalServerError:
		default:
			t.Errorf("%q: %d", tail, w.Code)
		}
		if b := w.Body.Bytes(); len(b) > 0 && !json.Valid(b) {
			t.Errorf("%q: %q", tail, b)
		}
	})
}
