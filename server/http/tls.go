package http

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"vernemq/server/config"
)

// LoadTLS makes the TLS of an https listener from its files.
func LoadTLS(cfg *config.HTTPListener) (*tls.Config, error) {
	fail := func(err error) error {
		return fmt.Errorf("cannot set up TLS of listener.https.%s: %w", cfg.Name, err)
	}
	pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
	if err != nil {
		return nil, fail(err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fail(err)
		}
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fail(fmt.Errorf("%s has no certificate", cfg.CAFile))
		}
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	if cfg.RequireCertificate {
		if c.ClientCAs == nil {
			return nil, fail(errors.New("require_certificate needs cafile"))
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}
