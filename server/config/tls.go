package config

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"
)

// TLS are the options of a listener that concern TLS.
type TLS struct {
	CAFile, CertFile, KeyFile, CRLFile string
	KeyPassword                        string
	Depth                              int // authorities between a client's certificate and the root
	MinVersion, MaxVersion             uint16
	Ciphers                            []uint16      // of TLS 1.2; nil leaves them to Go
	Curves                             []tls.CurveID // nil leaves them to Go
	RequireCertificate                 bool
	UseIdentity                        bool          // the certificate's common name is the user name
	HandshakeTimeout                   time.Duration // from the accept on
}

// foreverTimeout stands for infinity.
const foreverTimeout = 1 << 20 * time.Second

const defaultHandshakeTimeout = 5 * time.Second

// tls resolves the TLS options of a listener.
func (l *Loaded) tls(transport, name string) (*TLS, error) {
	get := func(option string) string { return l.inherit(transport, name, option) }
	t := &TLS{
		CAFile: l.path(get("cafile")), CertFile: l.path(get("certfile")), KeyFile: l.path(get("keyfile")), CRLFile: l.path(get("crlfile")),
		KeyPassword: get("keypasswd"), Depth: number(get("depth")),
		RequireCertificate: get("require_certificate") == "on", UseIdentity: get("use_identity_as_username") == "on",
		HandshakeTimeout: defaultHandshakeTimeout,
	}
	switch v := get("tls_handshake_timeout"); v {
	case "", "-1":
	case "infinity":
		t.HandshakeTimeout = foreverTimeout
	default:
		t.HandshakeTimeout = time.Duration(number(v)) * time.Millisecond
	}
	var why string
	var left []string
	if t.MinVersion, t.MaxVersion, why = tlsVersions(get("tls_version")); why != "" {
		return nil, l.check(l.origin(transport, name, "tls_version"), why)
	}
	if t.Ciphers, left, why = cipherSuites(get("ciphers")); why != "" {
		return nil, l.check(l.origin(transport, name, "ciphers"), why)
	}
	l.leftOut(transport, name, "ciphers", left)
	if t.Curves, left, why = curves(list(get("eccs"))); why != "" {
		return nil, l.check(l.origin(transport, name, "eccs"), why)
	}
	l.leftOut(transport, name, "eccs", left)
	if get("psk_support") == "on" {
		return nil, l.check(l.origin(transport, name, "psk_support"), "TLS with pre-shared keys is not available: use certificates")
	}
	if t.CertFile == "" {
		return nil, l.check("listener."+transport+"."+name, "certfile is not set")
	}
	if t.RequireCertificate && t.CAFile == "" {
		return nil, l.check(l.origin(transport, name, "require_certificate"), "cafile is not set, so that no certificate would do")
	}
	return t, nil
}

// origin is the key that an option of a listener has its value from.
func (l *Loaded) origin(transport, name, option string) string {
	named := "listener." + transport + "." + name + "." + option
	if l.isSet(named) {
		return named
	}
	return "listener." + transport + "." + option
}

func (l *Loaded) leftOut(transport, name, option string, left []string) {
	if len(left) > 0 {
		key := l.origin(transport, name, option)
		l.Warnings = append(l.Warnings, fmt.Sprintf("%s: %s: not available and left out: %s", l.settings[key].where(), key, strings.Join(left, ", ")))
	}
}

var versionNames = []struct {
	name    string
	version uint16
}{{"tlsv1", tls.VersionTLS10}, {"tlsv1.1", tls.VersionTLS11}, {"tlsv1.2", tls.VersionTLS12}, {"tlsv1.3", tls.VersionTLS13}}

// tlsVersions reads a list of versions that follow each other.
func tlsVersions(v string) (low, high uint16, why string) {
	var all []uint16
	for _, w := range list(v) {
		i := slices.IndexFunc(versionNames, func(x struct {
			name    string
			version uint16
		}) bool {
			return x.name == w
		})
		if i < 0 {
			return 0, 0, fmt.Sprintf("%q is not a TLS version, acceptable values are: tlsv1, tlsv1.1, tlsv1.2, tlsv1.3", w)
		}
		all = append(all, versionNames[i].version)
	}
	if len(all) == 0 {
		return 0, 0, "list is empty"
	}
	slices.Sort(all)
	all = slices.Compact(all)
	low, high = all[0], all[len(all)-1]
	if int(high-low) != len(all)-1 {
		return 0, 0, "versions with a gap between them cannot be offered"
	}
	return low, high, ""
}

// suiteNames are OpenSSL's names of the cipher suites of TLS 1.2 and before
// that Go has.
var suiteNames = map[string]uint16{
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"ECDHE-ECDSA-AES128-SHA256":     tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-RSA-AES128-SHA256":       tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	"AES128-SHA256":                 tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
}

// cipherSuites reads names of OpenSSL, or those of the standard, with : between
// them. Those of TLS 1.3 are always there. Names of others are left out.
func cipherSuites(v string) (suites []uint16, left []string, why string) {
	for _, name := range strings.FieldsFunc(v, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		if strings.HasPrefix(name, "TLS_AES_") || strings.HasPrefix(name, "TLS_CHACHA20_") {
			continue
		}
		id, ok := suiteNames[name]
		if !ok {
			for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
				if s.Name == name {
					id, ok = s.ID, true
				}
			}
		}
		if ok {
			suites = append(suites, id)
		} else {
			left = append(left, name)
		}
	}
	if len(suites) == 0 && len(left) > 0 {
		return nil, nil, "none of the cipher suites is available: " + strings.Join(left, ", ")
	}
	return suites, left, ""
}

var curveNames = map[string]tls.CurveID{
	"x25519": tls.X25519, "secp256r1": tls.CurveP256, "prime256v1": tls.CurveP256, "secp384r1": tls.CurveP384, "secp521r1": tls.CurveP521,
	"x25519mlkem768": tls.X25519MLKEM768,
}

// otherCurves are names that are known and for which there is no code.
var otherCurves = "x448 secp160k1 secp160r1 secp160r2 secp192k1 secp192r1 secp224k1 secp224r1 secp256k1 " +
	"sect163k1 sect163r1 sect163r2 sect193r1 sect193r2 sect233k1 sect233r1 sect239k1 sect283k1 sect283r1 sect409k1 sect409r1 sect571k1 sect571r1 " +
	"brainpoolP256r1 brainpoolP384r1 brainpoolP512r1"

func curves(names []string) (ids []tls.CurveID, left []string, why string) {
	var unknown []string
	for _, n := range names {
		id, ok := curveNames[strings.ToLower(n)]
		switch {
		case ok:
			ids = append(ids, id)
		case slices.Contains(strings.Fields(otherCurves), n):
			left = append(left, n)
		default:
			unknown = append(unknown, n)
		}
	}
	switch {
	case len(unknown) > 0:
		return nil, nil, "Unknown ECC named curves: " + strings.Join(unknown, ",")
	case len(ids) == 0 && len(left) > 0:
		return nil, nil, "none of the curves is available: " + strings.Join(left, ", ")
	}
	return ids, left, ""
}

// Versions are the versions that are offered, in VerneMQ's words.
func (t *TLS) Versions() string {
	var names []string
	for _, v := range versionNames {
		if v.version >= t.MinVersion && v.version <= t.MaxVersion {
			names = append(names, v.name)
		}
	}
	return strings.Join(names, ",")
}
