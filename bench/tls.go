package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// TLS is how clients secure their connections.
type TLS struct {
	CAFile     string `json:"cafile,omitempty"` // authorities to trust; none: those of the system
	CertFile   string `json:"cert,omitempty"`   // of the clients, all the same
	KeyFile    string `json:"key,omitempty"`
	ServerName string `json:"server_name,omitempty"` // that the broker must prove; none: the host of the address
	Insecure   bool   `json:"insecure,omitempty"`    // take any certificate
	Resume     bool   `json:"resume,omitempty"`      // a client that connects again resumes its session
	pem        pems
}

// pems are what the files hold. An agent, which does not have the files, gets
// them with the plan; no report holds them.
type pems struct {
	CA   []byte `json:"ca,omitempty"`
	Cert []byte `json:"cert,omitempty"`
	Key  []byte `json:"key,omitempty"`
}

// Read reads the files and refuses what cannot be used.
func (t *TLS) Read() error {
	if (t.CertFile == "") != (t.KeyFile == "") {
		return errors.New("a client certificate needs both --cert and --key")
	}
	for _, f := range []struct {
		option, name string // one file may hold certificate and key
		to           *[]byte
	}{{"cafile", t.CAFile, &t.pem.CA}, {"cert", t.CertFile, &t.pem.Cert}, {"key", t.KeyFile, &t.pem.Key}} {
		if f.name == "" {
			continue
		}
		b, err := os.ReadFile(f.name)
		if err != nil {
			return fmt.Errorf("cannot read the file of --%s: %w", f.option, err)
		}
		*f.to = b
	}
	_, err := t.config("")
	return err
}

// pems are those of a load; nil without TLS.
func (l *Load) pems() *pems {
	if l.TLS == nil {
		return nil
	}
	return &l.TLS.pem
}

// config is that of a broker at an address.
func (t *TLS) config(addr string) (*tls.Config, error) {
	cfg := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.Insecure}
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(addr) // the address has been resolved
	}
	if len(t.pem.CA) > 0 {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(t.pem.CA) {
			return nil, fmt.Errorf("cannot use --cafile %s: there is no certificate in it", t.CAFile)
		}
	}
	if len(t.pem.Cert) > 0 {
		pair, err := tls.X509KeyPair(t.pem.Cert, t.pem.Key)
		if err != nil {
			return nil, fmt.Errorf("cannot use --cert %s with --key %s: %w", t.CertFile, t.KeyFile, err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

const parametersTime = 10 * time.Second

// Parameters makes one connection and says what the broker chose: version,
// suite and the kind of its certificate.
func (t *TLS) Parameters(ctx context.Context, addr string) (string, error) {
	cfg, err := t.config(addr)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, parametersTime)
	defer cancel()
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", fmt.Errorf("cannot make a TLS connection to %s: %w", addr, err)
	}
	defer conn.Close()
	s := conn.(*tls.Conn).ConnectionState()
	return fmt.Sprintf("%s, %s, certificate %v", tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.PeerCertificates[0].PublicKeyAlgorithm), nil
}

// ticket keeps the latest session of one client.
type ticket struct {
	session atomic.Pointer[tls.ClientSessionState]
}

// Get is called by crypto/tls.
func (t *ticket) Get(string) (*tls.ClientSessionState, bool) {
	s := t.session.Load()
	return s, s != nil
}

// Put is called by crypto/tls.
func (t *ticket) Put(_ string, s *tls.ClientSessionState) { t.session.Store(s) }
