package mqttmodel

import (
	"fmt"

	"vernemq/codec"
)

// words puts a CONNECT into the words of the transcripts of server/session.
func words(p *codec.Connect) string {
	s := fmt.Sprintf("v%d", p.Version)
	if p.Version == codec.V5 {
		s += fmt.Sprintf(" expiry=%d rmax=%d", p.SessionExpiry, p.ReceiveMax)
	}
	s += option(!p.CleanStart, "persistent")
	if p.HasWill {
		s += fmt.Sprintf(" will=%s:%s wqos=%d%s", p.Will.Topic, p.Will.Payload, p.Will.QoS, option(p.Will.Retain, "wretain"))
		s += option(p.Will.Delay > 0, fmt.Sprintf("wdelay=%d", p.Will.Delay))
	}
	return s
}

func option(on bool, word string) string {
	if !on {
		return ""
	}
	return " " + word
}

func comma(on bool, word string) string {
	if !on {
		return ""
	}
	return "," + word
}

func dash(payload string) string {
	if payload == "" {
		return "-"
	}
	return payload
}
