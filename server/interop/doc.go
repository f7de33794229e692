// Package interop runs conversations with the broker over loopback. They are
// told anew, in our own words, from the behaviours that the public suites of
// other brokers check (Paho's interoperability tests, mosquitto's test/broker,
// those of VerneMQ, EMQX and HiveMQ) and from the specifications. Packets are
// written byte by byte and read by a decoder of this package, so that no
// mistake of package codec can hide.
//
// # Scripts
//
// A script is a file of testdata. A line that begins with # is a comment. First
// come settings of vernemq.conf, if it needs any:
//
//	set receive_max_broker = 2
//
// Then come cases. A case begins with its title and the versions for which it
// runs: 3, 4 and 5, b for level 131, c for 132. Each has a listener with a
// mountpoint of its own, so cases do not see each other; all of a script run at
// the same time.
//
//	= will: published when the connection breaks 345
//
// A line of a case begins with the versions that it is for, if it is not for
// all, then names a client, a verb, and what the verb wants:
//
//	5| a > 30 "t" () 'x'    sends a packet (see Bytes); dials if need be
//	a >1000 c0              sends it so often, in one write
//	a < publish q0 t x      this packet comes next (see Words)
//	a <* W | W              these come, in any order
//	a none                  nothing comes for a while
//	a open                  the connection goes on, and nothing has come
//	a closed                the connection is closed, and nothing has come
//	a bye 82                DISCONNECT with this code (MQTT 5 only), and closed
//	a refused 81            CONNACK with this code (MQTT 5 only), and closed
//	a wrong 81 30 "t" 05    connects with a clean session, sends a packet, and is
//	                        told bye with this code
//	a drop                  closes the socket; what the broker has not read may be
//	                        lost when the client is back at once, so it is open first
//	a shut                  closes it in the direction to the broker
//	a connect               connects with a clean session
//	a persist               connects with a session of 300 s, which is new
//	a resume                connects with that session, which is there
//	a end                   disconnects
//	a as 4                  has this version from its next connection on
//	- wait 1.5              seconds
//
// When a case ends, the clients that are still connected must be so, and must
// have got nothing that the script does not name.
//
// # Bytes
//
// A packet is written as its first byte and what follows the Remaining Length,
// which is put in:
//
//	82       bytes, pairs of hexadecimal digits
//	"a/b"    string with its length; \x00 and the like as in Go
//	'a/b'    bare text
//	~9:ab    string of nine times ab with its length; ^9:ab without it
//	(0b05)   properties with their length; MQTT 3 has none
//	@        protocol name and level of the version
//	%        packet identifier of the PUBLISH that came last
//	;        another packet of the same write
//	!        the bytes behind it stand as they are, without a Remaining Length
//
// # Words
//
//	connack 0 00 {22=4}     session present, code, properties
//	publish q1 dup retain #7 topic payload {26=a:b}
//	puback 1 87             identifier and code, if it is not 0; pubrec, pubrel,
//	                        pubcomp alike
//	suback 1 00 80          identifier and codes; unsuback alike
//	pingresp, disconnect 82, auth 18 {15=name}
//
// Properties are their identifier in hexadecimal and their value; reason
// strings are left out. In an expectation * stands for anything, [56] for one of
// these characters.
package interop
