// Package tlstest makes authorities, certificates and revocation lists for
// tests.
package tlstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

var serials atomic.Int64

// Authority issues certificates.
type Authority struct {
	t      testing.TB
	Cert   *x509.Certificate
	Issuer *Authority // nil for a root
	key    crypto.Signer
}

// Leaf is a certificate with its key.
type Leaf struct {
	Cert  *x509.Certificate
	Chain [][]byte // DER: its own and those up to the root, which is not there
	Key   crypto.Signer
	t     testing.TB
}

// New makes a root.
func New(t testing.TB, name string) *Authority {
	return authority(t, nil, name)
}

// Intermediate makes an authority below another one.
func (a *Authority) Intermediate(name string) *Authority { return authority(a.t, a, name) }

func authority(t testing.TB, issuer *Authority, name string) *Authority {
	a := &Authority{t: t, Issuer: issuer, key: newKey(t)}
	template := a.template(name)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	signer := a.key
	parent := template
	if issuer != nil {
		parent, signer = issuer.Cert, issuer.key
	}
	a.Cert = sign(t, template, parent, a.key.Public(), signer)
	return a
}

func newKey(t testing.TB) crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *Authority) template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1000 + serials.Add(1)),
		Subject:      pkix.Name{Organization: []string{"tests"}, CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

func sign(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Issue makes a certificate for servers and clients on this host. change may
// be nil.
func (a *Authority) Issue(name string, change func(*x509.Certificate)) *Leaf {
	return a.issue(name, newKey(a.t), change)
}

// IssueRSA is Issue with a key of RSA.
func (a *Authority) IssueRSA(name string) *Leaf {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.issue(name, key, nil)
}

func (a *Authority) issue(name string, key crypto.Signer, change func(*x509.Certificate)) *Leaf {
	template := a.template(name)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames, template.IPAddresses = []string{"localhost"}, []net.IP{{127, 0, 0, 1}, net.IPv6loopback}
	if change != nil {
		change(template)
	}
	l := &Leaf{t: a.t, Key: key, Cert: sign(a.t, template, a.Cert, key.Public(), a.key)}
	l.Chain = [][]byte{l.Cert.Raw}
	for x := a; x.Issuer != nil; x = x.Issuer {
		l.Chain = append(l.Chain, x.Cert.Raw)
	}
	return l
}

// TLS is the leaf for crypto/tls.
func (l *Leaf) TLS() tls.Certificate {
	return tls.Certificate{Certificate: l.Chain, PrivateKey: l.Key, Leaf: l.Cert}
}

// Pool trusts the authority.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.Cert)
	return p
}

// CertPEM is the leaf's chain.
func (l *Leaf) CertPEM() (out []byte) {
	for _, der := range l.Chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

// KeyPEM is the leaf's key.
func (l *Leaf) KeyPEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(l.Key)
	if err != nil {
		l.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// PEM is the authority's certificate.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Cert.Raw})
}

// CRL makes a list of revoked certificates.
func (a *Authority) CRL(revoked ...*Leaf) []byte {
	list := &x509.RevocationList{Number: big.NewInt(serials.Add(1)), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, l := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: l.Cert.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.Cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// Write puts a file into a directory, at once, and gives its path.
func Write(t testing.TB, dir, name string, text []byte) string {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// Files writes the leaf's chain and key to NAME.crt and NAME.key.
func (l *Leaf) Files(dir, name string) (cert, key string) {
	return Write(l.t, dir, name+".crt", l.CertPEM()), Write(l.t, dir, name+".key", l.KeyPEM())
}
