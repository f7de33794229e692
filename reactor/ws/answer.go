package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"strconv"
)

// Refusal is a handshake that is refused. The values are made once.
type Refusal struct {
	Status int
	Text   string // what was wrong; the client is told
}

func (e *Refusal) Error() string {
	return "websocket handshake: " + strconv.Itoa(e.Status) + ": " + e.Text
}

var (
	refuseMethodName = &Refusal{400, "not an HTTP request"}
	refuseLineEnd    = &Refusal{400, "request line does not end with CR LF"}
	refuseSyntax     = &Refusal{400, "malformed request line"}
	refuseField      = &Refusal{400, "malformed header field"}
	refuseHost       = &Refusal{400, "request does not have one Host field"}
	refuseBody       = &Refusal{400, "request has a body"}
	refuseKey        = &Refusal{400, "Sec-WebSocket-Key is not 16 bytes of base64"}
	refuseProtocol   = &Refusal{400, "sub-protocol mqtt is not offered"}
	refuseCN         = &Refusal{400, "more than one field with a common name"}
	refusePath       = &Refusal{404, "MQTT is at " + Path}
	refuseMethod     = &Refusal{405, "method is not GET"}
	refuseLine       = &Refusal{414, "request line is too long"}
	refuseNoUpgrade  = &Refusal{426, "request is no upgrade to WebSocket"}
	refuseNot13      = &Refusal{426, "version of WebSocket is not 13"}
	refuseValue      = &Refusal{431, "header field is too long"}
	refuseFields     = &Refusal{431, "too many header fields"}
	refuseTotal      = &Refusal{431, "request is too long"}
	refuseVersion    = &Refusal{505, "HTTP version is not 1.1"}
)

// RefuseUnknown is for callers that want to know who the client is.
var RefuseUnknown = &Refusal{403, "no common name from a proxy that is believed"}

var statusTexts = map[int]string{400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
	414: "URI Too Long", 426: "Upgrade Required", 431: "Request Header Fields Too Large",
	505: "HTTP Version Not Supported"}

// AppendAnswer appends the answer to a request that is refused; the connection
// ends after it.
func (e *Refusal) AppendAnswer(out []byte) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(e.Status), 10)
	out = append(append(out, ' '), statusTexts[e.Status]...)
	switch e.Status {
	case 405: // [RFC 9110, 15.5.6]
		out = append(out, "\r\nAllow: GET"...)
	case 426: // [RFC 9110, 15.5.22] [RFC 6455, 4.4]
		out = append(out, "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade, close"...)
	}
	if e.Status != 426 {
		out = append(out, "\r\nConnection: close"...)
	}
	out = append(out, "\r\nContent-Type: text/plain\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(e.Text)+1), 10)
	out = append(append(out, "\r\n\r\n"...), e.Text...)
	return append(out, '\n')
}

// AppendAnswer appends the answer to a request that is granted [RFC 6455,
// 4.2.2]. Frames follow it.
func (r *Request) AppendAnswer(out []byte) []byte {
	out = append(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "...)
	out = append(append(out, r.accept[:]...), "\r\nSec-WebSocket-Protocol: "...)
	return append(append(out, r.Protocol...), "\r\n\r\n"...)
}

const keySize = 24 // of 16 bytes in base64

// validKey checks a Sec-WebSocket-Key [RFC 6455, 4.1]. The last character may
// have bits that count for nothing; there are clients that draw it at random.
func validKey(key []byte) bool {
	if len(key) != keySize {
		return false
	}
	var raw [18]byte
	n, err := base64.StdEncoding.Decode(raw[:], key)
	return err == nil && n == 16
}

const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// acceptKey proves that the request was understood [RFC 6455, 4.2.2].
func acceptKey(key []byte) (accept [28]byte) {
	var both [keySize + len(acceptGUID)]byte
	copy(both[:], key)
	copy(both[keySize:], acceptGUID)
	sum := sha1.Sum(both[:])
	base64.StdEncoding.Encode(accept[:], sum[:])
	return accept
}
