// Package pki makes the TLS configuration of a listener of its files: the
// certificate with its key, the authorities that clients' certificates are
// held to, and lists of revoked ones. Files that change are read again while
// the listener runs. A configuration is immutable and swapped whole; one that
// would not work never comes into force.
package pki

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"vernemq/server/config"
	"vernemq/server/pki/pemkey"
	"vernemq/server/plugin/reload"
)

// Source is the TLS configuration of a listener. Any goroutine may use it.
type Source struct {
	options   *config.TLS
	protocols []string
	current   atomic.Pointer[tls.Config]
	leaf      atomic.Pointer[x509.Certificate]

	mu    sync.Mutex // one reload at a time
	files []*reload.File[[]byte]
	stale bool // a file has changed and what it led to was refused
	wait  bool // a file has changed and nothing came of it: another one could not be read
}

// The places of a listener's files in Source.files.
const (
	certFile = iota
	keyFile
	caFile
	crlFile
	numFiles
)

// Open reads the files. protocols are the names (ALPN) that are granted to
// clients that ask for one of them; others get none, and come in all the same.
func Open(o *config.TLS, protocols ...string) (*Source, error) {
	s := &Source{options: o, protocols: protocols}
	key := o.KeyFile
	if key == "" {
		key = o.CertFile
	}
	for _, path := range [numFiles]string{o.CertFile, key, o.CAFile, o.CRLFile} {
		if path == "" {
			s.files = append(s.files, nil)
			continue
		}
		f := reload.New(path, new([]byte), func(_ string, text []byte) (*[]byte, error) { return &text, nil })
		if _, err := f.Reload(); err != nil {
			return nil, err
		}
		s.files = append(s.files, f)
	}
	if s.files[certFile] == nil {
		return nil, fmt.Errorf("cannot use TLS without a certificate: certfile is not set")
	}
	return s, s.build()
}

// text is what a file holds, nothing when there is none.
func (s *Source) text(file int) (path string, text []byte) {
	paths := [numFiles]string{s.options.CertFile, s.options.KeyFile, s.options.CAFile, s.options.CRLFile}
	if s.files[file] == nil {
		return paths[file], nil
	}
	return paths[file], *s.files[file].Get()
}

// build makes the configuration of the files as they were read.
func (s *Source) build() error {
	o := s.options
	cert, err := s.certificate()
	if err != nil {
		return err
	}
	c := &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   o.MinVersion, MaxVersion: o.MaxVersion,
		CipherSuites: o.Ciphers, CurvePreferences: o.Curves,
		ClientCAs: x509.NewCertPool(), // not those of the system
		// Records as large as they may be: what goes out together is one.
		DynamicRecordSizingDisabled: true,
	}
	switch {
	case o.RequireCertificate:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case o.UseIdentity:
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	if path, text := s.text(caFile); path != "" {
		if !c.ClientCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("cannot use %s: it holds no certificate in PEM", path)
		}
	}
	revoked := revocations{}
	if path, text := s.text(crlFile); path != "" {
		if revoked, err = parseRevocations(text); err != nil {
			return fmt.Errorf("cannot use %s: %w", path, err)
		}
	}
	c.VerifyConnection = func(state tls.ConnectionState) error { return verify(&state, o.Depth, revoked) }
	if len(s.protocols) > 0 {
		named := c.Clone()
		named.NextProtos = s.protocols
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			for _, p := range hello.SupportedProtos {
				for _, q := range s.protocols {
					if p == q {
						return named, nil
					}
				}
			}
			return nil, nil // this one
		}
	}
	s.leaf.Store(cert.Leaf)
	s.current.Store(c)
	return nil
}

// certificate is the server's own, with its key.
func (s *Source) certificate() (cert tls.Certificate, err error) {
	path, chain := s.text(certFile)
	keyPath, key := s.text(keyFile)
	if keyPath == "" {
		keyPath = path
	}
	if key, err = pemkey.Decrypt(key, s.options.KeyPassword); err != nil {
		return cert, fmt.Errorf("cannot use %s: %w", keyPath, err)
	}
	if cert, err = tls.X509KeyPair(chain, key); err != nil {
		return cert, fmt.Errorf("cannot use %s with %s: %w", path, keyPath, err)
	}
	return cert, nil
}

// Config is the configuration in force, for a new connection.
func (s *Source) Config() *tls.Config { return s.current.Load() }

// Leaf is the listener's own certificate.
func (s *Source) Leaf() *x509.Certificate { return s.leaf.Load() }

// Options are the options that the source was made with.
func (s *Source) Options() *config.TLS { return s.options }

// Reload reads the files that have changed, and tells whether a new
// configuration is in force. After an error the old one stays.
func (s *Source) Reload() (changed bool, err error) {
	return s.reload(true, certFile, keyFile, caFile, crlFile)
}

// reload looks at some of the files. again tries what was refused before even
// if they are the same.
func (s *Source) reload(again bool, files ...int) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.wait || again && s.stale
	for _, i := range files {
		if s.files[i] == nil {
			continue
		}
		c, err := s.files[i].Reload()
		if err != nil {
			s.wait = changed
			return false, err
		}
		if c {
			changed, s.stale = true, true
		}
	}
	if !changed {
		return false, nil
	}
	s.wait = false
	if err := s.build(); err != nil {
		return false, err
	}
	s.stale = false
	return true, nil
}

// Run looks at the files again and again until ctx ends: every so often at
// certificates, key and authorities, and at the list of revoked certificates
// in an interval of its own. An interval of 0 is never. It reports nil when a
// new configuration is in force, and each error once for as long as it lasts.
func (s *Source) Run(ctx context.Context, every, everyList time.Duration, report func(error)) {
	var wg sync.WaitGroup
	for _, x := range []struct {
		every time.Duration
		files []int
	}{{every, []int{certFile, keyFile, caFile}}, {everyList, []int{crlFile}}} {
		if x.every > 0 {
			wg.Go(func() { s.watch(ctx, x.every, x.files, report) })
		}
	}
	wg.Wait()
}

func (s *Source) watch(ctx context.Context, every time.Duration, files []int, report func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := s.reload(false, files...)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if changed || text != "" && text != last {
			report(err)
		}
		last = text
	}
}
