package http

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vernemq/server/config"
	"vernemq/server/metrics"
	"vernemq/server/pki"
)

// serve runs a server of the built-in modules, and one that echoes bodies.
func serve(t *testing.T, change func(*config.HTTPListener)) (*Server, *Listener) {
	t.Helper()
	goleakAtEnd(t)
	down := []string{}
	r := metrics.New(nil)
	echo := Module{Name: "echo", Scope: "httppub", Paths: []string{"/echo"}, MaxBody: 100, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		w.Write(body)
	})}
	modules := []Module{MetricsModule(r, "n@h", func() string { return "" }), HealthModule(Health{Down: func() []string { return down }}), echo,
		{Name: "own", Scope: "mgmt", Paths: []string{"/own/"}, OwnAuth: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "wrong") {
				w.WriteHeader(http.StatusBadRequest)
			} else if !Permitted(r) {
				Refuse(w)
			}
		})}}
	s := New(modules, func(key, scope string) bool { return key == "key-"+scope }, slog.New(slog.DiscardHandler))
	cfg := &config.HTTPListener{Transport: "http", Name: "test", Address: "127.0.0.1:0", Modules: []string{"vmq_metrics_http", "vmq_health_http", "echo", "own", "missing"},
		APIKey: map[string]bool{}, MaxRequestLine: 8000, MaxHeaderValue: 4096}
	if change != nil {
		change(cfg)
	}
	var secure *tls.Config
	if cfg.Transport == "https" {
		source, err := pki.Open(cfg.TLS, "http/1.1")
		if err != nil {
			t.Fatal(err)
		}
		secure = source.Config()
	}
	li, err := s.Listen(cfg, secure)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil || len(s.Listeners()) > 0 {
			t.Errorf("%v, %d listeners are left", err, len(s.Listeners()))
		}
	})
	return s, li
}

func goleakAtEnd(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
}

func TestAnswers(t *testing.T) {
	_, li := serve(t, func(c *config.HTTPListener) { c.APIKey = map[string]bool{"echo": true, "own": true} })
	base := "http://" + li.Addr.String()
	for _, x := range []struct {
		method, path, header, body string
		status                     int
		has                        string
	}{
		{"GET", "/", "", "", 404, ""},
		{"GET", "/nosuch", "", "", 404, ""},
		{"GET", "/metrics", "", "", 200, "# TYPE socket_open counter\nsocket_open{node=\"n@h\"} 0\n"},
		{"GET", "/metrics/", "", "", 200, "socket_open"},
		{"GET", "/metrics/x", "", "", 404, ""},
		{"HEAD", "/metrics", "", "", 200, ""},
		{"OPTIONS", "/metrics", "", "", 200, ""},
		{"POST", "/metrics", "", "", 405, ""},
		{"GET", "/metrics", "Accept: application/json", "", 406, ""},
		{"GET", "/metrics", "Accept: text/*;q=0.5", "", 200, "socket_open"},
		{"GET", "/metrics", "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", "", 200, "socket_open"},
		{"GET", "/metrics", "Accept: text/plain;q=0", "", 406, ""},
		{"GET", "/health", "", "", 200, `{"status":"OK"}`},
		{"DELETE", "/health", "Accept: image/png", "", 200, `{"status":"OK"}`},
		{"GET", "/health/", "", "", 200, `{"status":"OK"}`},
		{"GET", "/health/ping", "", "", 200, `{"status":"OK"}`},
		{"GET", "/health/listeners", "", "", 200, `{"status":"OK"}`},
		{"GET", "/health/listeners_full_cluster", "", "", 200, `{"status":"OK"}`},
		{"GET", "/health/nosuch", "", "", 404, ""},
		{"POST", "/echo", "", "hi", 401, ""},
		{"POST", "/echo", "X-Api-Key: key-httppub", "hi", 200, "hi"},
		{"POST", "/echo", "X-Api-Key: key-mgmt", "hi", 401, ""},
		{"POST", "/echo", "Authorization: Basic a2V5LWh0dHBwdWI6", "hi", 200, "hi"},                             // key-httppub and no password
		{"POST", "/echo", "Authorization: Bearer x\nX-Api-Key: key-httppub", "hi", 401, ""},                     // x-api-key is not looked at
		{"POST", "/echo", "X-Api-Key: key-httppub", strings.Repeat("x", 101), 413, ""},                          // body too large
		{"GET", "/own/wrong", "", "", 400, ""},                                                                  // before the key is asked for
		{"GET", "/own/right", "", "", 401, ""},                                                                  //
		{"GET", "/own/right", "X-Api-Key: key-mgmt", "", 200, ""},                                               //
		{"GET", "/" + strings.Repeat("x", 9000), "", "", 414, ""},                                               // request line
		{"GET", "/health", "X-Long: " + strings.Repeat("x", 5000), "", 431, ""},                                 // one header
		{"GET", "/health", "A: " + strings.Repeat(strings.Repeat("x", 4000)+"\nA: ", 14) + "x", "", 431, "431"}, // all together
	} {
		name := x.method + " " + x.path[:min(len(x.path), 30)]
		req, err := http.NewRequest(x.method, base+x.path, strings.NewReader(x.body))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range strings.Split(x.header, "\n") {
			if k, v, ok := strings.Cut(h, ": "); ok {
				req.Header.Add(k, v)
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != x.status || !strings.Contains(string(body), x.has) || x.has == "" && len(body) > 0 {
			t.Errorf("%s (%.40s): %d %.80q, want %d %q", name, x.header, resp.StatusCode, body, x.status, x.has)
		}
		if x.status == 401 && resp.Header.Get("Www-Authenticate") != `Authorization realm="VerneMQ"` {
			t.Errorf("%s: %q", name, resp.Header.Get("Www-Authenticate"))
		}
		if strings.HasPrefix(x.path, "/metrics") && x.status == 200 && x.method == "GET" && resp.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("%s: content type %q", name, resp.Header.Get("Content-Type"))
		}
	}
}

// TestUnhealthy names the listeners that do not accept.
func TestUnhealthy(t *testing.T) {
	h := Health{Down: func() []string { return []string{"mqtts", "mqtt", "mqtt"} }, Cluster: func() ([]string, bool) { return []string{"Node has not joined cluster"}, true },
		Trouble: func() string { return "the disk is full" }}
	for path, want := range map[string]string{
		"/health":                        `503 {"status":"DOWN","reasons":["Node has not joined cluster","Listeners are not ready: [mqtt,mqtts]","the disk is full"]}`,
		"/health/ping":                   `200 {"status":"OK"}`,
		"/health/listeners":              `503 {"status":"DOWN","reason":"Listeners are not ready: [mqtt,mqtts]"}`,
		"/health/listeners_full_cluster": `503 {"status":"DOWN","reasons":["Listeners are not ready: [mqtt,mqtts]","At least one node is offline"]}`,
	} {
		w := &recorder{header: http.Header{}}
		r, _ := http.NewRequest("GET", path, nil)
		h.ServeHTTP(w, r)
		if got := fmt.Sprintf("%d %s", w.code, w.body.String()); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

type recorder struct {
	header http.Header
	code   int
	body   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(code int)        { r.code = code }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// TestConnectionLimit lets a third connection in when one of two has left.
func TestConnectionLimit(t *testing.T) {
	_, li := serve(t, func(c *config.HTTPListener) { c.MaxConnections = 2 })
	var conns []net.Conn
	ask := func(c net.Conn, d time.Duration) bool {
		fmt.Fprint(c, "GET /health/ping HTTP/1.1\r\nHost: x\r\n\r\n")
		c.SetReadDeadline(time.Now().Add(d))
		line, _ := bufio.NewReader(c).ReadString('\n')
		return strings.Contains(line, "200")
	}
	for range 3 {
		c, err := net.Dial("tcp", li.Addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	if !ask(conns[0], 5*time.Second) || !ask(conns[1], 5*time.Second) {
		t.Fatal("no answer")
	}
	if ask(conns[2], 100*time.Millisecond) {
		t.Error("a third connection was accepted")
	}
	if li.Active() != 2 {
		t.Errorf("%d connections", li.Active())
	}
	conns[0].Close()
	conns[2].SetReadDeadline(time.Now().Add(5 * time.Second))
	if line, err := bufio.NewReader(conns[2]).ReadString('\n'); !strings.Contains(line, "200") {
		t.Errorf("%q %v", line, err)
	}
	conns[1].Close()
	conns[2].Close()
}

// TestSuspend lets nobody in until the listener is resumed.
func TestSuspend(t *testing.T) {
	_, li := serve(t, nil)
	li.Suspend()
	client := &http.Client{Timeout: 200 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	if resp, err := client.Get("http://" + li.Addr.String() + "/health/ping"); err == nil {
		resp.Body.Close()
		t.Error("a suspended listener answers")
	}
	li.Resume()
	client.Timeout = 5 * time.Second
	resp, err := client.Get("http://" + li.Addr.String() + "/health/ping")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// TestHTTPS answers over TLS, and with require_certificate only those who have one.
func TestHTTPS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := certificate(t, dir)
	for _, require := range []bool{false, true} {
		_, li := serve(t, func(c *config.HTTPListener) {
			c.Transport, c.TLS = "https", &config.TLS{CertFile: certFile, KeyFile: keyFile, CAFile: certFile, RequireCertificate: require,
				MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13}
		})
		for _, with := range []bool{false, true} {
			secure := &tls.Config{InsecureSkipVerify: true}
			if with {
				pair, _ := tls.LoadX509KeyPair(certFile, keyFile)
				secure.Certificates = []tls.Certificate{pair}
			}
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: secure, DisableKeepAlives: true}, Timeout: 5 * time.Second}
			resp, err := client.Get("https://" + li.Addr.String() + "/health/ping")
			if err == nil {
				resp.Body.Close()
			}
			if (err == nil) != (with || !require) {
				t.Errorf("require %v, certificate %v: %v", require, with, err)
			}
		}
	}
}

// certificate makes one that signs itself.
func certificate(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, b := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// FuzzAccepts holds that no header is fatal, and that */* always admits.
func FuzzAccepts(f *testing.F) {
	f.Add("text/plain;version=0.0.4;q=0.3,*/*;q=0.1")
	f.Fuzz(func(t *testing.T, h string) {
		accepts([]string{h}, "text/plain")
		if !accepts([]string{h, "*/*"}, "text/plain") {
			t.Fatal("not admitted")
		}
	})
}
