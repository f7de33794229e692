package ws

import (
	"bytes"
	"net/netip"
)

// Path is where MQTT is served; a slash or a query may follow.
const Path = "/mqtt"

// Rules are the bounds of a handshake. A zero stands for the default.
type Rules struct {
	MaxLine   int    // bytes of the request line, 8000
	MaxValue  int    // bytes of a field's value, 4096
	MaxFields int    // 100
	MaxTotal  int    // bytes of the whole request, 16384
	CNField   string // field that carries a client certificate's common name, "" for none
}

func or(n, def int) int {
	if n > 0 {
		return n
	}
	return def
}

func (r *Rules) line() int   { return or(r.MaxLine, 8000) }
func (r *Rules) value() int  { return or(r.MaxValue, 4096) }
func (r *Rules) fields() int { return or(r.MaxFields, 100) }
func (r *Rules) total() int  { return or(r.MaxTotal, 16<<10) }

// Request is a handshake that is granted. Slices alias what was parsed.
type Request struct {
	Protocol     string // "mqtt" or "mqttv3.1", as the client prefers
	ForwardedFor []byte // first entry of X-Forwarded-For, as it is; nil when there is none
	CN           []byte // value of Rules.CNField; nil when there is none
	accept       [28]byte
}

// ForwardedAddr is ForwardedFor as an address. A port is left away.
func (r *Request) ForwardedAddr() (netip.Addr, bool) {
	s := string(r.ForwardedFor)
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap(), true
	}
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap(), true
	}
	return netip.Addr{}, false
}

var endOfRequest = []byte("\r\n\r\n")

// ParseRequest reads a handshake at the beginning of b. n is its size, 0 when b
// holds only a part of it; what lies behind it are frames. An error is a
// *Refusal; what is clearly wrong is refused before all of it is there.
//
// Nothing is kept between calls: the search for the end is all that is done
// again when a request comes in pieces, and MaxTotal bounds it.
func ParseRequest(b []byte, rules *Rules, r *Request) (n int, err error) {
	*r = Request{}
	end := bytes.Index(b, endOfRequest)
	if e := checkBounds(b, end, rules); e != nil {
		return 0, e
	}
	if end < 0 {
		return 0, nil
	}
	p := parser{rules: rules, request: r}
	line, rest, _ := bytes.Cut(b[:end+2], endOfRequest[:2])
	if e := p.line(line); e != nil {
		return 0, e
	}
	if e := p.fields(rest); e != nil {
		return 0, e
	}
	if e := p.judge(); e != nil {
		return 0, e
	}
	r.accept = acceptKey(p.key)
	return end + 4, nil
}

const maxMethod = 32

// checkBounds checks what can be checked cheaply before the end has come, and
// in an order that gives a request that comes at once the same answer as one
// that comes in pieces.
func checkBounds(b []byte, end int, rules *Rules) *Refusal {
	line := bytes.IndexByte(b, '\n')
	have := line
	if line < 0 {
		have = len(b)
	}
	for i := 0; ; i++ {
		if i == maxMethod {
			return refuseMethodName
		}
		if i == len(b) || i > 0 && b[i] == ' ' {
			break
		}
		if !isToken(b[i]) { // not HTTP at all
			return refuseMethodName
		}
	}
	if have > rules.line()+1 { // a \r belongs to it
		return refuseLine
	}
	if line >= 0 && b[line-1] != '\r' {
		return refuseLineEnd
	}
	if end < 0 && len(b) > rules.total() || end+4 > rules.total() {
		return refuseTotal
	}
	return nil
}

// parser goes over one request.
type parser struct {
	rules      *Rules
	request    *Request
	path       []byte
	get        bool
	old        bool // HTTP/1.0
	body       bool
	upgrade    bool
	connection bool
	hosts      int
	versions   int
	version13  bool
	keys       int
	key        []byte
	cns        int
	forwards   int
}

// line reads the request line [RFC 9112, 3].
func (p *parser) line(line []byte) *Refusal {
	method, rest, _ := bytes.Cut(line, space)
	target, version, ok := bytes.Cut(rest, space)
	if !ok {
		return refuseSyntax
	}
	for _, c := range target {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return refuseSyntax
		}
	}
	if len(version) != 8 || string(version[:5]) != "HTTP/" || version[6] != '.' ||
		!isDigit(version[5]) || !isDigit(version[7]) {
		return refuseSyntax
	}
	if version[5] != '1' {
		return refuseVersion
	}
	p.old = version[7] == '0'
	p.get = string(method) == "GET"
	p.path, ok = pathOf(target)
	if !ok {
		return refuseSyntax
	}
	return nil
}

// pathOf gives the path of a target in one of its forms [RFC 9112, 3.2].
func pathOf(target []byte) (path []byte, ok bool) {
	if len(target) == 0 {
		return nil, false
	}
	if target[0] != '/' && string(target) != "*" {
		scheme, rest, found := bytes.Cut(target, []byte("://"))
		if !found || !foldAny(scheme, "http", "https", "ws", "wss") {
			return nil, false
		}
		i := bytes.IndexByte(rest, '/')
		if i < 0 {
			return nil, true // the root
		}
		target = rest[i:]
	}
	path, _, _ = bytes.Cut(target, []byte{'?'})
	return path, true
}
