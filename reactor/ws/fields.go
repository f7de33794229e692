package ws

import "bytes"

var space, comma = []byte{' '}, []byte{','}

// fields reads the header fields, each of which ends with \r\n [RFC 9112, 5].
func (p *parser) fields(b []byte) *Refusal {
	for n := 1; len(b) > 0; n++ {
		var line []byte
		line, b, _ = bytes.Cut(b, endOfRequest[:2])
		if n > p.rules.fields() {
			return refuseFields
		}
		// A space in front of the colon and a folded line are no tokens.
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok || len(name) == 0 {
			return refuseField
		}
		for _, c := range name {
			if !isToken(c) {
				return refuseField
			}
		}
		value = bytes.Trim(value, " \t")
		if len(value) > p.rules.value() {
			return refuseValue
		}
		for _, c := range value {
			if c < ' ' && c != '\t' || c == 0x7f {
				return refuseField
			}
		}
		p.field(name, value)
	}
	return nil
}

// field takes what it needs of a field.
func (p *parser) field(name, value []byte) {
	if cn := p.rules.CNField; cn != "" && fold(name, cn) {
		p.cns++
		p.request.CN = value
	}
	switch {
	case fold(name, "host"):
		p.hosts++
	case fold(name, "upgrade"):
		p.upgrade = p.upgrade || lists(value, "websocket")
	case fold(name, "connection"):
		p.connection = p.connection || lists(value, "upgrade")
	case fold(name, "sec-websocket-version"):
		p.versions++
		p.version13 = string(value) == "13"
	case fold(name, "sec-websocket-key"):
		p.keys++
		p.key = value
	case fold(name, "sec-websocket-protocol"):
		p.protocol(value)
	case fold(name, "x-forwarded-for"):
		if p.forwards++; p.forwards == 1 {
			first, _, _ := bytes.Cut(value, comma)
			p.request.ForwardedFor = bytes.Trim(first, " \t")
		}
	case fold(name, "content-length"):
		p.body = p.body || string(value) != "0"
	case fold(name, "transfer-encoding"):
		p.body = true
	}
}

// protocol takes the first known protocol of the client's list, which may be
// spread over several fields [RFC 6455, 11.3.4].
func (p *parser) protocol(value []byte) {
	for more := true; more && p.request.Protocol == ""; {
		var item []byte
		item, value, more = bytes.Cut(value, comma)
		switch string(bytes.Trim(item, " \t")) {
		case "mqtt":
			p.request.Protocol = "mqtt"
		case "mqttv3.1":
			p.request.Protocol = "mqttv3.1"
		}
	}
}

// judge grants or refuses a request that was read [RFC 6455, 4.2.1].
func (p *parser) judge() *Refusal {
	switch {
	case p.hosts != 1: // [RFC 9112, 3.2]
		return refuseHost
	case p.body: // its bytes would be taken for frames
		return refuseBody
	case string(p.path) != Path && string(p.path) != Path+"/":
		return refusePath
	case !p.get:
		return refuseMethod
	case p.old || !p.upgrade || !p.connection: // HTTP/1.0 knows no upgrade [RFC 9110, 7.8]
		return refuseNoUpgrade
	case p.versions != 1 || !p.version13: // [RFC 6455, 4.4]
		return refuseNot13
	case p.keys != 1 || !validKey(p.key):
		return refuseKey
	case p.request.Protocol == "": // [MQTT-6.0.0-3]
		return refuseProtocol
	case p.cns > 1: // whose is it?
		return refuseCN
	}
	return nil
}

// lists tells whether a list with commas has a token, in any case.
func lists(value []byte, token string) bool {
	for more := true; more; {
		var item []byte
		item, value, more = bytes.Cut(value, comma)
		if fold(bytes.Trim(item, " \t"), token) {
			return true
		}
	}
	return false
}

func foldAny(b []byte, names ...string) bool {
	for _, s := range names {
		if fold(b, s) {
			return true
		}
	}
	return false
}

// fold compares without regard to the case of ASCII letters.
func fold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower(c) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isToken tells whether a token may hold the byte [RFC 9110, 5.6.2].
func isToken(c byte) bool {
	if isDigit(c) || lower(c) >= 'a' && lower(c) <= 'z' {
		return true
	}
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return false
}
