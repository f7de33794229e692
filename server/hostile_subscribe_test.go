package server

import (
	"fmt"
	"strings"
)

// subscribeCases are about SUBSCRIBE and UNSUBSCRIBE.
func subscribeCases() []hostile {
	cases := filterCases()
	cases = append(cases, optionCases()...)
	cases = append(cases, subscribeShapeCases()...)
	return append(cases, unsubscribeShapeCases()...)
}

// filterCases are filters that are not allowed, in both packets.
func filterCases() (cases []hostile) {
	for _, f := range []struct{ filter, want string }{
		{"", "bye 81"},
		{"a#", "bye 8f"},
		{"#a", "bye 8f"},
		{"##", "bye 8f"},
		{"a/#/b", "bye 8f"},
		{"#/a", "bye 8f"},
		{"a/#/", "bye 8f"},
		{"/a#", "bye 8f"},
		{"+#", "bye 8f"},
		{"#+", "bye 8f"},
		{"a/b+", "bye 8f"},
		{"+a", "bye 8f"},
		{"a+", "bye 8f"},
		{"a+/b", "bye 8f"},
		{"a/+b", "bye 8f"},
		{"a/+b/c", "bye 8f"},
		{"++", "bye 8f"},
		{"+/++", "bye 8f"},
		{"$share", "bye 8f"},
		{"$share/", "bye 8f"},
		{"$share/g", "bye 8f"},
		{"$share/g/", "bye 8f"},
		{"$share//f", "bye 8f"},
		{"$share//", "bye 8f"},
		{"$share/#", "bye 8f"},
		{"$share/+", "bye 8f"},
		{"$share/+/f", "bye 8f"},
		{"$share/#/f", "bye 8f"},
		{"$share/g+/f", "bye 8f"},
		{"$share/g#/f", "bye 8f"},
		{"$share/+g/f", "bye 8f"},
		{"$share/g/a#", "bye 8f"},
		{"$share/g/#/a", "bye 8f"},
		{"$share/g/a+/b", "bye 8f"},
	} {
		cases = append(cases,
			hostile{name: "filter " + f.filter, v: "345", send: subscribe(1, f.filter, 0), want: f.want},
			hostile{name: "filter " + f.filter + " behind a good one", v: "345", want: f.want,
				send: packet(0x82, u16(1), none, "good", 1, f.filter, 0)},
			hostile{name: "unsubscribe from " + f.filter, v: "345", send: packet(0xa2, u16(1), none, f.filter), want: f.want})
	}
	for _, f := range []string{"#", "+", "+/+", "/", "//", "a/#", "/#", "+/#", "$SYS/#", "$shared/g", "$Share/g", "$share/g//", "$share/g/#", "$share/g/+/a",
		"$share/$share/g/f", "1/2/3/4/5/6/7/8/9/10", "$share/g/1/2/3/4/5/6/7/8"} {
		cases = append(cases, hostile{name: "filter " + f + ", which is allowed", v: "345", send: subscribe(1, f, 1), want: "SUBACK 1 01, open"})
	}
	for _, f := range []string{"1/2/3/4/5/6/7/8/9/10/11", "+/+/+/+/+/+/+/+/+/+/#", "$share/g/1/2/3/4/5/6/7/8/9", strings.Repeat("/", 10), strings.Repeat("/", 65535)} {
		cases = append(cases,
			hostile{name: "too deep " + f[:min(len(f), 30)] + fmt.Sprint(len(f)), v: "345", send: subscribe(1, f, 0), want: "bye 8f"},
			hostile{name: "too deep behind a good one " + f[:min(len(f), 30)] + fmt.Sprint(len(f)), v: "345", want: "bye 8f",
				send: packet(0x82, u16(1), none, "good", 1, f, 0)})
	}
	return cases
}

// optionCases are the option bytes of a filter, all 256.
func optionCases() (cases []hostile) {
	for o := range 256 {
		want3, want5 := "closed", ""
		switch {
		case o&0xc0 != 0:
			want5 = "bye 81"
		case o&3 == 3, o&0x30 == 0x30:
			want5 = "bye 82"
		default:
			want5 = fmt.Sprintf("SUBACK 1 %02x, open", o&3)
		}
		if o < 3 {
			want3 = want5
		}
		name := fmt.Sprintf("option byte %02x", o)
		send := packet(0x82, u16(1), none, "a", o)
		cases = append(cases, hostile{name: name, v: "34", send: send, want: want3}, hostile{name: name, v: "5", send: send, want: want5})
	}
	for o := 4; o < 8; o++ { // [MQTT-3.8.3-4]
		cases = append(cases, hostile{name: fmt.Sprintf("no local on a shared subscription, option byte %02x", o), v: "5", want: "bye 82",
			send: packet(0x82, u16(1), none, "good", 0, "$share/g/a", o)})
	}
	return cases
}

func subscribeShapeCases() []hostile {
	return []hostile{
		{name: "SUBSCRIBE without a body", v: "345", send: raw("82 00"), want: "bye 81"},
		{name: "SUBSCRIBE with half an id", v: "345", send: raw("82 01 01"), want: "bye 81"},
		{name: "SUBSCRIBE with id 0", v: "345", send: subscribe(0, "a", 0), want: "bye 81"},
		{name: "SUBSCRIBE without a filter", v: "34", send: packet(0x82, u16(1)), want: "closed"},
		{name: "SUBSCRIBE without a filter", v: "5", send: packet(0x82, u16(1), none), want: "bye 82"},
		{name: "SUBSCRIBE with an identifier and no filter", v: "5", send: packet(0x82, u16(1), props(0x0b, 1)), want: "bye 82"},
		{name: "SUBSCRIBE without properties", v: "5", send: packet(0x82, u16(1)), want: "bye 81"},
		{name: "SUBSCRIBE of MQTT 3.1.1 in MQTT 5", v: "5", send: packet(0x82, u16(1), "a", 0), want: "bye 81"},
		{name: "SUBSCRIBE of MQTT 5 in MQTT 3", v: "34", send: packet(0x82, u16(1), 0, "a", 0), want: "closed"},
		{name: "filter without options", v: "345", send: packet(0x82, u16(1), none, "a"), want: "bye 81"},
		{name: "second filter without options", v: "345", send: packet(0x82, u16(1), none, "a", 0, "b"), want: "bye 81"},
		{name: "half a filter length", v: "345", send: packet(0x82, u16(1), none, 0), want: "bye 81"},
		{name: "half a second filter length", v: "345", send: packet(0x82, u16(1), none, "a", 0, 0), want: "bye 81"},
		{name: "filter beyond the packet", v: "345", send: packet(0x82, u16(1), none, u16(9), []byte("a"), 0), want: "bye 81"},
		{name: "filter far beyond the packet", v: "345", send: packet(0x82, u16(1), none, u16(0xffff), []byte("a"), 0), want: "bye 81"},
		{name: "second filter beyond the packet", v: "345", send: packet(0x82, u16(1), none, "a", 0, u16(9), []byte("b"), 0), want: "bye 81"},
		{name: "bytes behind the last filter", v: "345", send: packet(0x82, u16(1), none, "a", 0, 0xff), want: "bye 81"},
		{name: "identifier 0", v: "5", send: packet(0x82, u16(1), props(0x0b, 0), "a", 0), want: "bye 82"},
		{name: "identifier twice", v: "5", send: packet(0x82, u16(1), props(0x0b, 1, 0x0b, 2), "a", 0), want: "bye 82"},
		{name: "identifier that is not minimal", v: "5", send: packet(0x82, u16(1), props(0x0b, 0x81, 0x00), "a", 0), want: "bye 81"},
		{name: "identifier of five bytes", v: "5", send: packet(0x82, u16(1), props(0x0b, 0xff, 0xff, 0xff, 0xff, 1), "a", 0), want: "bye 81"},
		{name: "identifier as large as can be", v: "5", send: packet(0x82, u16(1), props(0x0b, 0xff, 0xff, 0xff, 0x7f), "a", 0), want: "SUBACK 1 00, open"},
		{name: "filter as long as can be", v: "345", send: subscribe(1, strings.Repeat("a", 65535), 0), want: "SUBACK 1 00, open"},
		{name: "the same filter twice", v: "345", send: packet(0x82, u16(1), none, "a", 0, "a", 1), want: "SUBACK 1 00 01, open"},
		{name: "the same id for two requests", v: "345", send: sequence(subscribe(1, "a", 0), subscribe(1, "b", 1)), want: "SUBACK 1 00, SUBACK 1 01, open"},
	}
}

func unsubscribeShapeCases() []hostile {
	return []hostile{
		{name: "UNSUBSCRIBE without a body", v: "345", send: raw("a2 00"), want: "bye 81"},
		{name: "UNSUBSCRIBE with half an id", v: "345", send: raw("a2 01 01"), want: "bye 81"},
		{name: "UNSUBSCRIBE with id 0", v: "345", send: packet(0xa2, u16(0), none, "a"), want: "bye 81"},
		{name: "UNSUBSCRIBE without a filter", v: "34", send: packet(0xa2, u16(1)), want: "closed"},
		{name: "UNSUBSCRIBE without a filter", v: "5", send: packet(0xa2, u16(1), none), want: "bye 82"},
		{name: "UNSUBSCRIBE without properties", v: "5", send: packet(0xa2, u16(1)), want: "bye 81"},
		{name: "UNSUBSCRIBE of MQTT 3.1.1 in MQTT 5", v: "5", send: packet(0xa2, u16(1), "a"), want: "bye 81"},
		{name: "UNSUBSCRIBE of MQTT 5 in MQTT 3", v: "34", send: packet(0xa2, u16(1), 0, "a"), want: "closed"},
		{name: "UNSUBSCRIBE with options", v: "345", send: packet(0xa2, u16(1), none, "a", 0), want: "bye 81"},
		{name: "UNSUBSCRIBE with a filter beyond the packet", v: "345", send: packet(0xa2, u16(1), none, u16(9), []byte("a")), want: "bye 81"},
		{name: "UNSUBSCRIBE with a second filter beyond the packet", v: "345", send: packet(0xa2, u16(1), none, "a", u16(9), []byte("a")), want: "bye 81"},
		{name: "UNSUBSCRIBE from what is not subscribed", v: "34", send: packet(0xa2, u16(1), none, "a"), want: "UNSUBACK 1, open"},
		{name: "UNSUBSCRIBE from what is not subscribed", v: "5", send: packet(0xa2, u16(1), none, "a", "$share/g/a"), want: "UNSUBACK 1 11 11, open"},
		{name: "UNSUBSCRIBE from what others have subscribed", v: "5", send: packet(0xa2, u16(1), none, "#"), want: "UNSUBACK 1 11, open"},
		{name: "UNSUBSCRIBE twice in one packet", v: "5", send: sequence(subscribe(1, "a", 0), packet(0xa2, u16(2), none, "a", "a")),
			want: "SUBACK 1 00, UNSUBACK 2 00 11, open"},
		{name: "UNSUBSCRIBE from the plain filter of a shared one", v: "5", want: "SUBACK 1 00, UNSUBACK 2 11, open",
			send: sequence(subscribe(1, "$share/g/a", 0), packet(0xa2, u16(2), none, "a"))},
		{name: "UNSUBSCRIBE from another group", v: "5", want: "SUBACK 1 00, UNSUBACK 2 11, open",
			send: sequence(subscribe(1, "$share/g/a", 0), packet(0xa2, u16(2), none, "$share/h/a"))},
	}
}
