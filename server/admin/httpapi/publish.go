package httpapi

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	"vernemq/codec"
)

// Publication is a message to publish, and in whose name.
type Publication struct {
	Mountpoint               string
	ClientID, User, Password string
	Topic                    string
	Payload                  []byte
	QoS                      byte
	Retain                   bool
	UserProperties           [][2]string
}

// Publisher publishes messages as a client would, after asking the plugins.
type Publisher interface {
	// Publish returns ErrTopic, ErrAuthentication, ErrAuthorization or ErrTooLarge
	// when the message is refused.
	Publish(context.Context, *Publication) error
	// MaxSize is the largest body in bytes, 0 for no limit.
	MaxSize() int
}

// refusal is an error that is told in just these words.
type refusal string

func (r refusal) Error() string { return string(r) }

// The refusals of a Publisher.
var (
	ErrTopic          error = refusal("Invalid topic")
	ErrAuthentication error = refusal("Authentication failure.")
	ErrAuthorization  error = refusal("Authorization failure.")
	ErrTooLarge       error = refusal("Payload too large.")
)

// PublishOptions are those of /restmqtt/api/v1/publish.
type PublishOptions struct {
	Mountpoint string
	// Predefined tells that messages are published in one name, whatever the
	// request says.
	Predefined               bool
	ClientID, User, Password string
}

type publish struct {
	to      Publisher
	guard   Guard
	options func(*http.Request) PublishOptions
}

// Publish serves /restmqtt/api/v1/publish. options gives those of the listener
// that a request came by.
func Publish(to Publisher, keys Keys, options func(*http.Request) PublishOptions) http.Handler {
	return &publish{to, Guard{keys, "httppub"}, options}
}

// mostPayload bounds a body where nobody says so, in bytes: the largest packet
// of the protocol.
const mostPayload = codec.MaxRemaining

func (h *publish) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		w.Header().Set("Allow", "PUT, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil || kind != typeJSON && kind != "application/octet-stream":
		w.WriteHeader(http.StatusUnsupportedMediaType)
	case !h.guard.allows(r):
		say(w, http.StatusUnauthorized, ErrAuthentication.Error())
	default:
		h.publish(w, r)
	}
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // who asked is gone
}

func (h *publish) publish(w http.ResponseWriter, r *http.Request) {
	limit := int64(h.to.MaxSize())
	if limit <= 1 || limit > mostPayload { // 1 is no limit, as ever here
		limit = mostPayload
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			say(w, http.StatusRequestEntityTooLarge, ErrTooLarge.Error())
		} else {
			say(w, http.StatusBadRequest, "Content is not readable")
		}
		return
	}
	p, err := read(r, body)
	if err != nil {
		say(w, http.StatusBadRequest, err.Error())
		return
	}
	o := h.options(r)
	p.Mountpoint = o.Mountpoint
	if o.Predefined {
		p.ClientID, p.User, p.Password = o.ClientID, o.User, o.Password
	}
	switch err := h.to.Publish(r.Context(), p); {
	case err == nil:
		say(w, http.StatusOK, "Published")
	case errors.Is(err, ErrTopic):
		say(w, http.StatusBadRequest, ErrTopic.Error())
	case errors.Is(err, ErrAuthentication):
		say(w, http.StatusUnauthorized, ErrAuthentication.Error())
	case errors.Is(err, ErrAuthorization):
		say(w, http.StatusForbidden, ErrAuthorization.Error())
	case errors.Is(err, ErrTooLarge):
		say(w, http.StatusRequestEntityTooLarge, ErrTooLarge.Error())
	default:
		say(w, http.StatusServiceUnavailable, "Service unavailable.")
	}
}

// What is wrong with a request, in the words of the reference.
var (
	errQoS        = refusal("Invalid QoS value. Must be in range 0..2")
	errRetain     = refusal("Invalid retain flag. Must be in true or false")
	errProperties = refusal("User properties need to be a key/value list (json encoded)")
	errBoth       = refusal("Parameters found in header as well as url-encoded")
	errJSON       = refusal("Content is not a valid json")
	errEncoding   = refusal("Unknown payload encoding")
)

// read takes a message from a request: from its headers if they have a topic,
// from its query if that has one, else from a JSON body.
func read(r *http.Request, body []byte) (p *Publication, err error) {
	query := r.URL.Query()
	header, inQuery := r.Header.Get("topic") != "", query.Has("topic")
	switch {
	case header && inQuery:
		return nil, errBoth
	case header:
		p, err = fromText(r.Header.Get, body)
	case inQuery:
		p, err = fromText(query.Get, body)
	default:
		p, err = fromJSON(body)
	}
	if err != nil {
		return nil, err
	}
	switch query.Get("encoding") {
	case "", "plain":
	case "base64":
		if p.Payload, err = base64.StdEncoding.DecodeString(string(p.Payload)); err != nil {
			return nil, errEncoding
		}
	default:
		return nil, errEncoding
	}
	if topic := []byte(p.Topic); !codec.ValidText(topic) || codec.ValidTopic(topic) != nil || topic[0] == '$' {
		return nil, ErrTopic
	}
	return p, nil
}

// fromText reads parameters that are text. The body is the payload.
func fromText(get func(string) string, body []byte) (*Publication, error) {
	p := &Publication{Topic: get("topic"), Payload: body, ClientID: get("client_id"), User: get("user"), Password: get("password")}
	if v := get("qos"); v != "" {
		n, err := strconv.ParseUint(v, 10, 8)
		if err != nil || n > 2 {
			return nil, errQoS
		}
		p.QoS = byte(n)
	}
	switch get("retain") {
	case "", "false":
	case "true":
		p.Retain = true
	default:
		return nil, errRetain
	}
	if v := get("user_properties"); v != "" {
		var err error
		if p.UserProperties, err = userProperties([]byte(v)); err != nil {
			return nil, err
		}
	}
	return p, nil
}
