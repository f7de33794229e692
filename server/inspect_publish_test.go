package server

import (
	"testing"

	"vernemq/codec"
	"vernemq/server/admin/httpapi"
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
