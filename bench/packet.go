package bench

import (
	"fmt"

	"vernemq/codec"
)

// packet handles one packet that the broker sent.
func (w *worker) packet(c *client, f codec.Frame, at int64) error {
	switch f.Type() {
	case codec.PUBLISH:
		return w.message(c, f, at)
	case codec.PUBACK, codec.PUBREC, codec.PUBREL, codec.PUBCOMP:
		return w.acknowledgement(c, f, at)
	case codec.CONNACK:
		return w.connack(c, f, at)
	case codec.SUBACK:
		return w.suback(c, f)
	case codec.DISCONNECT:
		var d codec.Disconnect
		if err := codec.DecodeDisconnect(w.version, f, &d); err != nil {
			return err
		}
		return fmt.Errorf("the broker sent DISCONNECT: %v", d.Reason)
	}
	return nil // PINGRESP
}

func (w *worker) connack(c *client, f codec.Frame, at int64) error {
	var ack codec.Connack
	if err := codec.DecodeConnack(w.version, f, &ack); err != nil {
		return err
	}
	if c.state != greeting {
		return fmt.Errorf("CONNACK out of turn")
	}
	if ack.Reason != codec.Success {
		return w.refused(c, refusal(w.version, ack.Reason))
	}
	c.credit = min(w.plan.Inflight, int(ack.ReceiveMax))
	w.connect.Record(at - c.due)
	w.answers.Record(at - c.stage)
	w.count.Connected++
	if w.plan.wrong(c) {
		w.count.Admitted++
	}
	if c.group == subscribers && w.plan.Kind != Retained && !w.dial.clean && !ack.SessionPresent {
		w.subscribe(c)
		return nil
	}
	w.becomeReady(c)
	return nil
}

func (w *worker) becomeReady(c *client) {
	w.dial.open--
	c.state, w.settled = ready, now()
}

// subscribe sends the subscriptions of a client.
func (w *worker) subscribe(c *client) {
	if c.state == ready {
		w.dial.open++
	}
	c.state, c.pending, c.begun = subscribing, 0, now()
	for fs := w.plan.filters(c.number); len(fs) > 0; {
		n := min(len(fs), filtersAtOnce)
		c.pending++
		c.out = codec.AppendSubscribe(c.out, w.version, uint16(c.pending), 0, fs[:n])
		fs = fs[n:]
	}
	w.mark(c)
}

func (w *worker) suback(c *client, f codec.Frame) error {
	var s codec.Suback
	if err := codec.DecodeSuback(w.version, f, &s); err != nil {
		return err
	}
	for _, code := range s.Codes {
		if code != w.plan.QoS {
			return fmt.Errorf("a subscription with QoS %d was answered with code 0x%02x", w.plan.QoS, code)
		}
	}
	if c.pending--; c.pending == 0 && c.state == subscribing {
		w.becomeReady(c)
		w.count.Subscribed++
	}
	return nil
}

// message takes a PUBLISH: answers it and finds out what it is in its stream.
func (w *worker) message(c *client, f codec.Frame, at int64) error {
	p := &w.pub
	if err := codec.DecodePublish(w.version, f, p); err != nil {
		return err
	}
	switch p.QoS {
	case 1:
		c.out = codec.AppendAck(c.out, w.version, codec.PUBACK, p.PacketID, codec.Success, "")
		w.mark(c)
	case 2:
		c.out = codec.AppendAck(c.out, w.version, codec.PUBREC, p.PacketID, codec.Success, "")
		w.mark(c)
	}
	if len(p.Payload) < stampSize {
		w.count.Foreign++
		return nil
	}
	w.account(c, readStamp(p.Payload), at)
	return nil
}

// account counts a message and its latency.
func (w *worker) account(c *client, s stamp, at int64) {
	i, ok := w.plan.streamOf(c.number, int(s.publisher))
	if !ok {
		w.count.Foreign++
		return
	}
	v := fresh
	if i < len(c.streams) {
		v = c.streams[i].take(s.number)
	}
	if w.seen != nil {
		if !w.seen[i].add(s.number) {
			v = duplicate
		} else if v == duplicate { // of a member it is new, so it came from far behind
			v = late
		}
	}
	switch {
	case v == duplicate:
		w.count.Duplicates++
		return
	case v == late && w.plan.Kind != Retained: // retained messages have no order
		w.count.Late++
	}
	if c.slow {
		w.count.Slow++
		return
	}
	w.count.Delivered++
	w.came = at
	from := s.due
	if w.plan.Kind == Offline || w.plan.Kind == Retained { // the message is old on purpose
		from = c.due
	}
	if s.due != unmeasured {
		w.latency.Record(at - from)
	}
}

// acknowledgement follows QoS 1 and 2 on both sides.
func (w *worker) acknowledgement(c *client, f codec.Frame, at int64) error {
	a := &w.ack
	if err := codec.DecodeAck(w.version, f, a); err != nil {
		return err
	}
	switch f.Type() {
	case codec.PUBREL:
		c.out = codec.AppendAck(c.out, w.version, codec.PUBCOMP, a.PacketID, codec.Success, "")
		w.mark(c)
		return nil
	case codec.PUBREC:
		if a.Reason < codec.UnspecifiedError {
			c.out = codec.AppendAck(c.out, w.version, codec.PUBREL, a.PacketID, codec.Success, "")
			w.mark(c)
			return nil
		}
	}
	c.inflight--
	w.count.Acked++
	if a.Reason >= codec.UnspecifiedError {
		w.count.Refused++
		w.note(c, fmt.Errorf("the broker refused a message: %v", a.Reason))
	}
	w.catchUp(c)
	return nil
}
