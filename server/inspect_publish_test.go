package server

import (
	"testing"

	"vernemq/codec"
	"vernemq/server/admin/httpapi"
	"vernemq/server/hooks"
)

// TestPublishOverHTTPAsks holds messages that come over HTTP to the password and
// the ACL file of the client in whose name they come.
func TestPublishOverHTTPAsks(t *testing.T) {
	t.Parallel()
	c := filesConfig(t, 2, "user alice\ntopic alice/#\n", "alice:secret")
	b := startBroker(t, c)
	s := enter(t, b, asClient(codec.V5, "s", "alice", "secret"))
	s.sub("alice/#")
	for _, x := range []struct {
		topic, user, password string
		want                  error
	}{
		{"alice/1", "alice", "secret", nil}, {"alice/1", "alice", "wrong", httpapi.ErrAuthentication}, {"alice/1", "", "", httpapi.ErrAuthentication},
		{"bob/1", "alice", "secret", httpapi.ErrAuthorization},
	} {
		m := &httpapi.Publication{ClientID: "c", User: x.user, Password: x.password, Topic: x.topic, Payload: []byte("over HTTP"), QoS: 1}
		if err := b.Publisher().Publish(t.Context(), m); err != x.want {
			t.Errorf("%s of %s: %v, want %v", x.topic, x.user, err, x.want)
		}
	}
	if m := s.got(); string(m.Payload) != "over HTTP" || string(m.Topic) != "alice/1" {
		t.Error(m)
	}
}

// TestPublishOverHTTPLimits refuses over HTTP what a client could not do either.
func TestPublishOverHTTPLimits(t *testing.T) {
	t.Parallel()
	c := closedConfig(2)
	c.TopicMaxDepth = 3
	b := startBroker(t, c)
	var h hooks.Hooks
	h.AuthOnRegister.Now = func(r *hooks.Register) hooks.RegisterAnswer {
		m := &hooks.RegisterModifiers{MaxMessageSize: new(10)}
		if r.Username == "other" {
			m.ClientID, m.Mountpoint = new("another"), new("")
		}
		return hooks.RegisterAnswer{Result: hooks.OK, Modifiers: m}
	}
	h.AuthOnPublish.Now = func(r *hooks.Message) hooks.PublishAnswer {
		m := &hooks.PublishModifiers{}
		switch r.Username {
		case "system":
			m.Topic = new([]byte("$SYS/x"))
		case "payload":
			m.Payload = new([]byte("x"))
		}
		return hooks.PublishAnswer{Result: hooks.OK, Modifiers: m}
	}
	plug(t, b, "limits", h)
	for _, x := range []struct {
		user, topic, payload string
		want                 error
	}{
		{"u", "1/2/3", "0123456789", nil},
		{"u", "1/2/3/4", "x", httpapi.ErrTopic},
		{"u", "t", "0123456789a", httpapi.ErrTooLarge},
		{"other", "t", "x", httpapi.ErrAuthentication},
		{"system", "t", "x", httpapi.ErrAuthorization},
		{"payload", "t", "x", httpapi.ErrAuthorization},
	} {
		m := &httpapi.Publication{ClientID: "c", User: x.user, Password: "p", Topic: x.topic, Payload: []byte(x.payload)}
		if err := b.Publisher().Publish(t.Context(), m); err != x.want {
			t.Errorf("%+v: %v", x, err)
		}
	}
}
