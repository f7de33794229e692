package pki

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vernemq/reactor/tlstest"
	"vernemq/server/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world has an authority and the files of a server.
type world struct {
	*testing.T
	dir     string
	ca      *tlstest.Authority
	options *config.TLS
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, dir: t.TempDir(), ca: tlstest.New(t, "authority")}
	w.options = &config.TLS{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13, Depth: 1, RequireCertificate: true,
		CAFile: tlstest.Write(t, w.dir, "ca.pem", w.ca.PEM())}
	w.options.CertFile, w.options.KeyFile = w.ca.Issue("server", nil).Files(w.dir, "server")
	return w
}

func (w *world) open() *Source {
	w.Helper()
	s, err := Open(w.options, "mqtt")
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// shake runs a handshake and gives what each side thinks of it.
func (w *world) shake(s *Source, leaf *tlstest.Leaf, change func(*tls.Config)) (state tls.ConnectionState, server, client error) {
	w.Helper()
	a, b := w.pair()
	defer a.Close()
	defer b.Close()
	cfg := &tls.Config{RootCAs: w.ca.Pool(), ServerName: "localhost"}
	if leaf != nil {
		cfg.Certificates = []tls.Certificate{leaf.TLS()}
	}
	if change != nil {
		change(cfg)
	}
	done := make(chan error, 1)
	go func() {
		c := tls.Client(b, cfg)
		err := c.Handshake()
		if err == nil {
			_, err = c.Read(make([]byte, 1)) // TLS 1.3 tells a client late
		}
		state = c.ConnectionState()
		b.Close()
		done <- err
	}()
	c := tls.Server(a, s.Config())
	if server = c.Handshake(); server == nil {
		_, _ = c.Write([]byte{0})
	}
	a.Close()
	client = <-done // state is written before
	return state, server, client
}

// pair are the two ends of a connection.
func (w *world) pair() (server, client net.Conn) {
	w.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		w.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		w.Fatal(err)
	}
	for _, c := range []net.Conn{server, client} {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	}
	return server, client
}

func TestClients(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			w := newWorld(t)
			w.options.MinVersion, w.options.MaxVersion = version, version
			revoked, good := w.ca.Issue("revoked", nil), w.ca.Issue("good", nil)
			one := w.ca.Intermediate("one")
			two := one.Intermediate("two")
			stranger := tlstest.New(t, "authority") // of the same name
			w.options.CRLFile = tlstest.Write(t, w.dir, "crl.pem", append(w.ca.CRL(revoked), stranger.CRL(good)...))
			s := w.open()
			for name, x := range map[string]struct {
				leaf *tlstest.Leaf
				why  string // "" when it is let in
			}{
				"good":                 {good, ""},
				"by an authority":      {one.Issue("x", nil), ""},
				"chain too long":       {two.Issue("x", nil), "longer than depth"},
				"none":                 {nil, "didn't provide a certificate"},
				"revoked":              {revoked, "revoked"},
				"of another authority": {stranger.Issue("x", nil), "unknown authority"},
				"expired":              {w.ca.Issue("x", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "expired"},
				"not yet":              {w.ca.Issue("x", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), "not yet valid"},
				"for servers only": {w.ca.Issue("x", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
					"incompatible key usage"},
			} {
				state, server, client := w.shake(s, x.leaf, nil)
				if (server == nil) != (x.why == "") || server != nil && !strings.Contains(server.Error(), x.why) || (client == nil) != (server == nil) {
					t.Errorf("%s: %v; %v", name, server, client)
				}
				if server == nil && state.Version != version {
					t.Errorf("%s: version %x", name, state.Version)
				}
			}
		})
	}
}

// TestResumptionAsksAgain refuses the resumed session of who was revoked.
func TestResumptionAsksAgain(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		w := newWorld(t)
		leaf := w.ca.Issue("device", nil)
		w.options.CRLFile = tlstest.Write(t, w.dir, "crl.pem", w.ca.CRL())
		s := w.open()
		cache := tls.NewLRUClientSessionCache(1)
		use := func(c *tls.Config) { c.ClientSessionCache, c.MaxVersion = cache, version }
		for i := range 2 {
			state, server, client := w.shake(s, leaf, use)
			if server != nil || client != nil || state.DidResume != (i == 1) {
				t.Fatal(i, server, client, state.DidResume)
			}
		}
		tlstest.Write(t, w.dir, "crl.pem", w.ca.CRL(leaf))
		if changed, err := s.Reload(); !changed || err != nil {
			t.Fatal(changed, err)
		}
		if _, server, _ := w.shake(s, leaf, use); !errors.Is(server, errRevoked) {
			t.Errorf("%x: %v", version, server)
		}
	}
}

func TestProtocols(t *testing.T) {
	w := newWorld(t)
	w.options.RequireCertificate = false
	s := w.open()
	for _, x := range []struct {
		offer []string
		want  string
	}{{nil, ""}, {[]string{"mqtt"}, "mqtt"}, {[]string{"h2", "mqtt"}, "mqtt"}, {[]string{"x-other"}, ""}} {
		state, server, client := w.shake(s, nil, func(c *tls.Config) { c.NextProtos = x.offer })
		if server != nil || client != nil || state.NegotiatedProtocol != x.want {
			t.Errorf("%q: %q %v %v", x.offer, state.NegotiatedProtocol, server, client)
		}
	}
}

func TestVersionsAndCiphers(t *testing.T) {
	w := newWorld(t)
	w.options.RequireCertificate, w.options.MaxVersion = false, tls.VersionTLS12
	w.options.Ciphers = []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}
	w.options.Curves = []tls.CurveID{tls.CurveP384}
	s := w.open()
	if state, _, client := w.shake(s, nil, nil); client != nil || state.CipherSuite != w.options.Ciphers[0] || state.Version != tls.VersionTLS12 || state.CurveID != tls.CurveP384 {
		t.Error(client, state.CipherSuite, state.Version)
	}
	if _, server, _ := w.shake(s, nil, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }); server == nil {
		t.Error("TLS 1.3 is granted")
	}
	if _, server, _ := w.shake(s, nil, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }); server == nil {
		t.Error("another curve is granted")
	}
	if _, _, client := w.shake(s, nil, func(c *tls.Config) { c.ServerName = "elsewhere" }); client == nil {
		t.Error("the client takes the certificate of another host")
	}
}

func TestWrongFiles(t *testing.T) {
	for name, x := range map[string]struct {
		change func(w *world)
		why    string
	}{
		"no certificate": {func(w *world) { w.options.CertFile = "" }, "certfile is not set"},
		"missing":        {func(w *world) { w.options.CertFile = w.dir + "/none" }, "cannot read"},
		"empty":          {func(w *world) { tlstest.Write(t, w.dir, "server.crt", nil) }, "cannot use"},
		"key of another": {func(w *world) { tlstest.Write(t, w.dir, "server.key", w.ca.Issue("x", nil).KeyPEM()) }, "does not match"},
		"key is a cert":  {func(w *world) { tlstest.Write(t, w.dir, "server.key", w.ca.PEM()) }, "server.key"},
		"authorities":    {func(w *world) { tlstest.Write(t, w.dir, "ca.pem", []byte("x")) }, "holds no certificate"},
		"no list":        {func(w *world) { w.options.CRLFile = tlstest.Write(t, w.dir, "crl.pem", w.ca.PEM()) }, "holds no list"},
		"list is broken": {func(w *world) {
			w.options.CRLFile = tlstest.Write(t, w.dir, "crl.pem", []byte("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"))
		}, "is broken"},
		"a directory as file": {func(w *world) { w.options.CAFile = w.dir }, "not a regular file"},
	} {
		w := newWorld(t)
		x.change(w)
		if _, err := Open(w.options); err == nil || !strings.Contains(err.Error(), x.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReload takes new files, and keeps the old ones in force while the new
// ones do not fit.
func TestReload(t *testing.T) {
	w := newWorld(t)
	w.options.RequireCertificate = false
	s := w.open()
	serving := func() string {
		state, _, client := w.shake(s, nil, nil)
		if client != nil {
			t.Fatal(client)
		}
		return state.PeerCertificates[0].Subject.CommonName
	}
	if changed, err := s.Reload(); changed || err != nil {
		t.Error(changed, err)
	}
	next := w.ca.Issue("next", nil)
	tlstest.Write(t, w.dir, "server.crt", next.CertPEM())
	for range 2 {
		if changed, err := s.Reload(); changed || err == nil || !strings.Contains(err.Error(), "does not match") {
			t.Error(changed, err)
		}
	}
	if name := serving(); name != "server" || s.Leaf().Subject.CommonName != "server" {
		t.Error(name)
	}
	tlstest.Write(t, w.dir, "server.key", next.KeyPEM())
	if changed, err := s.Reload(); !changed || err != nil {
		t.Error(changed, err)
	}
	if name := serving(); name != "next" || s.Leaf().Subject.CommonName != "next" {
		t.Error(name)
	}
	os.Remove(w.options.KeyFile)
	if changed, err := s.Reload(); changed || err == nil {
		t.Error(changed, err)
	}
	serving()
	tlstest.Write(t, w.dir, "server.key", next.KeyPEM())
	if _, err := s.Reload(); err != nil {
		t.Error(err)
	}
}

func TestRun(t *testing.T) {
	w := newWorld(t)
	w.options.CRLFile = tlstest.Write(t, w.dir, "crl.pem", w.ca.CRL())
	s := w.open()
	ctx, cancel := context.WithCancel(context.Background())
	reports := make(chan error, 10)
	ended := make(chan struct{})
	go func() {
		s.Run(ctx, time.Millisecond, time.Millisecond, func(err error) { reports <- err })
		close(ended)
	}()
	leaf := w.ca.Issue("device", nil)
	tlstest.Write(t, w.dir, "crl.pem", w.ca.CRL(leaf))
	if err := <-reports; err != nil {
		t.Error(err)
	}
	if _, server, _ := w.shake(s, leaf, nil); !errors.Is(server, errRevoked) {
		t.Error(server)
	}
	next := w.ca.Issue("next", nil)
	tlstest.Write(t, w.dir, "server.crt", next.CertPEM())
	if err := <-reports; err == nil {
		t.Error("a certificate without its key is in force")
	}
	tlstest.Write(t, w.dir, "server.key", next.KeyPEM())
	if err := <-reports; err != nil {
		t.Error(err)
	}
	cancel()
	<-ended
}

func TestCommonName(t *testing.T) {
	ca := tlstest.New(t, "authority")
	name := func(parts pkix.RDNSequence) string {
		var n pkix.Name
		n.FillFromRDNSequence(&parts)
		return CommonName(ca.Issue("", func(c *x509.Certificate) { c.Subject = n }).Cert)
	}
	if got := CommonName(ca.Issue("device-7", nil).Cert); got != "device-7" {
		t.Errorf("%q", got)
	}
	if got := CommonName(ca.Issue("Gerät", nil).Cert); got != "Gerät" {
		t.Errorf("%q", got)
	}
	if got := name(nil); got != "" {
		t.Errorf("%q", got)
	}
	if got := CommonName(&x509.Certificate{RawSubject: []byte{1, 2, 3}}); got != "" {
		t.Errorf("%q", got)
	}
}

func TestExpired(t *testing.T) {
	c := tlstest.New(t, "a").Issue("x", nil).Cert
	for at, want := range map[time.Duration]string{0: "", -2 * time.Hour: "valid from", 2 * time.Hour: "expired at"} {
		err := Expired(c, time.Now().Add(at))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", at, err)
		}
	}
}

// FuzzParseRevocations never panics.
func FuzzParseRevocations(f *testing.F) {
	f.Add([]byte("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := parseRevocations(text); err == nil && len(r) == 0 {
			t.Error("nothing, and no error")
		}
	})
}

// TestReloadInterrupted: a certificate that changed while another file was not
// there comes into force once it is, without a further change.
func TestReloadInterrupted(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	ca, err := os.ReadFile(w.options.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	next := w.ca.Issue("next", nil)
	tlstest.Write(t, w.dir, "server.crt", next.CertPEM())
	tlstest.Write(t, w.dir, "server.key", next.KeyPEM())
	os.Remove(w.options.CAFile)
	look := func() (bool, error) { return s.reload(false, certFile, keyFile, caFile) }
	if changed, err := look(); changed || err == nil {
		t.Error(changed, err)
	}
	if err := os.WriteFile(w.options.CAFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := look(); !changed || err != nil || s.Leaf().Subject.CommonName != "next" {
		t.Error(changed, err, s.Leaf().Subject)
	}
}
