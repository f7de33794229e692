package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vernemq/reactor/tlstest"
)

// doors is a broker with a listener of each kind.
type doors struct {
	*broker
	t    *testing.T
	ca   *tlstest.Authority
	dir  string         // of the certificates
	port map[string]int // by transport and name, as in ssl.open
}

// openDoors starts it. more are further settings.
func openDoors(t *testing.T, more ...string) *doors {
	t.Helper()
	t.Parallel()
	oursOnly(t, "other listeners")
	d := &doors{t: t, ca: tlstest.New(t, "authority"), dir: t.TempDir(), port: map[string]int{}}
	tlstest.Write(t, d.dir, "ca.pem", d.ca.PEM())
	tlstest.Write(t, d.dir, "crl.pem", d.ca.CRL())
	cert, key := d.ca.Issue("server", nil).Files(d.dir, "server")
	settings := []string{"crl_refresh_interval=100"}
	for _, name := range []string{"ssl.open", "ssl.certs", "ws.open", "wss.open", "tcp.proxy", "ws.proxy"} {
		d.port[name] = freePort()
		settings = append(settings, fmt.Sprintf("listener.%s=127.0.0.1:%d", name, d.port[name]), "listener."+name+".allowed_protocol_versions=3,4,5")
	}
	for _, transport := range []string{"ssl", "wss"} {
		settings = append(settings, "listener."+transport+".certfile="+cert, "listener."+transport+".keyfile="+key,
			"listener."+transport+".tls_version=tlsv1.2,tlsv1.3")
	}
	settings = append(settings, "listener.ssl.certs.require_certificate=on", "listener.ssl.certs.cafile="+d.dir+"/ca.pem",
		"listener.ssl.certs.crlfile="+d.dir+"/crl.pem", "listener.tcp.proxy.proxy_protocol=on",
		"listener.ws.proxy.proxy_xff_support=on", "listener.ws.proxy.proxy_xff_trusted_intermediate=127.0.0.1;::1",
		"listener.tcp.socket=local:"+d.dir+"/broker.sock:0", "listener.tcp.six=::1:0")
	d.broker = startBroker(t, 2, append(settings, more...)...)
	return d
}

// need skips a test whose program is missing.
func need(t *testing.T, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if path = "/usr/sbin/" + program; exec.Command("test", "-x", path).Run() != nil {
			t.Skipf("%s is missing: apt-get install %s", program, pkg)
		}
	}
	return path
}

// execute runs a program with an input, for as long as a test may take.
func execute(t *testing.T, input io.Reader, program string, args ...string) (out string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = input
	b, err := cmd.CombinedOutput()
	return string(b), err
}

// mosquitto publishes and reads a message by a TLS listener.
func (d *doors) mosquitto(name string, args ...string) error {
	topic := unique("tls")
	common := append([]string{"-h", "127.0.0.1", "-p", fmt.Sprint(d.port[name]), "--cafile", d.dir + "/ca.pem", "-t", topic}, args...)
	if out, err := execute(d.t, nil, "mosquitto_pub", append(common, "-r", "-q", "1", "-m", "through the door")...); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	out, err := execute(d.t, nil, "mosquitto_sub", append(common, "-C", "1", "-W", "10")...)
	if err == nil && out != "through the door\n" {
		err = fmt.Errorf("received %q", out)
	}
	return err
}

// identity writes a certificate for mosquitto's clients.
func (d *doors) identity(ca *tlstest.Authority, name string) (leaf *tlstest.Leaf, args []string) {
	leaf = ca.Issue(name, nil)
	cert, key := leaf.Files(d.dir, name)
	return leaf, []string{"--cert", cert, "--key", key}
}

// TestMosquittoTLS lets mosquitto's clients in by certificates, and keeps out
// those that were revoked while the broker runs.
func TestMosquittoTLS(t *testing.T) {
	needClients(t)
	d := openDoors(t)
	_, good := d.identity(d.ca, "good")
	bad, revoked := d.identity(d.ca, "bad")
	_, unknown := d.identity(tlstest.New(t, "stranger"), "unknown")
	for _, version := range []string{"tlsv1.2", "tlsv1.3"} {
		v := []string{"--tls-version", version}
		if err := d.mosquitto("ssl.open", v...); err != nil {
			t.Errorf("%s: %v", version, err)
		}
		if err := d.mosquitto("ssl.certs", append(v, good...)...); err != nil {
			t.Errorf("%s with a certificate: %v", version, err)
		}
		if err := d.mosquitto("ssl.certs", append(v, unknown...)...); err == nil {
			t.Errorf("%s: the certificate of a stranger does", version)
		}
		if err := d.mosquitto("ssl.certs", v...); err == nil {
			t.Errorf("%s: no certificate does", version)
		}
	}
	if err := d.mosquitto("ssl.certs", revoked...); err != nil {
		t.Errorf("before it is revoked: %v", err)
	}
	if err := d.mosquitto("ssl.open", "-h", "127.0.0.2"); err == nil {
		t.Error("mosquitto takes the certificate of another host")
	}
	tlstest.Write(t, d.dir, "crl.pem", d.ca.CRL(bad))
	eventually(t, "the certificate is revoked", func() bool { return d.mosquitto("ssl.certs", revoked...) != nil })
	if err := d.mosquitto("ssl.certs", good...); err != nil {
		t.Errorf("after another was revoked: %v", err)
	}
	eventually(t, "lines in the log", func() bool {
		log := string(d.log())
		return strings.Contains(log, "certificate is revoked") && strings.Contains(log, "new TLS files are in force")
	})
}

// TestNewCertificate puts another certificate into service while the broker
// runs. A key that does not fit changes nothing but the log.
func TestNewCertificate(t *testing.T) {
	d := openDoors(t)
	serving := func() string {
		c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", d.port["wss.open"]), &tls.Config{RootCAs: d.ca.Pool(), ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	next := d.ca.Issue("next", nil)
	tlstest.Write(t, d.dir, "server.key", next.KeyPEM())
	eventually(t, "an error in the log", func() bool { return strings.Contains(string(d.log()), "the old ones stay in force") })
	if name := serving(); name != "server" {
		t.Error(name)
	}
	tlstest.Write(t, d.dir, "server.crt", next.CertPEM())
	eventually(t, "the next certificate", func() bool { return serving() == "next" })
}

// TestWrongKeyAtStart is an error that names the files.
func TestWrongKeyAtStart(t *testing.T) {
	t.Parallel()
	ca, dir := tlstest.New(t, "authority"), t.TempDir()
	cert, _ := ca.Issue("server", nil).Files(dir, "server")
	_, key := ca.Issue("other", nil).Files(dir, "other")
	_, flags := node(t, "listener.ssl.x = 127.0.0.1:0", "listener.ssl.x.certfile = "+cert, "listener.ssl.x.keyfile = "+key)
	if r := vernemq(t, with("console", flags)...); r.code == 0 || !strings.Contains(r.all(), "listener.ssl.x") || !strings.Contains(r.all(), key) {
		t.Error(r)
	}
}

// TestOpenSSL does with openssl what other clients do not: it renegotiates,
// changes keys, resumes sessions, asks for a protocol.
func TestOpenSSL(t *testing.T) {
	openssl := need(t, "openssl", "openssl")
	d := openDoors(t)
	at := []string{"s_client", "-connect", fmt.Sprintf("127.0.0.1:%d", d.port["ssl.open"]), "-CAfile", d.dir + "/ca.pem", "-verify_return_error", "-servername", "localhost"}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		out, err := execute(t, strings.NewReader("Q\n"), openssl, append(at, version, "-alpn", "x,mqtt")...)
		if err != nil || !strings.Contains(out, "ALPN protocol: mqtt") || !strings.Contains(out, "Verify return code: 0") {
			t.Errorf("%s: %v\n%s", version, err, out)
		}
	}
	if out, err := execute(t, strings.NewReader("Q\n"), openssl, append(at, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")...); err == nil {
		t.Errorf("TLS 1.1 is granted\n%s", out)
	}
	session := d.dir + "/session"
	for i, way := range []string{"-sess_out", "-sess_in"} {
		out, err := execute(t, strings.NewReader("Q\n"), openssl, append(at, "-tls1_2", way, session)...)
		if err != nil || strings.Contains(out, "Reused, ") != (i == 1) {
			t.Errorf("%s: %v\n%s", way, err, out)
		}
	}
	t.Run("renegotiation", func(t *testing.T) {
		d.openssl(t, openssl, append(at, "-tls1_2"), "R\n", "unexpected handshake message")
	})
	t.Run("new keys", func(t *testing.T) {
		d.openssl(t, openssl, append(at, "-tls1_3"), "K\n", "KEYUPDATE")
	})
}

// openssl runs s_client, gives it a command, and waits for a word in what it or
// the broker says. The broker goes on.
func (d *doors) openssl(t *testing.T, program string, args []string, command, word string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	c := &client{t: t}
	cmd.Stdout, cmd.Stderr = c, c
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a handshake", func() bool { return strings.Contains(c.text(), "Verify return code: 0") })
	if _, err := io.WriteString(in, command); err != nil {
		t.Fatal(err)
	}
	eventually(t, word, func() bool { return strings.Contains(c.text()+string(d.log()), word) })
	in.Close()
	_ = cmd.Wait()
	if err := d.works("ssl.open"); err != nil {
		t.Error(err)
	}
}

// works finds out whether a TLS listener works.
func (d *doors) works(name string) error {
	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", d.port[name]), &tls.Config{RootCAs: d.ca.Pool(), ServerName: "localhost"})
	if err != nil {
		return err
	}
	defer c.Close()
	return hello(c)
}

// hello connects an MQTT client.
func hello(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(connect{v: 4, id: unique("door")}.bytes()); err != nil {
		return err
	}
	want := []byte{0x20, 2, 0, 0}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("answer % x", got)
	}
	return nil
}

// TestSocketAndIPv6 come in by a unix socket and by IPv6.
func TestSocketAndIPv6(t *testing.T) {
	d := openDoors(t)
	c, err := net.Dial("unix", filepath.Join(d.dir, "broker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := hello(c); err != nil {
		t.Error(err)
	}
	_, rest, ok := strings.Cut(string(d.log()), "[::1]:")
	if !ok {
		t.Fatal("the log does not name the address")
	}
	six, err := net.Dial("tcp", "[::1]:"+rest[:strings.IndexAny(rest, " \n\",")])
	if err != nil {
		t.Fatal(err)
	}
	defer six.Close()
	if err := hello(six); err != nil {
		t.Error(err)
	}
}

// TestCurl gets answers of HTTP from the WebSocket listeners.
func TestCurl(t *testing.T) {
	curl := need(t, "curl", "curl")
	d := openDoors(t)
	handshake := []string{"-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13",
		"-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	for name, x := range map[string]struct {
		path   string
		args   []string
		status string
	}{
		"no upgrade":       {"/mqtt", nil, "426"},
		"with a query":     {"/mqtt?x=1", nil, "426"},
		"another path":     {"/", nil, "404"},
		"HEAD":             {"/mqtt", []string{"-I"}, "405"},
		"POST":             {"/mqtt", []string{"-d", "x"}, "400"},
		"no sub-protocol":  {"/mqtt", handshake, "400"},
		"another":          {"/mqtt", append(handshake, "-H", "Sec-WebSocket-Protocol: chat"), "400"},
		"large field":      {"/mqtt", []string{"-H", "X: " + strings.Repeat("x", 5000)}, "431"},
		"long path":        {"/" + strings.Repeat("x", 9000), nil, "414"},
		"version 8 of web": {"/mqtt", append(handshake, "-H", "Sec-WebSocket-Version: 8", "-H", "Sec-WebSocket-Protocol: mqtt"), "426"},
	} {
		for _, door := range []string{"ws.open", "wss.open"} {
			url := fmt.Sprintf("http://localhost:%d%s", d.port[door], x.path)
			if door == "wss.open" {
				url = strings.Replace(url, "http", "https", 1)
			}
			args := append([]string{"-s", "-4", "--http1.1", "-o", os.DevNull, "-w", "%{http_code}", "--cacert", d.dir + "/ca.pem"}, x.args...)
			if out, err := execute(t, nil, curl, append(args, url)...); err != nil || out != x.status {
				t.Errorf("%s %s: %v %q, not %s", door, name, err, out, x.status)
			}
		}
	}
}

// TestHAProxy has HAProxy in front: with PROXY headers of both versions, and
// with TLS that ends there.
func TestHAProxy(t *testing.T) {
	haproxy := need(t, "haproxy", "haproxy")
	d := openDoors(t, "max_client_id_size=20")
	own := d.ca.Issue("haproxy", nil)
	tlstest.Write(t, d.dir, "both.pem", append(own.CertPEM(), own.KeyPEM()...))
	v1, v2, secure, web := freePort(), freePort(), freePort(), freePort()
	conf := fmt.Sprintf(`global
  maxconn 100
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen v1
  bind 127.0.0.1:%d
  server a 127.0.0.1:%d send-proxy
listen v2
  bind 127.0.0.1:%d
  server a 127.0.0.1:%[2]d send-proxy-v2
listen secure
  bind 127.0.0.1:%[4]d ssl crt %[5]s/both.pem ca-file %[5]s/ca.pem verify required
  server a 127.0.0.1:%[2]d send-proxy-v2-ssl-cn
listen web
  mode http
  option forwardfor
  timeout tunnel 30s
  bind 127.0.0.1:%[6]d
  server a 127.0.0.1:%[7]d
`, v1, d.port["tcp.proxy"], v2, secure, d.dir, web, d.port["ws.proxy"])
	file := tlstest.Write(t, d.dir, "haproxy.cfg", []byte(conf))
	cmd := exec.Command(haproxy, "-db", "-f", file)
	said := &client{t: t}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	leaf := d.ca.Issue("device-7", nil)
	for name, dial := range map[string]func() (net.Conn, error){
		"v1":  func() (net.Conn, error) { return dialFrom("127.0.0.3", v1) },
		"v2":  func() (net.Conn, error) { return dialFrom("127.0.0.4", v2) },
		"web": func() (net.Conn, error) { return dialFrom("127.0.0.6", web) },
		"secure": func() (net.Conn, error) {
			c, err := dialFrom("127.0.0.5", secure)
			if err != nil {
				return nil, err
			}
			return tls.Client(c, &tls.Config{RootCAs: d.ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{leaf.TLS()}}), nil
		},
	} {
		var c net.Conn
		eventually(t, "haproxy answers", func() (ok bool) {
			var err error
			c, err = dial()
			return err == nil
		})
		if name == "web" {
			c = webSocket(t, c)
		}
		if err := hello(c); err != nil {
			t.Errorf("%s: %v\n%s", name, err, said.text())
		}
		c.Close()
		// A client that is refused is named in the log with its address.
		if c, err := dial(); err == nil {
			if name == "web" {
				c = webSocket(t, c)
			}
			_, _ = c.Write(connect{v: 4, id: strings.Repeat("x", 30)}.bytes())
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}
	for _, source := range []string{"127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"} {
		eventually(t, source+" in the log", func() bool { return strings.Contains(string(d.log()), source+":") })
	}
}

func dialFrom(source string, port int) (net.Conn, error) {
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: patience}
	return from.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
}
