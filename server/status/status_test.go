package status

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vernemq/server/metrics"
)

// fake is a node whose metrics a test sets.
type fake struct {
	set    *metrics.Set
	values map[string]uint64
	node   Node
}

func newFake() *fake {
	f := &fake{set: new(metrics.Set), values: map[string]uint64{"lobby_size": 100}}
	r := metrics.New([]*metrics.Set{f.set})
	r.Source(func(emit metrics.Emit) {
		for k, v := range f.values {
			emit(k, v)
		}
		emit("loop_inbox_messages", 3, metrics.Label{Key: "loop", Value: "0"})
	})
	f.node = Node{Name: "node@host", Version: "9.9", Registry: r, System: metrics.NewSystem(), Listeners: func() []Listener {
		return []Listener{{Type: "mqtt", Name: "a", Status: "running", IP: "127.0.0.1", Port: 1883, MaxConns: MaxConns(10), Active: 5},
			{Type: "http", Name: "b", Status: "running", IP: "127.0.0.1", Port: 8888, MaxConns: MaxConns(0)}}
	}}
	return f
}

// TestIssues breaks one thing after the other and looks for its line.
func TestIssues(t *testing.T) {
	for _, x := range []struct {
		name, level, text string
		disturb           func(*fake)
	}{
		{"all is well", "", "", func(*fake) {}},
		{"store", danger, "store has failed", func(f *fake) { f.values["store_failed"] = 1 }},
		{"listener", danger, "Listener a (mqtt, port 1883) is suspended", func(f *fake) {
			f.node.Listeners = func() []Listener { return []Listener{{Type: "mqtt", Name: "a", Status: "suspended", Port: 1883}} }
		}},
		{"connections", warning, "9 of 10 connections", func(f *fake) {
			f.node.Listeners = func() []Listener {
				return []Listener{{Type: "mqtt", Name: "a", Status: "running", MaxConns: MaxConns(10), Active: 9}}
			}
		}},
		{"lobby", danger, "lobby is nearly full: 95 of 100", func(f *fake) { f.values["lobby_connections"] = 95 }},
		{"congestion", warning, "7 publishers are not read", func(f *fake) { f.set.Put(metrics.HeldPublishers, 7) }},
		{"loop", warning, "Loop 0 is busy", func(f *fake) { f.set.Add(metrics.LoopBusy, 3600e6) }},
		{"accept", danger, "could not be accepted 4 times", func(f *fake) { f.values["accept_errors"] = 4 }},
		{"panic", danger, "Faults in the broker", func(f *fake) { f.values["panics_contained"] = 1 }},
		{"limit", warning, "max_online_messages, 12 times", func(f *fake) { f.set.Add(metrics.LimitOnline, 12) }},
	} {
		f := newFake()
		s := New(f.node)
		f.set.Publish()
		s.sample(time.Now().Add(-time.Minute))
		x.disturb(f)
		f.set.Publish()
		s.node = f.node
		got := s.report().Issues
		if x.text == "" {
			if len(got) != 0 {
				t.Errorf("%s: %v", x.name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Level != x.level || !strings.Contains(got[0].Text, x.text) {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

// TestWorstFirst sorts issues.
func TestWorstFirst(t *testing.T) {
	f := newFake()
	s := New(f.node)
	s.sample(time.Now().Add(-time.Minute))
	f.set.Add(metrics.LimitRate, 1)
	f.set.Add(metrics.LimitOffline, 1)
	f.values["store_failed"] = 1
	f.set.Publish()
	var levels []string
	for _, i := range s.report().Issues {
		levels = append(levels, i.Level)
	}
	if !slices.Equal(levels, []string{danger, warning, info}) {
		t.Error(levels)
	}
}

// TestEveryLimitIsExplained holds that each limit has a word for the page.
func TestEveryLimitIsExplained(t *testing.T) {
	s := New(newFake().node)
	for _, l := range s.report().Limits {
		if _, ok := explained[l.Name]; !ok && l.Name != "max_connection_lifetime" && l.Name != "topic_alias_max" {
			t.Errorf("%s is not explained", l.Name)
		}
	}
}

// TestReference compares the fields with those that VerneMQ has.
func TestReference(t *testing.T) {
	f := newFake()
	f.set.Add(metrics.QueueMessageIn, 36)
	f.set.Add(metrics.QueueMessageDrop, 2)
	f.set.Publish()
	w := httptest.NewRecorder()
	New(f.node).ServeHTTP(w, httptest.NewRequest("GET", "/status.json", nil))
	var got []map[string]map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	n := got[0]["node@host"]
	for _, field := range strings.Fields("num_online num_offline msg_in msg_out queue_in queue_out queue_drop queue_unhandled num_subscriptions num_retained matches_local matches_remote version mystatus listeners msg_drop") {
		if _, ok := n[field]; !ok {
			t.Errorf("%s is missing", field)
		}
	}
	li := n["listeners"].([]any)[0].(map[string]any)
	for _, field := range strings.Fields("type status ip port mountpoint max_conns") {
		if _, ok := li[field]; !ok {
			t.Errorf("%s of a listener is missing", field)
		}
	}
	if n["queue_in"] != 36.0 || n["msg_drop"] != 2.0 || n["queue_waiting"] != 34.0 || li["max_conns"] != 10.0 || li["mountpoint"] != "" {
		t.Error(w.Body.String())
	}
}

func TestAnswers(t *testing.T) {
	s := New(newFake().node)
	for _, x := range []struct {
		method, path string
		code         int
	}{{"GET", "/status", 200}, {"GET", "/status/", 200}, {"HEAD", "/status", 200}, {"POST", "/status", 405}, {"GET", "/status.json", 200}, {"POST", "/status.json", 405},
		{"GET", "/status/history.json", 200}, {"GET", "/status/nosuch", 404}} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(x.method, x.path, nil))
		if w.Code != x.code {
			t.Errorf("%s %s: %d, want %d", x.method, x.path, w.Code, x.code)
		}
	}
	for _, outside := range []string{"http://", "https://", "//cdn", "src=", "@import"} {
		if strings.Contains(strings.ReplaceAll(string(page), "http://www.w3.org/2000/svg", ""), outside) {
			t.Errorf("the page has %q", outside)
		}
	}
}

// TestHistory compares rates with the counters that they come from, and holds
// that the past is bounded and survives a reset.
func TestHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.Uint64Range(0, 1e6), 1, 2*kept).Draw(t, "counts")
		var h history
		start := time.Unix(1e9, 0)
		for i, n := range counts {
			h.add(point{at: start.Add(time.Duration(i) * interval), values: map[string]uint64{"bytes_sent": n}})
		}
		if len(h) != min(len(counts), kept) {
			t.Fatalf("%d points of %d", len(h), len(counts))
		}
		rates, counts := h.rates("bytes_sent"), counts[len(counts)-len(h):]
		for i, r := range rates {
			want := max(float64(counts[i+1])-float64(counts[i]), 0) / interval.Seconds()
			if r < want-0.1 || r > want+0.1 {
				t.Fatalf("rate %v, want %v", r, want)
			}
		}
		h.back(rapid.IntRange(0, 3*kept).Draw(t, "back"))
	})
}

// TestPage lets Chromium show the page with an issue, on a wall and on a phone,
// in light and in dark: it shows what the node says, and nothing sticks out.
func TestPage(t *testing.T) {
	chromium := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			chromium = p
			break
		}
	}
	if chromium == "" {
		t.Skip("chromium is not installed")
	}
	f := newFake()
	f.values["store_failed"] = 1
	f.set.Add(metrics.SessionsOnline, 4321)
	f.set.Publish()
	s := New(f.node)
	for i := range 30 {
		s.sample(time.Now().Add(time.Duration(i-30) * interval))
	}
	mux := http.NewServeMux()
	for _, p := range s.Module().Paths {
		mux.Handle(p, s)
	}
	mux.HandleFunc("/frame", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, strings.ReplaceAll(frame, "WIDTH", r.URL.Query().Get("w")))
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	for _, width := range []string{"360", "1900"} {
		for _, scheme := range []string{"light", "dark"} {
			dom := dump(t, chromium, scheme, "http://"+l.Addr().String()+"/frame?w="+width)
			want := map[string][]string{"light": {"background: rgb(244, 246, 248)"}, "dark": {"background: rgb(15, 21, 27)"}}[scheme]
			for _, text := range append(want, "node@host", "version 9.9", "The store has failed", "4,321", "127.0.0.1:1883", "charts: 8", "sticks out: 0") {
				if !strings.Contains(dom, text) {
					t.Errorf("%s, %s px: no %q in\n%s", scheme, width, text, dom)
				}
			}
		}
	}
}

// frame shows the page at a width and says what is in it.
const frame = `<!doctype html><pre id="out">waiting</pre><iframe id="f" src="/status" style="width:WIDTHpx;height:900px;border:0"></iframe><script>
setInterval(() => {
  const d = document.getElementById("f").contentDocument, w = document.getElementById("f").contentWindow;
  if (!d || !d.querySelector("#cards strong")) return;
  document.getElementById("out").textContent = d.body.innerText + "\nsticks out: " + Math.max(0, d.documentElement.scrollWidth - w.innerWidth) +
    "\ncharts: " + d.querySelectorAll("polyline").length + "\nbackground: " + w.getComputedStyle(d.body).backgroundColor;
}, 50);
</script>`

// dump gives the page as it is after some seconds of the browser's own time.
func dump(t *testing.T, chromium, scheme, url string) string {
	t.Helper()
	args := []string{"--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + filepath.Join(t.TempDir(), "profile"), "--virtual-time-budget=3000",
		"--window-size=2000,1000", "--dump-dom"}
	if scheme == "dark" {
		args = append(args, "--blink-settings=preferredColorScheme=0")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, append(args, url)...)
	cmd.Stderr = io.Discard
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	_, text, _ := strings.Cut(string(out), `<pre id="out">`)
	text, _, _ = strings.Cut(text, "</pre>")
	return text
}
