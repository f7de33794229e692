package server

// badTexts are no UTF-8 strings, or hold U+0000.
var badTexts = []struct{ name, text string }{
	{"NUL", "\x00"},
	{"NUL inside", "ab\x00cdefghijkl"},
	{"overlong slash", "a\xc0\xafb"},
	{"overlong NUL", "\xc0\x80"},
	{"overlong in three bytes", "\xe0\x80\xaf"},
	{"overlong in four bytes", "\xf0\x80\x80\xaf"},
	{"surrogate", "\xed\xa0\x80"},
	{"last surrogate", "a\xed\xbf\xbf"},
	{"pair of surrogates", "\xed\xa0\xbd\xed\xb8\x80"},
	{"above U+10FFFF", "\xf4\x90\x80\x80"},
	{"five bytes", "\xf8\x88\x80\x80\x80"},
	{"continuation alone", "\x80"},
	{"continuation missing", "ab\xc3"},
	{"two of three bytes", "abcdefg\xe2\x82"},
	{"0xff", "\xff"},
}

// goodTexts are strings that look odd and are valid.
var goodTexts = []struct{ name, text string }{
	{"byte order mark", "\ufeff"},
	{"last character", "\U0010ffff"},
	{"replacement character", "\ufffd"},
	{"control character", "\x01\x7f"},
	{"next to the surrogates", "\ud7ff\ue000"},
	{"combining characters", "a\u030a"},
}

// textField is a place for a string in a packet.
type textField struct {
	name, v   string
	bad, good string // what the broker does
	make      func(text string) render
}

func textCases(fields []textField) (cases []hostile) {
	for _, f := range fields {
		for _, x := range badTexts {
			cases = append(cases, hostile{name: x.name + " in " + f.name, v: f.v, send: f.make(x.text), want: f.bad})
		}
		for _, x := range goodTexts {
			if f.good != "" {
				cases = append(cases, hostile{name: x.name + " in " + f.name, v: f.v, send: f.make(x.text), want: f.good})
			}
		}
	}
	return cases
}

// connectTextCases are the strings of CONNECT.
func connectTextCases() []hostile {
	const bad, good = "refuse 81", "CONNACK 00, open"
	property := func(before, after []any) func(string) render {
		return func(s string) render {
			return packet(0x10, protocol{}, 2, u16(60), props(around(before, s, after)...), "id")
		}
	}
	will := func(before, after []any) func(string) render {
		return func(s string) render {
			return sequence(packet(0x10, protocol{}, 6, u16(60), none, "id", props(around(before, s, after)...), "w", "m"))
		}
	}
	return textCases([]textField{
		{"client id", "345", bad, good, func(s string) render { return packet(0x10, protocol{}, 2, u16(60), none, s) }},
		{"user name", "345", bad, good, func(s string) render { return packet(0x10, protocol{}, 0x82, u16(60), none, "id", s) }},
		{"will topic", "345", bad, "", func(s string) render { return packet(0x10, protocol{}, 6, u16(60), none, "id", none, s, "m") }},
		{"authentication method", "5", bad, "CONNACK 8c, closed", property([]any{0x15}, nil)},
		{"user property name", "5", bad, good, property([]any{0x26}, []any{"value"})},
		{"user property value", "5", bad, good, property([]any{0x26, "name"}, nil)},
		{"will content type", "5", bad, "", will([]any{0x03}, nil)},
		{"will response topic", "5", bad, "", will([]any{0x08}, nil)},
		{"will user property name", "5", bad, "", will([]any{0x26}, []any{"value"})},
		{"will user property value", "5", bad, "", will([]any{0x26, "name"}, nil)},
	})
}

// around puts a string between other parts.
func around(before []any, s string, after []any) []any {
	return append(append(append([]any(nil), before...), s), after...)
}

// packetTextCases are the strings of the other packets.
func packetTextCases() []hostile {
	const bad = "bye 81"
	message := func(before, after []any) func(string) render {
		return func(s string) render {
			return packet(0x32, "a", u16(1), props(around(before, s, after)...), []byte("payload"))
		}
	}
	filter := func(first byte, options ...any) func(string) render {
		return func(s string) render {
			return packet(first, append([]any{u16(1), none, "good"}, append(options, around(nil, s, options)...)...)...)
		}
	}
	reason := func(first byte, before ...any) []textField {
		name := codecName(first)
		in := func(head ...any) func(string, ...any) render {
			return func(s string, after ...any) render {
				return packet(first, append(append([]any(nil), before...), props(around(head, s, after)...))...)
			}
		}
		return []textField{
			{name + " reason string", "5", bad, "", func(s string) render { return in(0x1f)(s) }},
			{name + " user property name", "5", bad, "", func(s string) render { return in(0x26)(s, "value") }},
			{name + " user property value", "5", bad, "", func(s string) render { return in(0x26, "name")(s) }},
		}
	}
	fields := []textField{
		{"topic", "345", bad, "", func(s string) render { return packet(0x32, s, u16(1), none) }},
		{"topic of QoS 0", "345", bad, "", func(s string) render { return packet(0x30, s, none) }},
		{"content type", "5", bad, "", message([]any{0x03}, nil)},
		{"response topic", "5", bad, "", message([]any{0x08}, nil)},
		{"message user property name", "5", bad, "", message([]any{0x26}, []any{"value"})},
		{"message user property value", "5", bad, "", message([]any{0x26, "name"}, nil)},
		{"second filter", "345", bad, "", filter(0x82, 0)},
		{"second filter of UNSUBSCRIBE", "345", bad, "", filter(0xa2)},
		{"shared filter", "345", bad, "", func(s string) render { return packet(0x82, u16(1), none, "$share/g/"+s, 0) }},
		{"share name", "345", bad, "", func(s string) render { return packet(0x82, u16(1), none, "$share/"+s+"/f", 0) }},
		{"SUBSCRIBE user property name", "5", bad, "", func(s string) render { return packet(0x82, u16(1), props(0x26, s, "value"), "a", 0) }},
		{"SUBSCRIBE user property value", "5", bad, "", func(s string) render { return packet(0x82, u16(1), props(0x26, "name", s), "a", 0) }},
		{"UNSUBSCRIBE user property", "5", bad, "", func(s string) render { return packet(0xa2, u16(1), props(0x26, "name", s), "a") }},
	}
	for _, first := range []byte{0x40, 0x50, 0x62, 0x70} {
		fields = append(fields, reason(first, u16(1), 0)...)
	}
	return textCases(append(fields, reason(0xe0, 0)...))
}
