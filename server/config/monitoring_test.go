package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestHTTPListeners resolves modules and who asks for keys.
func TestHTTPListeners(t *testing.T) {
	l, err := loadText(t, listen+"listener.http.default = 127.0.0.1:8888\nlistener.http.open.http_modules = vmq_metrics_http\n"+
		"listener.http.open.max_connections = 7\nhttp_module.vmq_metrics_http.auth.mode = apikey\n"+
		"listener.https.x.certfile = c.pem\nlistener.https.x.http_module.vmq_metrics_http.auth.mode = noauth\nlistener.max_connections = infinity\n")
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		transport, name, address string
		max, modules             int
		metrics, management      bool
		cert                     bool
	}
	var got []seen
	for _, h := range l.Config.HTTPListeners {
		got = append(got, seen{h.Transport, h.Name, h.Address, h.MaxConnections, len(h.Modules), h.APIKey["vmq_metrics_http"], h.APIKey["vmq_http_mgmt_api"], h.TLS != nil && h.TLS.CertFile != ""})
	}
	want := []seen{
		{"http", "default", "127.0.0.1:8888", 0, 5, true, true, false},
		{"http", "open", "127.0.0.1:8888", 7, 1, true, false, false},
		{"https", "x", "127.0.0.1:8889", 0, 5, false, true, true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestMonitoring reads what the broker tells of itself.
func TestMonitoring(t *testing.T) {
	l, err := loadText(t, listen+"prometheus_namespace = \"\"\nsystree_interval = 1000\nsystree_qos = 1\ngraphite_enabled = on\ngraphite.interval = 15000\n"+
		"log.console = both\nlog.console.rotation.size = 2MB\nlog.crash.rotation = $W1D4\nlog.syslog = on\nlog.syslog.facility = local3\nlog.error = off\nlogging.connections = connect\n")
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if c.PrometheusNamespace != "" || c.Systree.Interval != time.Second || c.Systree.QoS != 1 || !c.Systree.Enabled || !c.Graphite.Enabled || c.Graphite.Interval != 15*time.Second {
		t.Errorf("%q %+v %+v", c.PrometheusNamespace, c.Systree, c.Graphite)
	}
	g := c.Log
	if g.File.Size != 2<<20 || g.File.Keep != 5 || g.Error.Path != "" || g.Crash.Time != "$W1D4" || g.Crash.Size != 10<<20 || g.Syslog.Facility != "local3" || !c.LogConnects || c.LogDisconnects {
		t.Errorf("%+v %+v", g, g.Syslog)
	}
	for _, none := range []string{"prometheus_namespace =", "prometheus_namespace = # none", "prometheus_namespace = ''"} {
		if l, err := loadText(t, listen+"prometheus_namespace = x_\n"+none+"\n"); err != nil || l.Config.PrometheusNamespace != "" {
			t.Errorf("%q: %v", none, err)
		}
	}
	if _, err := loadText(t, listen+"log.crash.rotation = midnight\n"); err == nil || !strings.Contains(err.Error(), "log.crash.rotation") {
		t.Errorf("%v", err)
	}
}
