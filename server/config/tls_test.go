package config

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"time"
)

const secure = listen + "listener.ssl.certfile = cert.pem\n"

// TestInheritTLS takes options from the listener, from its transport and from
// what holds for all.
func TestInheritTLS(t *testing.T) {
	l, err := loadText(t, secure+"listener.max_connections = 7\nlistener.ssl.keyfile = /k.pem\nlistener.ssl.tls_version = tlsv1.2,tlsv1.3\n"+
		"listener.ssl.a = 127.0.0.1:1\nlistener.ssl.a.keyfile = other.pem\nlistener.ssl.a.tls_version = tlsv1.3\nlistener.ssl.a.cafile = ca.pem\n"+
		"listener.ssl.a.require_certificate = on\nlistener.ssl.a.tls_handshake_timeout = 100\nlistener.ssl.a.depth = 0\n"+
		"listener.ssl.b = 127.0.0.1:2\nlistener.ssl.b.tls_handshake_timeout = infinity\n"+
		"listener.ssl.ciphers = ECDHE-RSA-AES128-GCM-SHA256:NOSUCH:TLS_AES_128_GCM_SHA256:TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\nlistener.ssl.eccs = [secp256r1, sect571r1]\n")
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]Listener{}
	for _, li := range l.Config.Listeners {
		by[li.Name] = li
	}
	a, b := by["a"], by["b"]
	if a.MaxConnections != 7 || a.TLS == nil || !strings.HasSuffix(a.TLS.KeyFile, "/other.pem") || b.TLS.KeyFile != "/k.pem" || !strings.HasSuffix(b.TLS.CertFile, "/cert.pem") {
		t.Errorf("%+v %+v", a.TLS, b.TLS)
	}
	if a.TLS.MinVersion != tls.VersionTLS13 || b.TLS.MinVersion != tls.VersionTLS12 || b.TLS.MaxVersion != tls.VersionTLS13 || !a.TLS.RequireCertificate || b.TLS.RequireCertificate {
		t.Errorf("%+v %+v", a.TLS, b.TLS)
	}
	if a.TLS.HandshakeTimeout != 100*time.Millisecond || b.TLS.HandshakeTimeout < time.Hour || a.TLS.Depth != 0 || b.TLS.Depth != 1 {
		t.Errorf("%+v %+v", a.TLS, b.TLS)
	}
	if !slices.Equal(a.TLS.Ciphers, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}) || !slices.Equal(a.TLS.Curves, []tls.CurveID{tls.CurveP256}) {
		t.Errorf("%v %v", a.TLS.Ciphers, a.TLS.Curves)
	}
	warnings := strings.Join(l.Warnings, "\n")
	for _, want := range []string{"left out: NOSUCH", "left out: sect571r1"} {
		if !strings.Contains(warnings, want) {
			t.Errorf("%s\nlacks %q", warnings, want)
		}
	}
}

func TestWebSocketOptions(t *testing.T) {
	l, err := loadText(t, listen+"listener.ws.a = 127.0.0.1:8080\nlistener.ws.proxy_xff_support = on\nlistener.ws.proxy_xff_trusted_intermediate = 10.0.0.1; ::1\n"+
		"listener.ws.a.proxy_xff_use_cn_as_username = on\nlistener.ws.a.max_header_value_length = 99\nlistener.ws.a.proxy_protocol = on\nmax_ws_frame_size = 1000\n")
	if err != nil {
		t.Fatal(err)
	}
	li := l.Config.Listeners[slices.IndexFunc(l.Config.Listeners, func(x Listener) bool { return x.Name == "a" })]
	w := li.WebSocket
	if !li.Proxy || !li.ProxyCN || w == nil || !w.Forwarded || len(w.Trusted) != 2 || w.CNField != "x-ssl-client-cn" || w.MaxValue != 99 || w.MaxLine != 8000 || l.Config.MaxFrameSize != 1000 {
		t.Errorf("%+v %+v", li, w)
	}
}

func TestWrongListeners(t *testing.T) {
	for text, want := range map[string]string{
		listen + "listener.ssl.a = 127.0.0.1:1\n":                                                      "certfile is not set",
		secure + "listener.ssl.a = 127.0.0.1:1\nlistener.ssl.a.require_certificate = on\n":             "vernemq.conf:4: listener.ssl.a.require_certificate invalid, cafile is not set",
		secure + "listener.ssl.a = 127.0.0.1:1\nlistener.ssl.tls_version = tlsv1,tlsv1.2\n":            "gap",
		secure + "listener.ssl.a = 127.0.0.1:1\nlistener.ssl.a.tls_version = sslv3\n":                  `"sslv3" is not a TLS version`,
		secure + "listener.ssl.a = 127.0.0.1:1\nlistener.ssl.a.ciphers = NULL-MD5\n":                   "none of the cipher suites is available",
		secure + "listener.ssl.a = 127.0.0.1:1\nlistener.ssl.a.eccs = x,y\n":                           "Unknown ECC named curves: x,y",
		secure + "listener.ssl.a = 127.0.0.1:1\nlistener.ssl.psk_support = on\n":                       "pre-shared keys is not available",
		secure + "listener.ssl.a = 127.0.0.1:1\nlistener.ssl.a.depth = -1\n":                           "must be a non-negative integer",
		listen + "listener.ws.a = 127.0.0.1:1\nlistener.ws.a.proxy_xff_trusted_intermediate = proxy\n": "not a numeric IPv4 or IPv6 address",
		listen + "listener.ws.a = 127.0.0.1:1\nlistener.ws.a.proxy_xff_use_cn_as_username = on\n":      "needs proxy_xff_support",
		listen + "listener.ws.a = local:/x:0\n":                                                        "address",
		secure + "listener.ssl.a = 127.0.0.1:1\nlistener.ssl.a.tls_handshake_timeout = 0\n":            "must be at least 1",
	} {
		if _, err := loadText(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestNewListener makes listeners as at run time.
func TestNewListener(t *testing.T) {
	c := &Config{BaseDir: "/base", AllowAnonymous: true}
	li, err := c.NewListener("wss", "x", "127.0.0.1:443", map[string]string{"certfile": "c.pem", "max_connections": "infinity"})
	if err != nil || li.TLS.CertFile != "/base/c.pem" || li.MaxConnections != 0 || li.WebSocket == nil || !li.AllowAnonymous || string(li.AllowedVersions) != "\x03\x04" {
		t.Errorf("%+v %v", li, err)
	}
	for _, x := range []struct {
		transport, name, address string
		options                  map[string]string
	}{
		{"tcp", "x", "nowhere", nil}, {"chat", "x", "127.0.0.1:1", nil}, {"tcp", "", "127.0.0.1:1", nil}, {"tcp", "a.b", "127.0.0.1:1", nil},
		{"tcp", "x", "127.0.0.1:1", map[string]string{"allowed_protocol_versions": "9"}},
	} {
		if li, err := c.NewListener(x.transport, x.name, x.address, x.options); err == nil {
			t.Errorf("%+v: %+v", x, li)
		}
	}
}

// TestNewListenerRefuses says why in words that do without the listener's name,
// which its starter does not know.
func TestNewListenerRefuses(t *testing.T) {
	t.Parallel()
	c := &Config{}
	if _, err := c.NewListener("ssl", "x", "127.0.0.1:0", nil); err == nil || err.Error() != "certfile is not set" {
		t.Error(err)
	}
	if _, err := c.NewHTTPListener("https", "x", "127.0.0.1:0", nil); err == nil || err.Error() != "certfile is not set" {
		t.Error(err)
	}
}

// TestNewListenerInherits has what is not given from the listener's transport,
// and from all listeners.
func TestNewListenerInherits(t *testing.T) {
	l, err := loadText(t, "listener.tcp.default = 127.0.0.1:1883\nlistener.tcp.default.mountpoint = own\nlistener.mountpoint = all\nlistener.ssl.certfile = /c.pem\n"+
		"listener.ssl.keyfile = k.pem\nlistener.ssl.mountpoint = tls\nlistener.max_connection_lifetime = 60\nlistener.tcp.proxy_protocol = on\n"+
		"listener.tcp.max_connection_lifetime = 30\nlistener.tcp.x.max_connection_lifetime = 7\nlistener.tcp.x = 127.0.0.1:1884\nallow_anonymous = on\n"+
		"vmq_http_pub.mqtt_auth.mode = predefined\nvmq_http_pub.mqtt_auth.password = secret\nlistener.http.a.http_modules.vmq_http_pub.mqtt_auth.password = own\n"+
		"listener.http.a = 127.0.0.1:8888\nlistener.http.a.http_modules.vmq_http_pub.mountpoint = mp\n")
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	tcp, err := c.NewListener("tcp", "x", "127.0.0.1:1885", map[string]string{"certfile": "of no use here"})
	if err != nil || tcp.Mountpoint != "all" || !tcp.Proxy || tcp.MaxConnectionLifetime != 30*time.Second || !tcp.AllowAnonymous || tcp.Address != "127.0.0.1:1885" {
		t.Errorf("%+v, %v", tcp, err)
	}
	ssl, err := c.NewListener("ssl", "y", "[::1]:0", map[string]string{"mountpoint": "given", "keyfile": "/k2"})
	if err != nil || ssl.Mountpoint != "given" || ssl.TLS.CertFile != "/c.pem" || ssl.TLS.KeyFile != "/k2" || ssl.MaxConnectionLifetime != time.Minute {
		t.Errorf("%+v, %v", ssl, err)
	}
	web, err := c.NewHTTPListener("http", "b", "127.0.0.1:0", nil)
	if want := (HTTPPublish{Predefined: true, Password: "secret"}); err != nil || web.Publish != want {
		t.Errorf("%+v, %v", web, err)
	}
	if want := (HTTPPublish{Predefined: true, Password: "own", Mountpoint: "mp"}); c.HTTPListeners[0].Publish != want {
		t.Errorf("%+v", c.HTTPListeners[0].Publish)
	}
}
