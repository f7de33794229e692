package trace

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"vernemq/codec"
)

// pass shows packets the way a trace does, without times.
func pass(t *testing.T, v codec.Version, packets ...[]byte) string {
	t.Helper()
	tr := New(Options{ID: "c", RateMax: 1000, RateInterval: time.Second, Truncate: 8})
	for i, p := range packets {
		f, n, _, err := codec.Cut(p, 0)
		if err != nil || n != len(p) {
			t.Fatalf("packet %d: %v", i, err)
		}
		tr.Packet("<0.1.0>", true, v, f)
	}
	tr.End("")
	var out []string
	if err := tr.Run(context.Background(), func(s string) error {
		out = append(out, strings.TrimPrefix(s, `<0.1.0> MQTT RECV: CID: "c" `))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

func TestPackets3(t *testing.T) {
	v := codec.V311
	got := pass(t, v,
		codec.AppendConnect(nil, &codec.Connect{Version: v, Level: 4, CleanStart: true, KeepAlive: 5, ClientID: []byte("tr"), HasUsername: true, Username: []byte("bob"),
			HasPassword: true, Password: []byte("secret"), HasWill: true, Will: codec.Will{QoS: 1, Topic: []byte("w"), Payload: []byte("bye")}}),
		codec.AppendConnack(nil, v, true, codec.Success, nil),
		codec.AppendSubscribe(nil, v, 1, 0, []codec.Filter{{Filter: []byte("tr/#"), QoS: 2}, {Filter: []byte("a")}}),
		codec.AppendSuback(nil, v, 1, []byte{2, 0x80}, ""),
		codec.AppendPublish(nil, v, &codec.Publish{Topic: []byte("tr/a"), QoS: 1, PacketID: 5, Payload: []byte("12345678\x1b[2J")}),
		codec.AppendAck(nil, v, codec.PUBACK, 5, 0, ""), codec.AppendAck(nil, v, codec.PUBREL, 6, 0, ""),
		codec.AppendUnsubscribe(nil, v, 2, [][]byte{[]byte("a")}), codec.AppendUnsuback(nil, v, 2, nil, ""),
		codec.AppendPingreq(nil), codec.AppendPingresp(nil), []byte{0xE0, 0})
	want := `CONNECT(c: tr, v: 4, u: bob, p: pw_no_print, cs: 1, ka: 5)
    with LWT(wr: 0, wq: 1, wt: w) with payload:
    bye
CONNACK(sp: 1, rc: 0)
SUBSCRIBE(m1) with topics:
    q:2, t: "tr/#"
    q:0, t: "a"
SUBACK(m1, qt[2,128])
PUBLISH(d0, q1, r0, m5, "tr/a") with payload:
    12345678 (truncated)
PUBACK(m5)
PUBREL(m6)
UNSUBSCRIBE(m2)
UNSUBACK(m2)
PINGREQ()
PINGRESP()
DISCONNECT()`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPackets5(t *testing.T) {
	v := codec.V5
	got := pass(t, v,
		codec.AppendConnect(nil, &codec.Connect{Version: v, ClientID: []byte("tr"), SessionExpiry: 60, ReceiveMax: 20, RequestProblemInfo: true,
			HasAuthMethod: true, AuthMethod: []byte("x"), AuthData: []byte("secret")}),
		codec.AppendConnack(nil, v, false, codec.Success, &codec.ConnackProps{ReceiveMax: 7}),
		codec.AppendSubscribe(nil, v, 1, 9, []codec.Filter{{Filter: []byte("tr/#"), QoS: 2, NoLocal: true, RetainHandling: 1}}),
		codec.AppendSuback(nil, v, 1, []byte{2}, ""),
		codec.AppendAck(nil, v, codec.PUBREC, 2, codec.NotAuthorized, "no"), codec.AppendAck(nil, v, codec.PUBCOMP, 2, 0, ""),
		codec.AppendUnsubscribe(nil, v, 2, [][]byte{[]byte("a")}), codec.AppendUnsuback(nil, v, 2, []byte{0, 0x11}, ""),
		codec.AppendDisconnect(nil, v, codec.Success, "", ""), codec.AppendDisconnect(nil, v, codec.DisconnectWithWill, "", ""),
		[]byte{0x30, 22, 0, 1, 't', 14, 0x26, 0, 1, 'k', 0, 1, 'v', 0x26, 0, 1, 'k', 0, 1, 'w', 'a', '\n', 0xff, 'b'})
	want := `CONNECT(c: tr, v: 5, u: undefined, p: pw_no_print, cs: false, ka: 0)
    with properties: #{p_authentication_data => pw_no_print,p_authentication_method => <<"x">>,p_receive_max => 20,p_session_expiry_interval => 60}
CONNACK(sp: 0, rc: success(0))
    with properties: #{p_receive_max => 7}
SUBSCRIBE(m1) with topics:
    q:2, no_local:true, rap:false, rh:send_if_new_sub
    t: "tr/#"
    with properties: #{p_subscription_id => 9}
SUBACK(m1, reason_codes:[2])
PUBREC(m2, rc: not_authorized(135))
    with properties: #{p_reason_string => <<"no">>}
PUBCOMP(m2, rc: success(0))
UNSUBSCRIBE(m2) with topics:
    t: "a"
UNSUBACK(m2, reason_codes:[0,17])
DISCONNECT(rc:normal_disconnect(0))
DISCONNECT(rc:disconnect_with_will_msg(4))
PUBLISH(d0, q0, r0, m0, "t") with payload:
    a\x0a\xffb
    with properties: #{p_user_property => [{<<"k">>,<<"v">>},{<<"k">>,<<"w">>}]}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestRate ends a trace of too many packets, and nobody waits for its reader.
func TestRate(t *testing.T) {
	tr := New(Options{ID: "c", Mountpoint: "m", RateMax: 3, RateInterval: time.Hour, Times: true})
	f, _, _, _ := codec.Cut(codec.AppendPingreq(nil), 0)
	for range 10 {
		tr.Packet("p", false, codec.V311, f)
	}
	var out []string
	if err := tr.Run(context.Background(), func(s string) error { out = append(out, s); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(out) != 4 || !strings.HasSuffix(out[3], "Z Trace rate limit triggered.") || !strings.HasSuffix(out[0], `Z p MQTT SEND: MP: "m" CID: "c" PINGREQ()`) {
		t.Errorf("%q", out)
	}
}

// TestLost floods a trace that nobody reads: it says how much was lost.
func TestLost(t *testing.T) {
	tr := New(Options{})
	for i := range backlog + 7 {
		tr.Say("%d", i)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	err := tr.Run(ctx, func(s string) error {
		switch n++; {
		case n == 1:
			<-time.After(0)
		case n == 10:
			tr.Say("after")
		case strings.Contains(s, "lost"):
			if !strings.HasPrefix(s, "7 lines") {
				t.Error(s)
			}
		case s == "after":
			cancel()
		}
		return nil
	})
	if err != nil || n != backlog+2 {
		t.Errorf("%d lines, %v", n, err)
	}
}

func FuzzPacket(f *testing.F) {
	f.Add(byte(5), codec.AppendConnect(nil, &codec.Connect{Version: codec.V5, SessionExpiry: 60}))
	f.Add(byte(4), codec.AppendPublish(nil, codec.V311, &codec.Publish{Topic: []byte("t"), Payload: []byte("x")}))
	f.Fuzz(func(t *testing.T, v byte, b []byte) {
		frame, n, _, err := codec.Cut(b, 0)
		if err != nil || n == 0 {
			return
		}
		version := codec.Version(3 + v%3)
		var s strings.Builder
		(&writer{&s, version, 10}).packet(frame)
		for i, line := range strings.Split(strings.TrimSuffix(s.String(), "\n"), "\n") {
			if i > 0 && !strings.HasPrefix(line, "    ") {
				t.Errorf("line %d of %q", i, s.String())
			}
		}
		if strings.ContainsAny(s.String(), "\x1b\r") {
			t.Errorf("%q", s.String())
		}
		_ = fmt.Sprint(version)
	})
}
