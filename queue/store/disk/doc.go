// Package disk keeps what must outlive the process in Pebble: sessions,
// subscriptions, queues of messages, the state of QoS 2 exchanges, handovers and
// retained messages.
//
// A loop collects the writes of a turn in a Batch, which is memory only, and
// hands it over with Store.Commit. There it joins the group that gathers. One
// writer commits group by group, each whole or not at all, and calls done. The
// reading functions go to the disk and are not for loops.
//
// What comes and goes within a batch or a group is not written: an entry that is
// enqueued and dequeued, a message that one loop hands over and another one
// takes over. A writer with much to do therefore lets a group gather for a
// moment, see pace.go, but no longer than until nothing is left to be written.
//
// A client's records share a prefix after the letter that says what they are,
// so that its queue is one range, and all of a slot's sessions are one:
//
//	'm' name                          meta: format, node, boot
//	's' P                             session
//	'u' P filter                      subscription
//	'q' P sequence(8)                 entry of a queue
//	'b' id(8)                         body shared by entries, with a count of them
//	'f' P packet id(2)                outgoing QoS 2 exchange
//	'i' P packet id(2)                incoming QoS 2 message, received and not released
//	'r' mountpoint 0x00 topic         retained message
//	'd' P                             queue that is being deleted
//	'x' loop(2) sequence(8)           message handed over to a loop
//
//	P = | slot 2 | mountpoint | 0x00 | client id | 0x00 |
//
// Numbers are big endian. Slot is the low 12 bits of queue.KeyOf; no MQTT
// string contains 0x00. Sequences and body ids come from one counter that never
// gives a number twice, see meta.go. Every value begins with a version byte: what
// has changed since the first one is read in both layouts, see session.go.
package disk
