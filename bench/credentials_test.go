package bench

import (
	"strings"
	"testing"

	"vernemq/codec"
)

func TestFill(t *testing.T) {
	p := &plan{Run: "r"}
	c := &client{group: publishers, number: 7}
	for in, want := range map[string]string{"": "", "joe": "joe", "%i": "7", "u-%i-%c": "u-7-vb-r-pub-7", "100%%i": "100%i", "%x": "%x"} {
		if got := string(p.fill(in, c)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestAuth: who is refused is counted by reason; a wrong password that is
// taken fails the run.
func TestAuth(t *testing.T) {
	know := func(p *codec.Connect) codec.ReasonCode {
		if name := string(p.Username); "secret-"+name == string(p.Password) && name != "user-3" {
			return codec.Success
		}
		return codec.NotAuthorized
	}
	for name, c := range map[string]struct {
		judge     func(*codec.Connect) codec.ReasonCode
		wrong     int
		connected int64
		refused   int64
		want      string
	}{
		"some unknown":  {know, 0, 9, 1, "1 of 10 clients could not connect (first: vb-"},
		"some wrong":    {know, 5, 4, 6, "the broker refused the client: 0x05 not authorized"},
		"all are taken": {nil, 5, 10, 0, "the broker let 5 clients in that gave a wrong password"},
	} {
		l := testLoad(t, "auth", startFake(t, &fakeBroker{judge: c.judge}), func(l *Load) {
			l.Publishers, l.Subscribers, l.Clients, l.Rate, l.Username, l.Password, l.Wrong = 0, 0, 10, 0, "user-%i", "secret-user-%i", c.wrong
		})
		if err := l.Check(1); err != nil {
			t.Fatal(err)
		}
		run := Execute(t.Context(), l, Options{})
		got := run.Connect
		if f := strings.Join(run.Failures, ";"); got.Connected != c.connected || got.Refused["0x05 not authorized"] != c.refused || !strings.Contains(f, c.want) {
			t.Errorf("%s: %q, %+v", name, f, got)
		}
		if got.Connected+got.Failed+got.Turned != 10 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestAuthAgents: an agent knows the password, of which no report speaks.
func TestAuthAgents(t *testing.T) {
	b := &fakeBroker{judge: func(p *codec.Connect) codec.ReasonCode {
		if string(p.Password) == "secret" {
			return codec.Success
		}
		return codec.NotAuthorized
	}}
	l := testLoad(t, "auth", startFake(t, b), func(l *Load) {
		l.Publishers, l.Subscribers, l.Clients, l.Rate, l.Username, l.Password, l.Wrong = 0, 0, 10, 0, "joe", "secret", 3
	})
	run := Execute(t.Context(), l, Options{Agents: []string{startAgent(t), startAgent(t)}})
	if len(run.Failures) > 0 || run.Connect.Connected != 7 || run.Connect.Turned != 3 {
		t.Errorf("%v, %+v", run.Failures, run.Connect)
	}
}
