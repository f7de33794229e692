// Package webhooks asks and tells web services what the hooks are about
// (VerneMQ's vmq_webhooks; reference: hooks, section 8).
//
// Each call of a hook is a POST with one JSON object and the header
// vernemq-hook. Several endpoints of a hook are asked in the order of their
// registration: next goes on, ok and an error end it. Whatever goes wrong is an
// error. Answers ok to the hooks auth_on_* may be kept as long as their header
// Cache-Control says; what is kept is answered on the event loop.
package webhooks
