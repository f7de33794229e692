package metrics

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/metrics.md")

const docs = "../../docs/"

// TestDocument holds docs/metrics.md to the catalogue.
func TestDocument(t *testing.T) {
	r, _ := registry()
	var b bytes.Buffer
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(docs+"metrics.md", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(docs + "metrics.md"); err != nil || !bytes.Equal(text, b.Bytes()) {
		t.Errorf("docs/metrics.md is not what the catalogue says (%v): run this test with -update", err)
	}
}

// TestMonitoringFiles holds that every metric that the rules and the dashboard
// name exists, with the suffix that its type has.
func TestMonitoringFiles(t *testing.T) {
	known := map[string]bool{"up": true}
	r, _ := registry()
	for _, f := range r.Families() {
		if f.Type == HistogramType {
			known[f.Name+"_bucket"] = true
		} else {
			known[f.Name] = true
		}
	}
	var b bytes.Buffer
	if err := r.WritePrometheus(&b, "", "n"); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (process_\w+|go_\w+) `).FindAllStringSubmatch(b.String(), -1) {
		known[m[1]] = true
	}
	var expressions []string
	for _, file := range []string{"recording.yml", "alerts.yml"} {
		text := shipped(t, file)
		for _, m := range regexp.MustCompile(`record: (\S+)`).FindAllStringSubmatch(text, -1) {
			known[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`(?m)expr: (.*)$`).FindAllStringSubmatch(text, -1) {
			expressions = append(expressions, m[1])
		}
	}
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(shipped(t, "grafana.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, x := range p.Targets {
			expressions = append(expressions, x.Expr)
		}
	}
	if len(expressions) < 60 {
		t.Errorf("only %d expressions were found", len(expressions))
	}
	words := strings.Fields("sum rate increase histogram_quantile or and unless e")
	noise := regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)|"[^"]*"`)
	for _, e := range expressions {
		for _, name := range regexp.MustCompile(`[a-z][a-z_0-9:]*`).FindAllString(noise.ReplaceAllString(e, ""), -1) {
			if !known[name] && !slices.Contains(words, name) && !regexp.MustCompile(`^e\d$`).MatchString(name) {
				t.Errorf("there is no metric %s: %s", name, e)
			}
		}
	}
}

func shipped(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(docs, "monitoring", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPromtool lets Prometheus' own tool check the rules and the example, and
// play series to the alerts.
func TestPromtool(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: prometheus)")
	}
	for _, args := range [][]string{{"check", "rules", "recording.yml", "alerts.yml"}, {"check", "config", "prometheus.yml"},
		{"test", "rules", "../../server/metrics/testdata/alerts_test.yml"}} {
		cmd := exec.Command(tool, args...)
		cmd.Dir = docs + "monitoring"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestShippedDashboard compares with what VerneMQ's own dashboard and
// Netdata's collector read: all of it is there.
func TestShippedDashboard(t *testing.T) {
	known := map[string]bool{}
	r, _ := registry()
	for _, f := range r.Families() {
		known[f.Name] = true
	}
	for _, name := range strings.Fields("socket_open socket_close socket_error queue_processes queue_setup queue_teardown queue_message_in queue_message_out queue_message_drop " +
		"queue_message_unhandled router_subscriptions router_memory system_wallclock system_utilization system_utilization_scheduler_1 system_reductions system_context_switches " +
		"system_io_in system_io_out system_run_queue system_gc_count system_words_reclaimed_by_gc bytes_received bytes_sent retain_messages retain_memory cluster_bytes_received " +
		"cluster_bytes_sent cluster_bytes_dropped mqtt_connack_accepted_sent client_expired mqtt_invalid_msg_size_error vm_memory_processes vm_memory_system queue_initialized_from_storage " +
		"router_matches_local router_matches_remote netsplit_detected netsplit_resolved mqtt_auth_sent client_keepalive_expired socket_close_timeout http_pub_published") {
		if !known[name] {
			t.Errorf("%s is missing", name)
		}
	}
}
