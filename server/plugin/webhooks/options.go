package webhooks

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"vernemq/server/pki/pemkey"
)

// Options are those of all endpoints.
type Options struct {
	MaxConnections int           // to each endpoint; 100
	IdleTimeout    time.Duration // of connections that are kept; 60 s
	CacheSize      int           // answers that are kept; 65,536

	CAFile                         string // PEM; "" is the system's
	CertFile, KeyFile, KeyPassword string // of this broker, PEM
	TLSVersion                     string // the least: tlsv1.2 or tlsv1.3
	SkipVerify                     bool
	Depth                          int // certificates between the endpoint's and the root; 100, -1 is none
}

func (o Options) withDefaults() Options {
	if o.MaxConnections <= 0 {
		o.MaxConnections = 100
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = time.Minute
	}
	if o.CacheSize <= 0 {
		o.CacheSize = 65536
	}
	switch {
	case o.Depth == 0:
		o.Depth = 100
	case o.Depth < 0:
		o.Depth = 0
	}
	return o
}

// transport makes the connections to one endpoint.
func (o *Options) transport(config *tls.Config) *http.Transport {
	return &http.Transport{
		TLSClientConfig: config, TLSHandshakeTimeout: 10 * time.Second,
		MaxConnsPerHost: o.MaxConnections, MaxIdleConnsPerHost: o.MaxConnections, IdleConnTimeout: o.IdleTimeout,
		DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
	}
}

func (o *Options) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.SkipVerify}
	switch o.TLSVersion {
	case "", "tlsv1.2":
	case "tlsv1.3":
		c.MinVersion = tls.VersionTLS13
	default:
		return nil, fmt.Errorf("TLS version %q is neither tlsv1.2 nor tlsv1.3", o.TLSVersion)
	}
	if o.CAFile != "" {
		text, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read the CA file: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificate", o.CAFile)
		}
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, errors.New("certfile and keyfile go together")
	}
	if o.CertFile != "" {
		cert, err := o.certificate()
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{cert}
	}
	if depth := o.Depth; !o.SkipVerify {
		c.VerifyConnection = func(s tls.ConnectionState) error {
			for _, chain := range s.VerifiedChains {
				if len(chain)-2 <= depth {
					return nil
				}
			}
			return errors.New("too many certificates between the endpoint's and the root")
		}
	}
	return c, nil
}

func (o *Options) certificate() (tls.Certificate, error) {
	cert, err := os.ReadFile(o.CertFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot read the certificate: %w", err)
	}
	key, err := os.ReadFile(o.KeyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot read the key: %w", err)
	}
	if key, err = pemkey.Decrypt(key, o.KeyPassword); err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", o.KeyFile, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return pair, fmt.Errorf("cannot use %s with %s: %w", o.CertFile, o.KeyFile, err)
	}
	return pair, nil
}
