package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestPrometheus lets Debian's Prometheus read a broker in both namespaces and
// asks it what it has seen, with the rules that we ship.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	oursOnly(t, "metrics")
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed")
	}
	plain := monitored(t, "prometheus_namespace=\"\"")
	spaced := monitored(t, "prometheus_namespace=vernemq_")
	p := startPrometheus(t, program, plain.web, spaced.web)
	sub := plain.connect(t, connect{id: "sub", v: 5})
	sub.subscribe(1, "a/+")
	pub := plain.connect(t, connect{id: "pub", v: 4})
	for range 20 {
		pub.send(publish{topic: "a/b", payload: "hello"}.bytes(4))
		sub.next()
	}
	for query, want := range map[string]func(float64) bool{
		`sum(up)`: func(v float64) bool { return v == 2 },
		`mqtt_publish_received{node="VerneMQ@127.0.0.1",mqtt_version="4"}`: func(v float64) bool { return v == 20 },
		`sum(mqtt_publish_sent)`:                                                              func(v float64) bool { return v == 20 },
		`sum(vernemq_mqtt_publish_received)`:                                                  func(v float64) bool { return v == 0 },
		`mqtt_connack_sent{mqtt_version="5",reason_code="success"}`:                           func(v float64) bool { return v == 1 },
		`queue_message_in - queue_message_out - queue_message_drop - queue_message_unhandled`: func(v float64) bool { return v == 0 },
		`socket_open - socket_close`:                                                          func(v float64) bool { return v >= 2 },
		`listener_connections{listener="default",type="mqtt"}`:                                func(v float64) bool { return v >= 2 },
		`histogram_quantile(0.99, sum by (le) (publish_to_deliver_microseconds_bucket))`:      func(v float64) bool { return v > 0 && v < 1e7 },
		`process_resident_memory_bytes{node="VerneMQ@127.0.0.1"}`:                             func(v float64) bool { return v > 1e6 },
		`count(count by (__name__) ({node="VerneMQ@127.0.0.1",__name__=~"[a-z].*"}))`:         func(v float64) bool { return v > 300 },
		`count({__name__=~"ALERTS",alertname=~"VerneMQ.*"}) or vector(0)`:                     func(v float64) bool { return v == 0 },
		`vernemq:open_sockets`:                                                                func(v float64) bool { return v >= 2 },
	} {
		got := ""
		eventually(t, query, func() bool {
			v, ok := p.query(t, query)
			got = fmt.Sprint(v, ok)
			return ok && want(v)
		})
		t.Logf("%s = %s", query, got)
	}
	for _, typ := range []struct{ name, typ string }{{"socket_open", "counter"}, {"queue_processes", "gauge"}, {"loop_turn_microseconds", "histogram"}} {
		if body := p.get(t, "/api/v1/metadata?metric="+typ.name); !strings.Contains(body, `"type":"`+typ.typ+`"`) || !strings.Contains(body, `"help":"`) {
			t.Errorf("%s: %s", typ.name, body)
		}
	}
	if body := p.get(t, "/api/v1/rules"); strings.Contains(body, `"health":"err"`) || !strings.Contains(body, "VerneMQDown") {
		t.Errorf("rules: %s", body)
	}
}

// monitoredBroker is a broker with an HTTP listener.
type monitoredBroker struct {
	*broker
	web string
}

func monitored(t *testing.T, settings ...string) *monitoredBroker {
	t.Helper()
	web := fmt.Sprintf("127.0.0.1:%d", freePort())
	b := &monitoredBroker{startBroker(t, 2, append(settings, "listener.http.default="+web)...), web}
	eventually(t, "HTTP", func() bool { // opens after MQTT
		resp, err := http.Get("http://" + web + "/health/ping")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	return b
}

type prometheus struct{ address string }

func startPrometheus(t *testing.T, program string, targets ...string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	for _, f := range []string{"alerts.yml", "recording.yml"} {
		rules, err := os.ReadFile(filepath.Join("../../docs/monitoring", f))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), rules, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	conf := "global: {scrape_interval: 500ms, scrape_timeout: 400ms, evaluation_interval: 500ms}\nrule_files: [alerts.yml, recording.yml]\n" +
		"scrape_configs: [{job_name: vernemq, static_configs: [{targets: ['" + strings.Join(targets, "', '") + "']}]}]\n"
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	p := &prometheus{fmt.Sprintf("127.0.0.1:%d", freePort())}
	cmd := exec.Command(program, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+p.address, "--log.level=error")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	eventually(t, "prometheus is ready", func() bool {
		resp, err := http.Get("http://" + p.address + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	})
	return p
}

func (p *prometheus) get(t *testing.T, path string) string {
	t.Helper()
	return fetch(t, "http://"+p.address+path)
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// query gives the first value of a query.
func (p *prometheus) query(t *testing.T, q string) (float64, bool) {
	t.Helper()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	body := p.get(t, "/api/v1/query?query="+url.QueryEscape(q))
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if len(answer.Data.Result) == 0 {
		return 0, false
	}
	v, err := strconv.ParseFloat(answer.Data.Result[0].Value[1].(string), 64)
	return v, err == nil
}

// TestSystree subscribes to $SYS of a running broker.
func TestSystree(t *testing.T) {
	t.Parallel()
	oursOnly(t, "$SYS")
	b := startBroker(t, 2, "systree_interval=200", "systree_qos=1", "systree_retain=on", "nodename=node.1@host")
	r := b.connect(t, connect{id: "watcher", v: 4})
	r.subscribe(1, "$SYS/node.1@host/#")
	r.subscribe(0, "#") // a wildcard does not match what begins with $
	seen := map[string]string{}
	complete := false
	for k := 0; k < 2000 && !complete; k++ {
		p := r.next()
		topic, payload := readPublish(p)
		seen[topic] = payload
		if p.head&6 != 2 { // the subscription to # would have QoS 0
			t.Errorf("%s with head %x", topic, p.head)
		}
		r.send([]byte{0x40, 2, p.body[2+len(topic)], p.body[3+len(topic)]})
		complete = seen["$SYS/node.1@host/mqtt/connect/received"] == "1" && seen["$SYS/node.1@host/system/gc/count"] != "" && len(seen) >= 90
	}
	if !complete {
		t.Errorf("%d topics: %v", len(seen), seen)
	}
	if v := seen["$SYS/node.1@host/mqtt/publish/received"]; v != "0" {
		t.Errorf("$SYS counts as received: %s", v)
	}
	late := b.connect(t, connect{id: "late", v: 4})
	late.subscribe(0, "$SYS/node.1@host/socket/open")
	if p := late.next(); p.head&1 == 0 {
		t.Errorf("not retained: head %x", p.head)
	}
}

// readPublish gives topic and payload of a PUBLISH of QoS 1.
func readPublish(p packet) (topic, payload string) {
	n := int(p.body[0])<<8 | int(p.body[1])
	return string(p.body[2 : 2+n]), string(p.body[4+n:])
}

// TestLogFiles runs a broker with all log files and looks at what stands in
// them, and whether logrotate may move them.
func TestLogFiles(t *testing.T) {
	t.Parallel()
	oursOnly(t, "logs")
	b := startBroker(t, 1, "log.console=file", "log.console.file=log/console.log", "log.error.file=log/error.log", "log.crash.file=log/crash.log", "logging.connections=both", "log.console.file.format=json")
	c := b.connect(t, connect{id: "somebody", v: 4})
	c.send([]byte{0x36, 3, 0, 1, 'a'}) // QoS 3
	console := func() string {
		text, _ := os.ReadFile(filepath.Join(b.base, "log/console.log"))
		return string(text)
	}
	eventually(t, "lines", func() bool {
		return strings.Contains(console(), "client connected") && strings.Contains(console(), "client stopped")
	})
	for line := range strings.Lines(console()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	if err := os.Rename(filepath.Join(b.base, "log/console.log"), filepath.Join(b.base, "log/old.log")); err != nil {
		t.Fatal(err)
	}
	_ = b.cmd.Process.Signal(syscall.SIGUSR1)
	eventually(t, "a new file", func() bool {
		b.connect(t, connect{id: "another", v: 4}).c.Close()
		return strings.Contains(console(), "another")
	})
}

// TestPages reads every page of a running broker.
func TestPages(t *testing.T) {
	t.Parallel()
	oursOnly(t, "HTTP")
	b := monitored(t, "http_module.vmq_status_http.auth.mode=apikey")
	for path, want := range map[string]string{"/health": `{"status":"OK"}`, "/health/listeners": `{"status":"OK"}`, "/metrics": "build_info{node=", "/status": "", "/status.json": ""} {
		if got := fetch(t, "http://"+b.web+path); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: %.100s", path, got)
		}
	}
	open := monitored(t)
	if got := fetch(t, "http://"+open.web+"/status.json"); !strings.Contains(got, `"num_online":0`) || !strings.Contains(got, `"port":`+strconv.Itoa(open.port)) {
		t.Error(got)
	}
	if got := fetch(t, "http://"+open.web+"/status"); !strings.Contains(got, "<!doctype html>") {
		t.Errorf("%.100s", got)
	}
}

// TestCrashLog lets the process die as in a fatal error of Go's runtime: the
// crash log says why.
func TestCrashLog(t *testing.T) {
	t.Parallel()
	oursOnly(t, "the crash log")
	b := &broker{loops: 1, base: t.TempDir(), settings: []string{"log.crash.file=log/crash.log"}}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	_ = b.cmd.Process.Signal(syscall.SIGABRT)
	<-b.exited
	text, err := os.ReadFile(filepath.Join(b.base, "log/crash.log"))
	if err != nil || !strings.Contains(string(text), "SIGABRT: abort") || !strings.Contains(string(text), "goroutine ") {
		t.Errorf("%v: %.200s", err, text)
	}
}
