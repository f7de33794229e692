package bench

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vernemq/reactor/tlstest"
)

// secureFake starts a broker that speaks TLS, and gives what its clients need.
func secureFake(t *testing.T, b *fakeBroker, change func(*tls.Config)) (addr string, trust *TLS, ca *tlstest.Authority) {
	t.Helper()
	ca = tlstest.New(t, "authority")
	b.tls = &tls.Config{Certificates: []tls.Certificate{ca.Issue("broker", nil).TLS()}}
	if change != nil {
		change(b.tls)
	}
	trust = &TLS{CAFile: tlstest.Write(t, t.TempDir(), "ca.crt", ca.PEM())}
	if err := trust.Read(); err != nil {
		t.Fatal(err)
	}
	return startFake(t, b), trust, ca
}

// TestSecureFlows runs messages small and large over TLS, open and closed loop.
func TestSecureFlows(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		for _, size := range []int{16, 40_000} {
			for _, rate := range []float64{400, 0} {
				addr, trust, _ := secureFake(t, &fakeBroker{}, func(c *tls.Config) { c.MaxVersion = version })
				l := testLoad(t, "pairs", addr, func(l *Load) {
					l.TLS, l.Size, l.Rate, l.QoS, l.Window, l.Batch = trust, size, rate, 1, 20, 4
				})
				run := Execute(t.Context(), l, Options{})
				if m := run.Flow; len(run.Failures) > 0 || m == nil || !measured(&l, m) {
					t.Errorf("TLS %s, %d bytes at %v/s: %v", name, size, rate, run.Failures)
				} else if c := run.Connect; c.TLS.Count != 8 || c.Connack.Count != 8 {
					t.Errorf("%+v", c)
				}
			}
		}
	}
}

// TestSecureCase: clients that come back resume their own sessions.
func TestSecureCase(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		addr, trust, _ := secureFake(t, &fakeBroker{}, func(c *tls.Config) { c.MaxVersion = version })
		trust.Resume = true
		l := testLoad(t, "tls", addr, func(l *Load) { l.Clients, l.TLS = 20, trust })
		run := Execute(t.Context(), l, Options{})
		if len(run.Failures) > 0 || run.Connect.Resumed != 0 || run.Again.Resumed != 20 || run.Flow == nil || !measured(&l, run.Flow) {
			t.Errorf("%v, %+v, %+v", run.Failures, run.Connect, run.Again)
		}
	}
}

// TestSecureAgents: an agent gets what TLS needs with the plan.
func TestSecureAgents(t *testing.T) {
	addr, trust, _ := secureFake(t, &fakeBroker{}, nil)
	l := testLoad(t, "pairs", addr, func(l *Load) { l.TLS = trust })
	if err := os.Remove(trust.CAFile); err != nil {
		t.Fatal(err)
	}
	run := Execute(t.Context(), l, Options{Agents: []string{startAgent(t)}})
	if len(run.Failures) > 0 {
		t.Error(run.Failures)
	}
}

// TestSecureRefusals: what TLS cannot agree on is said in its words.
func TestSecureRefusals(t *testing.T) {
	addr, trust, ca := secureFake(t, &fakeBroker{}, nil)
	dir := t.TempDir()
	cert, key := ca.Issue("device", nil).Files(dir, "device")
	stranger := &TLS{CAFile: tlstest.Write(t, dir, "other.crt", tlstest.New(t, "other").PEM())}
	mutual, _, _ := secureFake(t, &fakeBroker{}, func(c *tls.Config) {
		c.ClientAuth, c.ClientCAs, c.MaxVersion = tls.RequireAndVerifyClientCert, ca.Pool(), tls.VersionTLS12
	})
	old, _, _ := secureFake(t, &fakeBroker{}, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
	for name, c := range map[string]struct {
		addr string
		tls  *TLS
		want string
	}{
		"unknown authority":     {addr, stranger, "TLS handshake: tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"other name":            {addr, &TLS{CAFile: trust.CAFile, ServerName: "other"}, "not other"},
		"any certificate":       {addr, &TLS{Insecure: true}, ""},
		"no client certificate": {mutual, &TLS{Insecure: true}, "TLS handshake: remote error: tls: "},
		"client certificate":    {mutual, &TLS{Insecure: true, CertFile: cert, KeyFile: key}, ""},
		"old version":           {old, &TLS{Insecure: true}, "TLS handshake: "},
		"no TLS there":          {talker(t), trust, "TLS handshake: tls: first record does not look like a TLS handshake"},
	} {
		if err := c.tls.Read(); err != nil {
			t.Fatal(err)
		}
		run := Execute(t.Context(), testLoad(t, "hold", c.addr, func(l *Load) { l.Publishers, l.Subscribers, l.Clients, l.Rate, l.TLS = 0, 0, 1, 0, c.tls }), Options{})
		if got := strings.Join(run.Failures, ";"); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// talker says something to whoever connects.
func talker(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("220 welcome\r\n"))
			go func() { _, _ = io.Copy(io.Discard, c); c.Close() }() // until the client goes
		}
	}()
	return l.Addr().String()
}

// TestSecureStall: a handshake that never ends is given up, with its goroutine.
func TestSecureStall(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	run := Execute(t.Context(), testLoad(t, "hold", l.Addr().String(), func(l *Load) {
		l.Publishers, l.Subscribers, l.Clients, l.Rate, l.TLS, l.Timeout = 0, 0, 5, 0, &TLS{Insecure: true}, stalls
	}), Options{})
	if got := strings.Join(run.Failures, ";"); !strings.Contains(got, "nothing came from the broker") && !strings.Contains(got, errSlowHandshake.Error()) {
		t.Error(got)
	}
}

// TestSecureChunks: records arrive in any pieces.
func TestSecureChunks(t *testing.T) {
	to, trust, _ := secureFake(t, &fakeBroker{}, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				return
			}
			go func() { _, _ = io.Copy(out, in); out.Close() }()
			go func() { crumble(in, out); in.Close() }()
		}
	}()
	load := testLoad(t, "pairs", l.Addr().String(), func(l *Load) { l.TLS, l.Rate, l.QoS, l.Size = trust, 200, 1, 300 })
	run := Execute(t.Context(), load, Options{})
	if len(run.Failures) > 0 || run.Flow == nil || !measured(&load, run.Flow) {
		t.Error(run.Failures)
	}
}

// crumble copies in pieces of 1 to 97 bytes.
func crumble(to io.Writer, from io.Reader) {
	b := make([]byte, 97)
	for size := 1; ; size = size%len(b) + 7 {
		n, err := from.Read(b[:min(size, len(b))])
		if err != nil {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
		time.Sleep(10 * time.Microsecond) // each in a segment of its own
	}
}

func TestTLSFiles(t *testing.T) {
	ca, dir := tlstest.New(t, "authority"), t.TempDir()
	cert, key := ca.Issue("a", nil).Files(dir, "a")
	_, other := ca.Issue("b", nil).Files(dir, "b")
	none := filepath.Join(dir, "none")
	for want, c := range map[string]TLS{
		"needs both --cert and --key":               {CertFile: cert},
		"the file of --cafile: open " + none:        {CAFile: none},
		"the file of --key: open " + none:           {CertFile: cert, KeyFile: none},
		"--cafile " + key + ": there is no cert":    {CAFile: key},
		"--key " + other + ": tls: private key doe": {CertFile: cert, KeyFile: other},
	} {
		if err := c.Read(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestOneTLSFile: certificate and key may be in one file, which may be the
// authority's, too.
func TestOneTLSFile(t *testing.T) {
	ca, dir := tlstest.New(t, "authority"), t.TempDir()
	cert, key := ca.Issue("a", nil).Files(dir, "a")
	var both []byte
	for _, f := range []string{cert, key} {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, b...)
	}
	file := tlstest.Write(t, dir, "both.pem", both)
	c := TLS{CAFile: file, CertFile: file, KeyFile: file}
	if err := c.Read(); err != nil || len(c.pem.CA) == 0 || len(c.pem.Cert) == 0 || len(c.pem.Key) == 0 {
		t.Error(err)
	}
}

// TestParameters: what a broker chose is said; one that does not answer costs
// no more than the context allows.
func TestParameters(t *testing.T) {
	addr, trust, _ := secureFake(t, &fakeBroker{}, nil)
	if s, err := trust.Parameters(t.Context(), addr); err != nil || !strings.HasPrefix(s, "TLS 1.3, TLS_") || !strings.HasSuffix(s, "certificate ECDSA") {
		t.Error(s, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := trust.Parameters(ctx, l.Addr().String()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Error(err)
	}
}
