package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// publisher keeps the latest message.
type publisher struct {
	last *Publication
	max  int
}

func (p *publisher) MaxSize() int { return p.max }

func (p *publisher) Publish(_ context.Context, m *Publication) error {
	switch {
	case m.User == "nobody":
		return ErrAuthentication
	case m.Topic == "forbidden":
		return ErrAuthorization
	case m.Topic == "deep":
		return ErrTopic
	case m.Topic == "broken":
		return context.Canceled
	}
	p.last = m
	return nil
}

func TestPublish(t *testing.T) {
	const json, octets = "Content-Type: application/json", "Content-Type: application/octet-stream"
	for _, c := range []struct{ what, line, want string }{
		{"JSON", `-H '` + json + `' -d '{"topic":"a/b","payload":"hello","qos":1,"retain":true,"client_id":"c","user":"u","password":"p","user_properties":[{"a":"b"},{"c":"d","e":"f"}]}' /`,
			`200 Published {a/b hello 1 true c u p [[a b] [c d] [e f]]}`},
		{"JSON with text", `-H '` + json + `; charset=utf-8' -d '{"topic":"a","payload":"x","qos":"2","retain":"false"}' /`, `200 Published {a x 2 false    []}`},
		{"JSON payload that is no text", `-H '` + json + `' -d '{"topic":"a","payload":{"x":[1,2]}}' /`, `200 Published {a {"x":[1,2]} 0 false    []}`},
		{"base64", `-H '` + json + `' -d '{"topic":"a","payload":"aGk="}' /?encoding=base64`, `200 Published {a hi 0 false    []}`},
		{"headers", `-H '` + octets + `' -H 'topic: t' -H 'qos: 1' -H 'retain: true' -H 'client_id: c' -H 'user_properties: [{"a":"b"}]' -d raw /`, `200 Published {t raw 1 true c   [[a b]]}`},
		{"query", `-X PUT -H '` + octets + `' '/?topic=a%2Fb&qos=2&user=u&password=p'`, `200 Published {a/b  2 false  u p []}`},
		{"stray parameter", `-H '` + json + `' -d '{"topic":"a"}' /?x=y`, `200 Published {a  0 false    []}`},
		{"both", `-H '` + octets + `' -H 'topic: t' -d x /?topic=t`, `400 Parameters found in header as well as url-encoded`},
		{"no topic", `-H '` + json + `' -d '{"payload":"x"}' /`, `400 Invalid topic`},
		{"wildcard", `-H '` + json + `' -d '{"topic":"a/#"}' /`, `400 Invalid topic`},
		{"empty", `-H '` + json + `' -d '{"topic":""}' /`, `400 Invalid topic`},
		{"the broker's", `-H '` + json + `' -d '{"topic":"$SYS/x"}' /`, `400 Invalid topic`},
		{"too many levels", `-H '` + json + `' -d '{"topic":"deep"}' /`, `400 Invalid topic`},
		{"longer than a string may be", `-H '` + json + `' -d '{"topic":"` + strings.Repeat("x", 65536) + `"}' /`, `400 Invalid topic`},
		{"NUL in a property", `-H '` + json + `' -d '{"topic":"a","user_properties":[{"a":"\u0000"}]}' /`, `400 User properties need to be a key/value list (json encoded)`},
		{"QoS", `-H '` + json + `' -d '{"topic":"a","qos":3}' /`, `400 Invalid QoS value. Must be in range 0..2`},
		{"QoS text", `-H '` + octets + `' -H 'topic: t' -H 'qos: x' -d x /`, `400 Invalid QoS value. Must be in range 0..2`},
		{"half a QoS", `-H '` + json + `' -d '{"topic":"a","qos":1.5}' /`, `400 Invalid QoS value. Must be in range 0..2`},
		{"retain", `-H '` + json + `' -d '{"topic":"a","retain":"maybe"}' /`, `400 Invalid retain flag. Must be in true or false`},
		{"properties", `-H '` + json + `' -d '{"topic":"a","user_properties":{"a":1}}' /`, `400 User properties need to be a key/value list (json encoded)`},
		{"property value", `-H '` + json + `' -d '{"topic":"a","user_properties":[{"a":1}]}' /`, `400 User properties need to be a key/value list (json encoded)`},
		{"no JSON", `-H '` + json + `' -d '{' /`, `400 Content is not a valid json`},
		{"encoding", `-H '` + json + `' -d '{"topic":"a"}' /?encoding=x`, `400 Unknown payload encoding`},
		{"bad base64", `-H '` + json + `' -d '{"topic":"a","payload":"!"}' /?encoding=base64`, `400 Unknown payload encoding`},
		{"type", `-H 'Content-Type: text/plain' -d x /?topic=a`, `415`},
		{"no type", `-d x /?topic=a`, `415`},
		{"authentication", `-H '` + json + `' -d '{"topic":"a","user":"nobody"}' /`, `401 Authentication failure.`},
		{"authorization", `-H '` + json + `' -d '{"topic":"forbidden"}' /`, `403 Authorization failure.`},
		{"broken", `-H '` + json + `' -d '{"topic":"broken"}' /`, `503 Service unavailable.`},
		{"large", `-H '` + json + `' -d '` + strings.Repeat("x", 2000) + `' /`, `413 Payload too large.`},
	} {
		p := &publisher{max: 1000}
		if c.what == "longer than a string may be" {
			p.max = 0
		}
		s := httptest.NewServer(Publish(p, nil, always(PublishOptions{Mountpoint: "mp"})))
		lines := strings.Split(strings.TrimSpace(request(t, s, c.line)), "\n")
		s.Close()
		got := lines[0]
		if len(lines) > 1 {
			got += " " + lines[len(lines)-1]
		}
		if m := p.last; m != nil {
			got += fmt.Sprintf(" {%s %s %d %v %s %s %s %v}", m.Topic, m.Payload, m.QoS, m.Retain, m.ClientID, m.User, m.Password, m.UserProperties)
			if m.Mountpoint != "mp" {
				t.Errorf("%s: mountpoint %q", c.what, m.Mountpoint)
			}
		}
		if got != c.want {
			t.Errorf("%s: %s\nwant %s", c.what, got, c.want)
		}
	}
}

func TestPredefined(t *testing.T) {
	p := &publisher{max: 1} // no limit
	s := httptest.NewServer(Publish(p, nil, always(PublishOptions{Predefined: true, User: "u", Password: "p", ClientID: "c"})))
	defer s.Close()
	got := request(t, s, `-H 'Content-Type: application/json' -d '{"topic":"a","user":"nobody"}' /`)
	if !strings.HasPrefix(got, "200") || p.last.User != "u" || p.last.ClientID != "c" {
		t.Errorf("%s, %+v", got, p.last)
	}
}

func FuzzPublish(f *testing.F) {
	f.Add("application/json", "", `{"topic":"a","user_properties":[{"a":"b"}]}`)
	f.Add("application/octet-stream", "topic=a&qos=1", "x")
	f.Fuzz(func(t *testing.T, kind, query, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", kind)
		p := &publisher{}
		w := httptest.NewRecorder()
		Publish(p, nil, always(PublishOptions{})).ServeHTTP(w, r)
		if p.last != nil && (p.last.Topic == "" || strings.ContainsAny(p.last.Topic, "#+") || p.last.QoS > 2) {
			t.Errorf("%+v", p.last)
		}
		_, _ = json.Marshal(p.last)
	})
}

// always are the options of every listener.
func always(o PublishOptions) func(*http.Request) PublishOptions {
	return func(*http.Request) PublishOptions { return o }
}
