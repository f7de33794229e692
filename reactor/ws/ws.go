// Package ws is the server's side of RFC 6455, for MQTT over WebSocket [MQTT 5,
// 6]: the handshake, frames to a byte stream, and the headers of frames to
// send. It works on byte slices and knows no socket. It allocates nothing, not
// even for an error; between messages a connection's state is all zero.
//
// It grants no extension. permessage-deflate would cost each idle connection
// windows of 32 KiB, or, with a new one for each message, save little on small
// ones and cost much CPU.
package ws

// Code is the status of a Close frame [RFC 6455, 7.4].
type Code uint16

// The codes that this side sends by itself.
const (
	Normal        Code = 1000
	GoingAway     Code = 1001
	ProtocolError Code = 1002
	Unsupported   Code = 1003 // a kind of data that MQTT does not use
	BadData       Code = 1007 // text is not UTF-8
	TooBig        Code = 1009
)

// valid tells whether a peer may send the code [RFC 6455, 7.4.1, 7.4.2]. 1012
// to 1014 were registered later.
func (c Code) valid() bool {
	switch {
	case c >= 3000 && c < 5000:
		return true
	case c >= 1000 && c <= 1014:
		return c != 1004 && c != 1005 && c != 1006
	}
	return false
}

// Error is why a connection ends. The values are made once.
type Error struct {
	Code Code   // what the peer is told
	Text string // what was wrong
}

func (e *Error) Error() string { return "websocket: " + e.Text }

// ErrClosed says that the peer has sent a proper Close frame.
var ErrClosed = &Error{Normal, "closed by the peer"}

func violation(text string) *Error { return &Error{ProtocolError, text} }

var (
	errReserved     = violation("reserved bits of a frame are set")
	errOpcode       = violation("frame has a reserved opcode")
	errUnmasked     = violation("frame of a client is not masked")
	errText         = &Error{Unsupported, "text frame, MQTT is binary"}
	errFragment     = violation("control frame is fragmented")
	errControlSize  = violation("control frame with more than 125 bytes")
	errMinimal      = violation("length of a frame is not in its shortest form")
	errLength       = violation("length of a frame has its highest bit set")
	errTooBig       = &Error{TooBig, "frame is larger than allowed"}
	errContinuation = violation("continuation of no message")
	errInterleaved  = violation("message begins inside another one")
	errCloseSize    = violation("Close frame with half a status code")
	errCloseCode    = violation("Close frame with a status code that may not be sent")
	errCloseText    = &Error{BadData, "reason of a Close frame is not UTF-8"}
)

// The parts of a frame's first two bytes [RFC 6455, 5.2].
const (
	bitFin      = 0x80
	bitsRSV     = 0x70
	bitsOpcode  = 0x0f
	bitMask     = 0x80
	bitsLength  = 0x7f
	bitsControl = 0x08

	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa

	maxControl = 125 // payload of a control frame [RFC 6455, 5.5]
)
