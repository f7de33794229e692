// Package passwd checks user names and passwords against VerneMQ's password
// file.
//
// A line is USER:HASH. A hash is VerneMQ's ($6$SALT$DIGEST, one round of
// SHA-512), bcrypt ($2a$, $2b$, $2y$) or argon2id ($argon2id$). Empty lines and
// lines that begin with # say nothing.
//
// Whoever sends no user name or no password at all is for the next plugin: do
// not ask. An empty password is one, and wrong.
//
// Checking costs what the hash costs, up to a second for the dearest ones that
// a file may hold, and it happens in the caller's goroutine: keep it off the
// event loops, and bound how many run at once, as argon2id takes up to 256 MiB
// for each.
package passwd
