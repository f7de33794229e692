package bench

import (
	"fmt"
	"strconv"
	"strings"

	"vernemq/codec"
)

// fill puts what a client is called into a user name or a password: %c is its
// client identifier, %i its number in its group, from 0, %% a percent sign.
func (p *plan) fill(s string, c *client) []byte {
	if !strings.Contains(s, "%") {
		return []byte(s)
	}
	return []byte(strings.NewReplacer("%%", "%", "%c", p.clientID(c.group, c.number), "%i", strconv.Itoa(c.number)).Replace(s))
}

// wrongSuffix makes a password wrong.
const wrongSuffix = "-wrong"

// wrong tells that a client gives a wrong password, which the broker must see.
func (p *plan) wrong(c *client) bool {
	return p.Wrong > 0 && c.group == idle && c.number >= p.Clients-p.Wrong
}

// password is that of a client.
func (p *plan) password(c *client) []byte {
	if p.wrong(c) {
		return append(p.fill(p.Secret, c), wrongSuffix...)
	}
	return p.fill(p.Secret, c)
}

// unanswered is the reason of a refusal without a CONNACK.
const unanswered = "closed without CONNACK"

// refusal names the code of a CONNACK.
func refusal(v codec.Version, code codec.ReasonCode) string {
	name := code.String()
	if v != codec.V5 {
		name = [...]string{"accepted", "unacceptable protocol version", "identifier rejected", "server unavailable",
			"bad user name or password", "not authorized"}[code] // DecodeConnack refuses others
	}
	return fmt.Sprintf("0x%02x %s", byte(code), name)
}

// refused counts a refusal. One that was due is what should be.
func (w *worker) refused(c *client, reason string) error {
	if w.refusals == nil {
		w.refusals = map[string]int64{}
	}
	w.refusals[reason]++
	if w.plan.wrong(c) {
		w.close(c)
		w.count.Turned++
		w.settled = now()
		return nil
	}
	return fmt.Errorf("the broker refused the client: %s", reason)
}
