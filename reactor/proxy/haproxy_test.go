package proxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// received is what a backend got of one connection: the header and the text
// behind it.
type received struct {
	Header
	text string
	err  error
}

// backend listens and parses what each connection begins with. A connection
// without text, a health check, says only its header.
func backend(t *testing.T) (addr string, got chan received) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	got = make(chan received, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			got <- receive(c)
			_ = c.Close()
		}
	}()
	return l.Addr().String(), got
}

func receive(c net.Conn) (r received) {
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	var b []byte
	piece := make([]byte, 7)
	for {
		k, err := c.Read(piece)
		b = append(b, piece[:k]...)
		var n int
		if n, _, r.err = Parse(b, &r.Header); r.err != nil || n > 0 && (r.Local || bytes.HasSuffix(b, []byte("\n")) && len(b) > n) {
			r.text = string(b[n:])
			return r
		}
		if err != nil {
			r.err = err
			return r
		}
	}
}

// certificates makes a certificate authority and one certificate for both
// sides, and the files that haproxy reads.
func certificates(t *testing.T, dir string) tls.Certificate {
	now := time.Now()
	make1 := func(name string, ca bool, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: ca, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, DNSNames: []string{"broker.test"}}
		if parent == nil {
			parent, by = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		c, err = x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c, key
	}
	ca, caKey := make1("test CA", true, nil, nil)
	leaf, key := make1("client 7", false, ca, caKey)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}) }
	for name, b := range map[string][]byte{"ca.pem": block("CERTIFICATE", ca.Raw),
		"server.pem": append(block("CERTIFICATE", leaf.Raw), block("PRIVATE KEY", raw)...)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
}

// startHAProxy starts haproxy with a listener for each kind of header that
// it sends to the backend. It gives the addresses of the listeners, and the
// client's certificate.
func startHAProxy(t *testing.T, path, to string) (addrs [5]string, cert tls.Certificate) {
	dir := t.TempDir()
	cert = certificates(t, dir)
	config := "defaults\n mode tcp\n timeout connect 5s\n timeout client 9s\n timeout server 9s\n"
	secure := " ssl crt " + dir + "/server.pem ca-file " + dir + "/ca.pem verify optional alpn mqtt"
	for i, c := range [5]struct{ bind, server string }{
		{"", "send-proxy"},
		{"", "send-proxy-v2"},
		{"", "send-proxy-v2 proxy-v2-options crc32c,unique-id"},
		{secure, "send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c"},
		{"", "send-proxy-v2 check check-send-proxy inter 200ms"},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0") // a free port
		if err != nil {
			t.Fatal(err)
		}
		addrs[i] = l.Addr().String()
		_ = l.Close()
		config += fmt.Sprintf("listen l%d\n bind %s%s\n unique-id-format id-%%cp\n server s %s %s\n", i, addrs[i], c.bind, to, c.server)
	}
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(path, "-db", "-f", file)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("haproxy: %s", said.String())
		}
	})
	return addrs, cert
}

func dial(t *testing.T, addr string) net.Conn {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// TestHAProxy reads the headers of a real haproxy.
func TestHAProxy(t *testing.T) {
	path, err := exec.LookPath("haproxy")
	if err != nil {
		if _, e := os.Stat("/usr/sbin/haproxy"); e != nil {
			t.Skip("haproxy is not installed (apt install haproxy)")
		}
		path = "/usr/sbin/haproxy"
	}
	to, got := backend(t)
	addrs, cert := startHAProxy(t, path, to)
	for i, version := range []int{1, 2, 2, 2} {
		c := dial(t, addrs[i])
		from := c.LocalAddr().String()
		if i == 3 {
			c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: "broker.test",
				NextProtos: []string{"mqtt"}, Certificates: []tls.Certificate{cert}})
		}
		if _, err := io.WriteString(c, "hello\n"); err != nil {
			t.Fatal(err)
		}
		r := next(t, got, false)
		if r.err != nil || r.text != "hello\n" || r.Version != version || r.Source.String() != from || r.Destination.String() != addrs[i] {
			t.Errorf("%d: from %s: %+v", i, from, r)
		}
		if want := fmt.Sprintf("id-%d", r.Source.Port()); i == 2 && string(r.UniqueID) != want {
			t.Errorf("unique id %q, not %q", r.UniqueID, want)
		}
		if i == 3 && (string(r.CN()) != "client 7" || string(r.Authority) != "broker.test" || r.TLS.Client&ClientTLS == 0 ||
			string(r.TLS.TLSVersion) != "TLSv1.3" || len(r.TLS.Cipher) == 0 || len(r.TLS.SigAlg) == 0 || len(r.TLS.KeyAlg) == 0) {
			t.Errorf("TLS: %+v, CN %q", r, r.CN())
		}
		_ = c.Close()
	}
	if r := next(t, got, true); r.err != nil || r.Version != 2 {
		t.Errorf("health check: %+v", r)
	}
}

// next gives the next connection that is a health check or not.
func next(t *testing.T, got chan received, local bool) received {
	for end := time.After(10 * time.Second); ; {
		select {
		case r := <-got:
			if r.Local == local {
				return r
			}
		case <-end:
			t.Fatal("haproxy did not connect")
		}
	}
}
