// Package e2e tests the broker from outside: it starts the vernemq program and
// talks to it over TCP as clients do.
//
// The clients are mosquitto_pub and mosquitto_sub, the two Paho libraries, and
// for byte-exact cases a few lines over net.Conn. Every test runs against a
// broker of one loop and a broker of four.
//
// Environment:
//
//	E2E_BROKER   command of another broker to test, for example mosquitto, which
//	             keeps the tests honest. Default is our own, freshly built.
//	CI_REQUIRE   1 makes missing mosquitto clients a failure instead of a skip.
package e2e
