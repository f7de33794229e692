package logging

import (
	"bufio"
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
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vernemq/server/config"
)

// TestSyslog sends to receivers of every kind.
func TestSyslog(t *testing.T) {
	const (
		local = `^<27>\w{3} [ \d]\d \d\d:\d\d:\d\d broker\[\d+\]: \[error\] failed cause="disk full"$`
		old   = `^<27>\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ broker\[\d+\]: \[error\] failed cause="disk full"$`
		five  = `^<27>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ broker \d+ - - \[error\] failed cause="disk full"$`
	)
	certFile, pair := certificate(t)
	for _, x := range []struct {
		protocol string
		rfc5424  bool
		want     string
	}{{"local", false, local}, {"local", true, five}, {"udp", false, old}, {"udp", true, five}, {"tcp", false, old}, {"tcp", true, five}, {"tls", true, five}} {
		t.Run(fmt.Sprint(x.protocol, x.rfc5424), func(t *testing.T) {
			c := config.Syslog{Level: "error", Facility: "daemon", AppName: "broker", RFC5424: x.rfc5424, Protocol: x.protocol, CAFile: certFile}
			got := receiver(t, &c, pair)
			logged(t, config.Log{Console: "off", Lowest: "all", Syslog: &c}, func(_ *Log, log *slog.Logger) {
				log.Warn("not this")
				log.Error("failed", "cause", "disk full")
				log.Log(t.Context(), 20, "second", "stack", "not here")
				for _, want := range []string{x.want, `^<24>.*\[emergency\] second$`} {
					select {
					case m := <-got:
						if !regexp.MustCompile(want).MatchString(m) {
							t.Errorf("got %q, want %s", m, want)
						}
					case <-time.After(10 * time.Second):
						t.Fatal("nothing came")
					}
				}
			})
		})
	}
}

// TestSyslogLong sends a line that no datagram can take: its beginning comes,
// and so do the lines behind it.
func TestSyslogLong(t *testing.T) {
	for _, protocol := range []string{"local", "udp"} {
		t.Run(protocol, func(t *testing.T) {
			c := config.Syslog{Level: "error", Facility: "daemon", Protocol: protocol}
			got := receiver(t, &c, tls.Certificate{})
			logged(t, config.Log{Console: "off", Lowest: "all", Syslog: &c}, func(_ *Log, log *slog.Logger) {
				log.Error("long", "cause", strings.Repeat("ü", 1<<18))
				log.Error("short")
				for _, want := range []string{`\[error\] long cause=ü+…$`, `\[error\] short$`} {
					select {
					case m := <-got:
						if !regexp.MustCompile(want).MatchString(m) {
							t.Errorf("got %.200q, want %s", m, want)
						}
					case <-time.After(10 * time.Second):
						t.Fatal("nothing came")
					}
				}
			})
		})
	}
}

// receiver takes messages and sets the address in c.
func receiver(t *testing.T, c *config.Syslog, pair tls.Certificate) chan string {
	t.Helper()
	got := make(chan string, 10)
	switch c.Protocol {
	case "local", "udp":
		network, address := "udp", "127.0.0.1:0"
		if c.Protocol == "local" {
			network, address = "unixgram", filepath.Join(t.TempDir(), "log")
			before := localSyslog
			localSyslog = []string{"/nonexistent", address}
			t.Cleanup(func() { localSyslog = before })
		}
		p, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		if u, ok := p.LocalAddr().(*net.UDPAddr); ok {
			c.Host, c.Port = "127.0.0.1", u.Port
		}
		go func() {
			b := make([]byte, 64<<10)
			for {
				n, _, err := p.ReadFrom(b)
				if err != nil {
					return
				}
				got <- string(b[:n])
			}
		}()
		return got
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Host, c.Port = "127.0.0.1", l.Addr().(*net.TCPAddr).Port
	if c.Protocol == "tls" {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		for {
			if !c.RFC5424 {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				got <- line[:len(line)-1]
				continue
			}
			var n int
			if _, err := fmt.Fscanf(r, "%d ", &n); err != nil {
				return
			}
			b := make([]byte, n)
			if _, err := io.ReadFull(r, b); err != nil {
				return
			}
			got <- string(b)
		}
	}()
	return got
}

// TestSyslogAway logs while nobody takes it, and goes on when somebody does.
func TestSyslogAway(t *testing.T) {
	w := &syslogWriter{frame: func(m []byte) []byte { return m }}
	up := false
	sent := 0
	w.dial = func() (net.Conn, error) {
		if !up {
			return nil, io.ErrClosedPipe
		}
		a, b := net.Pipe()
		go func() {
			io.Copy(io.Discard, b)
		}()
		sent++
		return a, nil
	}
	line := [][]byte{[]byte("x\n")}
	if w.write(line) == nil || w.write(line) != errSyslogAway {
		t.Error("no error while it is away")
	}
	up, w.failed = true, time.Time{}
	if err := w.write(line); err != nil || sent != 1 {
		t.Error(err)
	}
	w.conn.Close() // as if the other side had gone
	if err := w.write(line); err != nil || sent != 2 {
		t.Errorf("%v after %d connections", err, sent)
	}
	w.close()
}

func certificate(t *testing.T) (file string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
