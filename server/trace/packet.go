package trace

import (
	"fmt"
	"strings"

	"vernemq/codec"
)

// writer shows packets of one version of MQTT.
type writer struct {
	*strings.Builder
	version  codec.Version
	truncate int
}

func (w *writer) printf(format string, args ...any) { fmt.Fprintf(w, format, args...) }

// packet shows a packet, its further lines indented, each with its line end.
func (w *writer) packet(f codec.Frame) {
	var err error
	switch t := f.Type(); t {
	case codec.CONNECT:
		err = w.connect(f)
	case codec.CONNACK:
		err = w.connack(f)
	case codec.PUBLISH:
		err = w.publish(f)
	case codec.PUBACK, codec.PUBREC, codec.PUBREL, codec.PUBCOMP:
		err = w.ack(f)
	case codec.SUBSCRIBE:
		err = w.subscribe(f)
	case codec.SUBACK, codec.UNSUBACK:
		err = w.suback(f)
	case codec.UNSUBSCRIBE:
		err = w.unsubscribe(f)
	case codec.DISCONNECT:
		err = w.disconnect(f)
	case codec.AUTH:
		err = w.auth(f)
	default:
		w.printf("%s()\n", t)
	}
	if err != nil {
		w.printf("%s (%d bytes): %v\n", f.Type(), len(f.Body), err)
	}
}

func (w *writer) v5() bool { return w.version == codec.V5 }

// bit shows a flag as the versions of MQTT do.
func (w *writer) bit(on bool) string {
	switch {
	case w.v5():
		return fmt.Sprint(on)
	case on:
		return "1"
	}
	return "0"
}

func (w *writer) connect(f codec.Frame) error {
	var c codec.Connect
	if err := codec.DecodeConnect(f, &c); err != nil {
		return err
	}
	w.version = c.Version
	user := "undefined"
	if c.HasUsername {
		user = text(c.Username)
	}
	w.printf("CONNECT(c: %s, v: %d, u: %s, p: pw_no_print, cs: %s, ka: %d)\n", text(c.ClientID), c.Level, user, w.bit(c.CleanStart), c.KeepAlive)
	w.properties(c.Props)
	if c.HasWill {
		w.printf("    with LWT(wr: %s, wq: %d, wt: %s) with payload:\n", w.bit(c.Will.Retain), c.Will.QoS, text(c.Will.Topic))
		payload(w.Builder, c.Will.Payload, w.truncate)
		w.properties(c.Will.Props.Raw)
	}
	return nil
}

func (w *writer) connack(f codec.Frame) error {
	var c codec.Connack
	if err := codec.DecodeConnack(w.version, f, &c); err != nil {
		return err
	}
	present := 0
	if c.SessionPresent {
		present = 1
	}
	if w.v5() {
		w.printf("CONNACK(sp: %d, rc: %s)\n", present, reason(c.Reason))
	} else {
		w.printf("CONNACK(sp: %d, rc: %d)\n", present, c.Reason)
	}
	w.properties(c.Props)
	return nil
}

func (w *writer) publish(f codec.Frame) error {
	var p codec.Publish
	if err := codec.DecodePublish(w.version, f, &p); err != nil {
		return err
	}
	digit := func(on bool) int {
		if on {
			return 1
		}
		return 0
	}
	w.printf("PUBLISH(d%d, q%d, r%d, m%d, \"%s\") with payload:\n", digit(p.Dup), p.QoS, digit(p.Retain), p.PacketID, text(p.Topic))
	payload(w.Builder, p.Payload, w.truncate)
	if w.v5() {
		w.properties(p.Props.Raw)
	}
	return nil
}

func (w *writer) ack(f codec.Frame) error {
	var a codec.Ack
	if err := codec.DecodeAck(w.version, f, &a); err != nil {
		return err
	}
	if w.v5() {
		w.printf("%s(m%d, rc: %s)\n", f.Type(), a.PacketID, reason(a.Reason))
	} else {
		w.printf("%s(m%d)\n", f.Type(), a.PacketID)
	}
	w.properties(a.Props)
	return nil
}

var retainHandling = [...]string{"send_retain", "send_if_new_sub", "dont_send", "invalid"}

func (w *writer) subscribe(f codec.Frame) error {
	var s codec.Subscribe
	if err := codec.DecodeSubscribe(w.version, f, &s); err != nil {
		return err
	}
	w.printf("SUBSCRIBE(m%d) with topics:\n", s.PacketID)
	for fs := s.Filters; ; {
		x, ok := fs.Next()
		if !ok {
			break
		}
		w.printf("%s", filter(&x, w.v5()))
	}
	w.properties(s.Props)
	return nil
}

// filter is a topic of a SUBSCRIBE, with the options that MQTT 5 has.
func filter(x *codec.Filter, v5 bool) string {
	if !v5 {
		return fmt.Sprintf("    q:%d, t: \"%s\"\n", x.QoS, text(x.Filter))
	}
	return fmt.Sprintf("    q:%d, no_local:%v, rap:%v, rh:%s\n    t: \"%s\"\n", x.QoS, x.NoLocal, x.RetainAsPublished, retainHandling[x.RetainHandling&3], text(x.Filter))
}

func (w *writer) suback(f codec.Frame) error {
	var s codec.Suback
	decode := codec.DecodeSuback
	if f.Type() == codec.UNSUBACK {
		decode = codec.DecodeUnsuback
	}
	if err := decode(w.version, f, &s); err != nil {
		return err
	}
	codes := strings.ReplaceAll(strings.Trim(fmt.Sprint(s.Codes), "[]"), " ", ",")
	switch {
	case w.v5():
		w.printf("%s(m%d, reason_codes:[%s])\n", f.Type(), s.PacketID, codes)
	case f.Type() == codec.UNSUBACK:
		w.printf("UNSUBACK(m%d)\n", s.PacketID)
	default:
		w.printf("SUBACK(m%d, qt[%s])\n", s.PacketID, codes)
	}
	w.properties(s.Props)
	return nil
}

func (w *writer) unsubscribe(f codec.Frame) error {
	var u codec.Unsubscribe
	if err := codec.DecodeUnsubscribe(w.version, f, &u); err != nil {
		return err
	}
	if !w.v5() {
		w.printf("UNSUBSCRIBE(m%d)\n", u.PacketID)
		return nil
	}
	w.printf("UNSUBSCRIBE(m%d) with topics:\n", u.PacketID)
	for fs := u.Filters; ; {
		x, ok := fs.Next()
		if !ok {
			break
		}
		w.printf("    t: \"%s\"\n", text(x.Filter))
	}
	w.properties(u.Props)
	return nil
}

func (w *writer) disconnect(f codec.Frame) error {
	if !w.v5() {
		w.printf("DISCONNECT()\n")
		return nil
	}
	var d codec.Disconnect
	if err := codec.DecodeDisconnect(w.version, f, &d); err != nil {
		return err
	}
	name := reason(d.Reason)
	if d.Reason == codec.Success {
		name = "normal_disconnect(0)"
	}
	w.printf("DISCONNECT(rc:%s)\n", name)
	w.properties(d.Props)
	return nil
}

func (w *writer) auth(f codec.Frame) error {
	var a codec.Auth
	if err := codec.DecodeAuth(f, &a); err != nil {
		return err
	}
	w.printf("AUTH(rc:%s)\n", reason(a.Reason))
	w.properties(a.Props)
	return nil
}

// reason is a reason code by name and number.
func reason(c codec.ReasonCode) string {
	name := strings.NewReplacer(" ", "_", "-", "").Replace(strings.ToLower(c.String()))
	if c == codec.DisconnectWithWill {
		name = "disconnect_with_will_msg"
	}
	return fmt.Sprintf("%s(%d)", name, c)
}
