// Package scram is an example of a plugin in Go: enhanced authentication with
// SCRAM-SHA-256 (RFC 7677) for clients of MQTT 5.
//
// To compile it in is to import it; cmd/vernemq does. plugins.scram = on enables
// it. Its users are in the file scram.users, in the directory plugins.scram.path
// or else beside the configuration, one in a line in the form of PostgreSQL:
//
//	USER:SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY
//
// The broker never sees a password, and the file does not hold what a client
// needs to log in. A client proves in CONNECT and AUTH that it knows the
// password, the server proves in CONNACK that it knows the user.
package scram
