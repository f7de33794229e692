package disk

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vernemq/queue"
	"vernemq/queue/store"
)

// samples are values of every kind of record.
func samples() map[byte][]byte {
	m := testMessage("a/b", "payload")
	defer m.Release()
	mountpoint := "elsewhere"
	will := &store.Will{Mountpoint: &mountpoint, Topic: []byte("w"), Forward: []byte("pp"), Payload: []byte("x"), QoS: 1, Retain: true, Delay: 4, Expiry: 5, Expires: true, Due: 6}
	d := store.Delivery{QoS: 2, Retain: true, SubscriptionID: 9, Shared: "$share/g/#"}
	return map[byte][]byte{
		kindSession:      appendSession(nil, &store.Session{Version: 5, Expiry: 1, Absent: 2, Ends: 3, LastID: 4, Birth: 5, Will: will}),
		kindSubscription: appendSubscription(nil, &store.Subscription{QoS: 2, NoLocal: true, RetainAsPublished: true, ID: 8}),
		kindEntry:        appendMessage(appendEntryHead(nil, &d, false), m),
		kindBody:         appendMessage(appendCount(nil, 3), m),
		kindOutgoing:     appendOutgoing(nil, &store.Outgoing{State: store.Released, Seq: 5}),
		kindRetained:     appendMessage(nil, m),
		kindHandover:     appendMessage(appendHandoverHead(nil, &store.Handover{Loops: 3, Mountpoint: "m", Filter: "$share/g/#"}), m),
		kindDoomed:       {version, 0, 0, 0, 0, 0, 0, 1, 0},
	}
}

// reencode parses a value and writes it again.
func reencode(kind byte, b []byte) ([]byte, error) {
	switch kind {
	case kindSession:
		var s store.Session
		err := parseSession(b, &s)
		out := appendSession(nil, &s)
		if err == nil && b[0] == 1 {
			out = slices.Delete(out, oldSessionHead, sessionHead)
			out[0] = 1
		}
		return out, err
	case kindSubscription:
		var s store.Subscription
		err := parseSubscription(b, &s)
		return appendSubscription(nil, &s), err
	case kindEntry:
		d, body, inline, err := parseEntry(b)
		if err != nil {
			return nil, err
		}
		out := appendEntryHead(nil, &d, body != 0)
		if body != 0 {
			return appendBodyKey(out, body)[:len(out)+9], nil
		}
		return reencodeMessage(out, inline)
	case kindBody:
		n, message, err := parseBody(b)
		if err != nil || len(message) == 0 {
			return appendCount(nil, n), err
		}
		return reencodeMessage(appendCount(nil, n), message)
	case kindOutgoing:
		var o store.Outgoing
		err := parseOutgoing(b, &o)
		return appendOutgoing(nil, &o), err
	case kindRetained:
		return reencodeMessage(nil, b)
	case kindHandover:
		var h store.Handover
		if err := parseHandover(b, &h); err != nil {
			return nil, err
		}
		defer h.Msg.Release()
		return appendMessage(appendHandoverHead(nil, &h), h.Msg), nil
	}
	_, err := parseDoomed(b)
	return b, err
}

func reencodeMessage(out, b []byte) ([]byte, error) {
	m, err := parseMessage(b)
	if err != nil {
		return nil, err
	}
	defer m.Release()
	return appendMessage(out, m), nil
}

// TestRecords cuts and lengthens every kind of record.
func TestRecords(t *testing.T) {
	for kind, b := range samples() {
		if out, err := reencode(kind, b); err != nil || !bytes.Equal(out, b) {
			t.Errorf("%c: %x became %x, %v", kind, b, out, err)
		}
		for n := range b {
			if out, err := reencode(kind, b[:n]); err == nil && !bytes.Equal(out, b[:n]) {
				t.Errorf("%c: the first %d bytes were taken for %x", kind, n, out)
			}
		}
		bad := slices.Clone(b)
		bad[0] = 3
		if _, err := reencode(kind, bad); err == nil || !strings.Contains(err.Error(), "version 3") {
			t.Errorf("%c: version 3: %v", kind, err)
		}
	}
}

// oldSessions are sessions of version 1, without and with a will.
func oldSessions() [][]byte {
	plain := []byte{1, 4, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 4}
	full := slices.Clone(plain)
	full[1] |= 8
	return [][]byte{plain, appendWill(full, &store.Will{Topic: []byte("w"), Payload: []byte("x"), QoS: 1})}
}

// TestOldSessions reads sessions as they were written before they had a Birth.
func TestOldSessions(t *testing.T) {
	for _, b := range oldSessions() {
		var s store.Session
		err := parseSession(b, &s)
		will := s.Will
		s.Will = nil
		if want := (store.Session{Version: 5, Expiry: 1, Absent: 2, Ends: 3, LastID: 4}); err != nil || s != want {
			t.Errorf("%+v, %v, want %+v", s, err, want)
		}
		if (b[1]&8 != 0) != (will != nil && string(will.Topic) == "w" && will.QoS == 1) {
			t.Errorf("the will is %+v", will)
		}
		if parseSession(b[:oldSessionHead-1], &s) == nil {
			t.Error("a session without its end was taken")
		}
	}
}

// FuzzRecords holds that parsers do not panic, and that what they take is
// what would be written.
func FuzzRecords(f *testing.F) {
	for kind, b := range samples() {
		f.Add(kind, b)
	}
	for _, b := range oldSessions() {
		f.Add(byte(kindSession), b)
	}
	f.Add(byte(kindEntry), []byte{version, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		kinds := []byte{kindSession, kindSubscription, kindEntry, kindBody, kindOutgoing, kindRetained, kindHandover, kindDoomed}
		if !bytes.Contains(kinds, []byte{kind}) {
			kind = kinds[int(kind)%len(kinds)]
		}
		out, err := reencode(kind, b)
		if kind == kindEntry && err == nil && b[1]&8 != 0 {
			return // its body's id goes through another function
		}
		if err == nil && kind == kindSession {
			b = bytes.Clone(b)
			b[1] &^= 4 // is not read and not written any more
		}
		if err == nil && !bytes.Equal(out, b) {
			t.Fatalf("%c: %x became %x", kind, b, out)
		}
	})
}

// FuzzKeys holds that a key is taken only for the client that it was made of.
func FuzzKeys(f *testing.F) {
	f.Add(appendEntryKey(nil, store.Client{Key: queue.KeyOf("m", "c"), Mountpoint: "m", ID: "c"}, 7))
	f.Add(appendRetainedKey(nil, "m", []byte("a/b")))
	f.Add(appendHandoverKey(nil, 3, 7))
	f.Fuzz(func(t *testing.T, key []byte) {
		if c, rest, err := clientOf(key); err == nil {
			if out := append(appendPrefix(nil, key[0], c), rest...); !bytes.Equal(out, key) {
				t.Fatalf("%x became %x", key, out)
			}
			_, _ = number(rest)
			_, _ = packetID(rest)
		}
		if mountpoint, topic, err := retainedOf(key); err == nil && key[0] == kindRetained {
			if out := appendRetainedKey(nil, mountpoint, topic); !bytes.Equal(out, key) {
				t.Fatalf("%x became %x", key, out)
			}
		}
		if loop, seq, err := handoverOf(key); err == nil && key[0] == kindHandover {
			if out := appendHandoverKey(nil, loop, seq); !bytes.Equal(out, key) {
				t.Fatalf("%x became %x", key, out)
			}
		}
	})
}

// TestMerge merges the operands of a body in random groupings.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := testMessage("t", "payload")
		defer m.Release()
		n := rapid.IntRange(2, 20).Draw(t, "operands")
		ops := [][]byte{appendMessage(appendCount(nil, int32(n)), m)}
		for range n - 1 {
			ops = append(ops, appendCount(nil, -1))
		}
		for len(ops) > 1 {
			i := rapid.IntRange(0, len(ops)-2).Draw(t, "from")
			j := rapid.IntRange(i+1, len(ops)-1).Draw(t, "to")
			ops = slices.Replace(ops, i, j+1, mergeRun(t, ops[i:j+1], i == 0))
		}
		if want := appendMessage(appendCount(nil, 1), m); !bytes.Equal(ops[0], want) {
			t.Fatalf("%x, want %x", ops[0], want)
		}
	})
}

func mergeRun(t *rapid.T, ops [][]byte, base bool) []byte {
	newest := rapid.Bool().Draw(t, "newest first")
	first := 0
	if newest {
		first = len(ops) - 1
	}
	vm, err := bodyMerger.Merge([]byte{kindBody}, ops[first])
	for i := 1; i < len(ops) && err == nil; i++ {
		if newest {
			err = vm.MergeOlder(ops[len(ops)-1-i])
		} else {
			err = vm.MergeNewer(ops[i])
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := vm.Finish(base)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(out)
}

func TestMergeRefuses(t *testing.T) {
	m := testMessage("t", "p")
	defer m.Release()
	full := appendMessage(appendCount(nil, 1), m)
	if _, err := bodyMerger.Merge([]byte("q"), full); err == nil {
		t.Error("a queue entry was merged")
	}
	vm, err := bodyMerger.Merge([]byte("b"), full)
	if err != nil {
		t.Fatal(err)
	}
	if vm.MergeNewer(full) == nil || vm.MergeNewer([]byte{version}) == nil || vm.MergeNewer(full[:20]) == nil {
		t.Error("a wrong operand was merged")
	}
}
