package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// verify checks what crypto/tls does not: how long the chain is, and whether
// the client's certificate was revoked. It is asked at each handshake, the
// short one of a resumed session too.
func verify(state *tls.ConnectionState, depth int, revoked revocations) error {
	if len(state.VerifiedChains) == 0 {
		return nil // without a certificate, or crypto/tls has refused it
	}
	long := true
	for _, chain := range state.VerifiedChains {
		if len(chain)-2 > depth { // authorities between the certificate and the root
			continue
		}
		long = false
		if len(chain) > 1 && revoked.has(chain[0], chain[1]) {
			return errRevoked
		}
	}
	if long {
		return errDepth
	}
	return nil
}

var (
	errRevoked = errors.New("certificate is revoked")
	errDepth   = errors.New("certificate chain is longer than depth allows")
)

// revocations are the lists of revoked certificates by the name of who issued
// them, as DER.
type revocations map[string][]*revocation

// revocation is one list.
type revocation struct {
	list    *x509.RevocationList
	serials map[string]struct{}
	issuer  atomic.Pointer[x509.Certificate] // whose signature it was found to bear
}

// parseRevocations reads lists in PEM.
func parseRevocations(text []byte) (revocations, error) {
	out := revocations{}
	n := 0
	for len(text) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			continue
		}
		n++
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("list %d of revoked certificates is broken: %w", n, err)
		}
		r := &revocation{list: list, serials: make(map[string]struct{}, len(list.RevokedCertificateEntries))}
		for i := range list.RevokedCertificateEntries {
			r.serials[string(list.RevokedCertificateEntries[i].SerialNumber.Bytes())] = struct{}{}
		}
		out[string(list.RawIssuer)] = append(out[string(list.RawIssuer)], r)
	}
	if n == 0 {
		return nil, errors.New("it holds no list of revoked certificates in PEM")
	}
	return out, nil
}

// has tells whether the issuer has revoked a certificate. A list that the
// issuer has not signed counts for nothing; one that is out of date counts.
func (r revocations) has(cert, issuer *x509.Certificate) bool {
	for _, x := range r[string(cert.RawIssuer)] {
		if _, ok := x.serials[string(cert.SerialNumber.Bytes())]; ok && x.signedBy(issuer) {
			return true
		}
	}
	return false
}

func (r *revocation) signedBy(issuer *x509.Certificate) bool {
	if known := r.issuer.Load(); known != nil && bytes.Equal(known.Raw, issuer.Raw) {
		return true
	}
	if r.list.CheckSignatureFrom(issuer) != nil {
		return false
	}
	r.issuer.Store(issuer)
	return true
}

var oidCommonName = asn1.ObjectIdentifier{2, 5, 4, 3}

// CommonName is the name that a certificate gives its owner: the first part of
// the subject that is a common name alone, as UTF8String or PrintableString;
// "" when there is none.
func CommonName(cert *x509.Certificate) string {
	var parts []asn1.RawValue
	if _, err := asn1.Unmarshal(cert.RawSubject, &parts); err != nil {
		return ""
	}
	for _, p := range parts {
		var set []struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		if _, err := asn1.UnmarshalWithParams(p.FullBytes, &set, "set"); err != nil || len(set) != 1 {
			continue
		}
		x := set[0]
		if x.Type.Equal(oidCommonName) && (x.Value.Tag == asn1.TagUTF8String || x.Value.Tag == asn1.TagPrintableString) {
			return string(x.Value.Bytes)
		}
	}
	return ""
}

// Expired says when a certificate is not valid yet or any more.
func Expired(cert *x509.Certificate, now time.Time) error {
	switch {
	case now.Before(cert.NotBefore):
		return fmt.Errorf("valid from %s on", cert.NotBefore.UTC().Format(time.DateTime))
	case now.After(cert.NotAfter):
		return fmt.Errorf("expired at %s", cert.NotAfter.UTC().Format(time.DateTime))
	}
	return nil
}
