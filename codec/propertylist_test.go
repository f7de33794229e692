package codec

import (
	"bytes"
	"testing"
)

func TestPropertyList(t *testing.T) {
	list := []Property{
		{ID: PayloadFormatIndicator, Number: 1}, {ID: MessageExpiryInterval, Number: 70000}, {ID: ContentType, Bytes: []byte("t/p")},
		{ID: SubscriptionIdentifier, Number: 300}, {ID: TopicAlias, Number: 7}, {ID: CorrelationData, Bytes: []byte{0xff}},
		{ID: UserProperty, Bytes: []byte("k"), Value: []byte("v")}, {ID: UserProperty, Bytes: []byte("k"), Value: []byte("w")},
	}
	var raw Properties
	for _, p := range list {
		raw = AppendProperty(raw, p)
	}
	i := 0
	for p := range raw.All() {
		w := list[i]
		if p.ID != w.ID || p.Number != w.Number || !bytes.Equal(p.Bytes, w.Bytes) || !bytes.Equal(p.Value, w.Value) {
			t.Errorf("%+v, want %+v", p, w)
		}
		i++
	}
	if i != len(list) {
		t.Errorf("%d of %d properties", i, len(list))
	}
	var p PublishProps
	if err := DecodePublishProps(raw, &p); err != nil || p.Expiry != 70000 || string(p.ContentType) != "t/p" || !p.Forward {
		t.Errorf("%+v %v", p, err)
	}
}

func TestValidProperty(t *testing.T) {
	for _, tt := range []struct {
		p  Property
		ok bool
	}{
		{Property{ID: ContentType, Bytes: []byte("x")}, true}, {Property{ID: ContentType, Bytes: []byte("\x00")}, false},
		{Property{ID: CorrelationData, Bytes: []byte("\x00")}, true}, {Property{ID: PayloadFormatIndicator, Number: 2}, false},
		{Property{ID: WillDelayInterval, Number: 2}, true}, {Property{ID: ReceiveMaximum, Number: 2}, false}, {Property{ID: 0}, false}, {Property{ID: 200}, false},
		{Property{ID: UserProperty, Bytes: []byte("a"), Value: []byte("\xff")}, false}, {Property{ID: ResponseTopic, Bytes: []byte("a/#")}, false},
		{Property{ID: ContentType, Bytes: make([]byte, 65536)}, false},
	} {
		if err := ValidProperty(tt.p); (err == nil) != tt.ok {
			t.Errorf("%d %q: %v", tt.p.ID, tt.p.Bytes[:min(len(tt.p.Bytes), 9)], err)
		}
	}
}

func TestNewFilters(t *testing.T) {
	list := []Filter{{Filter: []byte("a/#"), QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 2}, {Filter: []byte("b")}}
	fs := NewFilters(list)
	for i := range list {
		f, ok := fs.Next()
		if w := list[i]; !ok || string(f.Filter) != string(w.Filter) || f.QoS != w.QoS || f.NoLocal != w.NoLocal || f.RetainAsPublished != w.RetainAsPublished || f.RetainHandling != w.RetainHandling {
			t.Errorf("%+v, want %+v", f, w)
		}
	}
	if fs.Len() != 0 {
		t.Error(fs.Len())
	}
}

// FuzzPublishProps takes properties apart and puts them together again.
func FuzzPublishProps(f *testing.F) {
	f.Add([]byte{byte(ContentType), 0, 1, 'x', byte(UserProperty), 0, 1, 'k', 0, 1, 'v'})
	f.Add([]byte{byte(SubscriptionIdentifier), 0x80, 1, byte(WillDelayInterval), 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p PublishProps
		if DecodePublishProps(raw, &p) != nil {
			return
		}
		var again []byte
		for x := range Properties(raw).All() {
			if err := ValidProperty(x); err != nil {
				t.Fatalf("%+v: %v", x, err)
			}
			again = AppendProperty(again, x)
		}
		if !bytes.Equal(again, raw) {
			t.Fatalf("% x, want % x", again, raw)
		}
	})
}
