// Package hooks is where plugins decide and watch. It knows every hook of
// VerneMQ (reference: hooks), calls the plugins of each in their order, and
// keeps what they do wrong from everybody else.
//
// A plugin is a value with a Hooks method that gives its functions. For a hook
// that decides there may be two of them:
//
//   - Now is called on an event loop while the client's packet is looked at. It
//     must not block, and what the request points to is valid during the call
//     only. It may answer Later.
//   - Wait is called in a goroutine when there is no Now, or after it answered
//     Later. It may take its time, up to the plugin's timeout; its context ends
//     when the client leaves. The client is not read meanwhile, so that the
//     order of what it does is kept; no other client notices.
//
// An answer is Next, which has the next plugin asked, OK, with or without
// modifiers, or Failed. If nobody says OK, the answer is Failed. Modifiers are
// checked; one that is wrong turns the answer into a failure.
//
// Functions of hooks that only watch are all called. Those with Wait run beside
// the loops, in order for each client; when too much waits, events are dropped
// and counted.
//
// A plugin that panics has failed, as has one that does not answer in time. Both
// are logged and counted, and nothing else happens.
//
// A Registry holds the plugins that are enabled. What the loops read is a
// Snapshot that never changes; each change of the registry makes a new one.
package hooks
