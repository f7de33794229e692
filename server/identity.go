package server

import (
	"crypto/x509"

	"vernemq/codec"
	"vernemq/reactor"
	"vernemq/server/pki"
)

// identity is what a client's transport says of it: a certificate, or what a
// proxy tells of one.
type identity struct {
	certificate *x509.Certificate // of the client's TLS connection, nil when there is none
	username    string            // in place of the one in CONNECT, where imposed
	imposed     bool
}

// identityOf looks at a connection that has not found its home yet.
func (li *listener) identityOf(c *reactor.Conn) (id identity) {
	known := c.Identity()
	if known == nil {
		return id
	}
	id.certificate = known.Certificate
	switch {
	case known.CommonName != "":
		id.username, id.imposed = known.CommonName, true
	case known.Certificate != nil && li.config.TLS.UseIdentity:
		// A certificate without a name gives none: the client may not choose.
		id.username, id.imposed = pki.CommonName(known.Certificate), true
	}
	return id
}

// impose puts the user name into a CONNECT.
func (id *identity) impose(c *codec.Connect) {
	if id.imposed {
		c.Username, c.HasUsername = []byte(id.username), id.username != ""
	}
}
