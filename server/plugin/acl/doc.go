// Package acl decides by VerneMQ's ACL file who may publish and subscribe where.
//
// A file has one statement on a line:
//
//	topic [read|write] FILTER      for everybody, and after a user line for that user
//	user NAME                      the topic lines below are NAME's
//	pattern [read|write] FILTER    for everybody; levels %u, %c and %m stand for
//	                               user name, client id and mountpoint
//	# comment
//
// read is to subscribe, write is to publish, neither word means both. Nothing is
// permitted but what a line permits.
//
// A line permits to publish to the topics that its filter matches. It permits to
// subscribe to filters that match no topic beyond that: the line's filter must
// match all topics that the subscription's matches. Lines are not added up.
//
// As anywhere in MQTT, a wildcard in the first place does not match topics that
// begin with $. Neither does a level %u, %c or %m there, as clients choose their
// names. $share/GROUP/FILTER is permitted where FILTER is, and by a line that
// names $share itself.
package acl
