package logging

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"vernemq/server/config"
)

const (
	syslogTimeout = 5 * time.Second
	syslogPause   = 5 * time.Second // after a failure
	mostDatagram  = 32 << 10        // bytes; UDP takes no more than 65,507
)

// localSyslog are the sockets where a local syslog may be.
var localSyslog = []string{"/dev/log", "/var/run/syslog", "/var/run/log"}

var facilities = map[string]int{"kern": 0, "kernel": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "lpr": 6, "news": 7, "uucp": 8, "cron": 9,
	"authpriv": 10, "ftp": 11, "ntp": 12, "logaudit": 13, "logalert": 14, "clock": 15, "local0": 16, "local1": 17, "local2": 18, "local3": 19,
	"local4": 20, "local5": 21, "local6": 22, "local7": 23}

// syslogWriter sends messages to a syslog, each as a datagram or in a frame of
// its own. It connects when there is something to send.
type syslogWriter struct {
	dial   func() (net.Conn, error)
	frame  func(message []byte) []byte
	conn   net.Conn
	failed time.Time
}

func openSyslog(c *config.Syslog) (*syslogWriter, format, error) {
	app := c.AppName
	if app == "" {
		app = "vernemq"
	}
	host, err := os.Hostname()
	if err != nil {
		host = "-"
	}
	h := syslogHeader{facility: facilities[c.Facility], app: oneWord(app), host: oneWord(host), pid: os.Getpid(), local: c.Host == "", rfc5424: c.RFC5424}
	w := &syslogWriter{frame: func(m []byte) []byte { return cut(m, mostDatagram) }}
	if c.Host == "" {
		w.dial = dialLocal
		return w, h.write, nil
	}
	address := net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	d := &net.Dialer{Timeout: syslogTimeout}
	switch c.Protocol {
	case "udp":
		w.dial = func() (net.Conn, error) { return d.Dial("udp", address) }
		return w, h.write, nil
	case "tls":
		secure, err := syslogTLS(c)
		if err != nil {
			return nil, nil, err
		}
		w.dial = func() (net.Conn, error) { return tls.DialWithDialer(d, "tcp", address, secure) }
	default:
		w.dial = func() (net.Conn, error) { return d.Dial("tcp", address) }
	}
	w.frame = func(m []byte) []byte { return append(m, '\n') }
	if c.RFC5424 { // the length comes first [RFC 6587, 3.4.1]
		w.frame = func(m []byte) []byte { return fmt.Appendf(nil, "%d %s", len(m), m) }
	}
	return w, h.write, nil
}

func syslogTLS(c *config.Syslog) (*tls.Config, error) {
	if !c.RFC5424 || c.CAFile == "" {
		return nil, errors.New("cannot use TLS for syslog: it needs log.syslog.format = rfc5424 and log.syslog.remote.tls.cafile")
	}
	pem, err := os.ReadFile(filepath.Clean(c.CAFile))
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificates for syslog: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cannot read the certificates for syslog: %s has none", c.CAFile)
	}
	return &tls.Config{RootCAs: pool, ServerName: c.Host, MinVersion: tls.VersionTLS12}, nil
}

func dialLocal() (net.Conn, error) {
	var errs []error
	for _, path := range localSyslog {
		c, err := net.Dial("unixgram", path)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

var errSyslogAway = errors.New("syslog was not reachable a moment ago")

func (w *syslogWriter) write(lines [][]byte) error {
	if w.conn == nil && time.Since(w.failed) < syslogPause {
		return errSyslogAway
	}
	for i := 0; i < len(lines); i++ {
		fresh := w.conn == nil
		if err := w.send(lines[i]); err != nil {
			w.failed = time.Now()
			if fresh {
				return fmt.Errorf("cannot write to syslog: %w", err)
			}
			i-- // the connection may be an old one: once more with a new one
		}
	}
	return nil
}

func (w *syslogWriter) send(line []byte) (err error) {
	if w.conn == nil {
		if w.conn, err = w.dial(); err != nil {
			w.conn = nil
			return err
		}
	}
	if err = w.conn.SetWriteDeadline(time.Now().Add(syslogTimeout)); err == nil {
		_, err = w.conn.Write(w.frame(bytes.TrimSuffix(line, []byte("\n"))))
	}
	if err != nil {
		w.conn.Close()
		w.conn = nil
	}
	return err
}

func (w *syslogWriter) close() error {
	if w.conn == nil {
		return nil
	}
	return w.conn.Close()
}

// syslogHeader is what each message begins with.
type syslogHeader struct {
	facility       int
	app, host      string
	pid            int
	local, rfc5424 bool
}

func (h *syslogHeader) write(b *bytes.Buffer, e *entry) {
	pri := 8*h.facility + severity(e)
	switch {
	case h.rfc5424:
		fmt.Fprintf(b, "<%d>1 %s %s %s %d - - ", pri, e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), h.host, h.app, h.pid)
	case h.local: // the host is that of the daemon
		fmt.Fprintf(b, "<%d>%s %s[%d]: ", pri, e.Time.Format(time.Stamp), h.app, h.pid)
	default:
		fmt.Fprintf(b, "<%d>%s %s %s[%d]: ", pri, e.Time.Format(time.Stamp), h.host, h.app, h.pid)
	}
	fmt.Fprintf(b, "[%s] ", nameOf(e.Level))
	writeBody(b, e, "stack")
	b.WriteByte('\n')
}

// severity is syslog's number of a level: 7 is debug, 0 is emergency.
func severity(e *entry) int {
	name := nameOf(e.Level)
	for i, n := range levelNames {
		if n == name {
			return 7 - i
		}
	}
	return 3
}

// oneWord keeps a name in its field.
func oneWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
}
